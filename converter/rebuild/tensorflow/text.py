"""Handlers of the room `text`, on TensorFlow's string tensors."""

from __future__ import annotations

import functools
import unicodedata

import numpy as np
import tensorflow as tf

from converter.rebuild.tensorflow.lookup import lookup
from converter.rebuild.tensorflow.shapes import dims, vector
from converter.rebuild.tensorflow.table import op


@op("StringConcat", since=20)
def string_concat(X, Y):
    return tf.add(X, Y)


@op("RegexFullMatch", since=20)
def regex_full_match(X, *, pattern=None):
    return tf.strings.regex_full_match(X, pattern or "")


@op("StringSplit", since=20)
def string_split(X, *, delimiter=None, maxsplit=None):
    """Split each string; rows are filled up with empty strings."""
    limit = -1 if maxsplit is None else maxsplit
    rows = tf.strings.split(tf.reshape(X, [-1]), delimiter or None, limit)
    if not delimiter:  # a limit that is not reached leaves an empty string behind
        rows = tf.ragged.boolean_mask(rows, rows != "")
    table = rows.to_tensor("")
    shape = dims(X)
    counts = tf.reshape(tf.cast(rows.row_lengths(), tf.int64), vector(shape))
    return tf.reshape(table, vector([*shape, tf.shape(table)[1]])), counts


_CASES = {"LOWER": tf.strings.lower, "UPPER": tf.strings.upper}
_PYTHON_CASES = {"LOWER": str.lower, "UPPER": str.upper, "NONE": str}


@op("StringNormalizer", since=10)
def string_normalizer(
    X, *, case_change_action="NONE", is_case_sensitive=0, locale=None, stopwords=None
):
    """Drop accents and stop words, change case; ``[C]`` or ``[1, C]``.

    The locale is not used: TensorFlow's rules for upper and lower case are Unicode's.
    """
    if case_change_action not in _PYTHON_CASES:
        raise NotImplementedError(f"case_change_action={case_change_action!r}")
    if X.shape.rank not in (1, 2):
        raise ValueError(f"StringNormalizer takes [C] or [1, C], not rank {X.shape.rank}")
    text = _without_accents(tf.reshape(X, [-1]))
    if is_case_sensitive and stopwords:
        text = _without_words(text, stopwords)
    if case_change_action != "NONE":
        text = _CASES[case_change_action](text, "utf-8")
    if stopwords and not is_case_sensitive:
        text = _without_words(text, [_PYTHON_CASES[case_change_action](w) for w in stopwords])
    kept = tf.boolean_mask(text, text != "")
    kept = tf.cond(tf.size(kept) == 0, lambda: tf.constant([""]), lambda: kept)
    kept.set_shape([None])
    return kept if X.shape.rank == 1 else kept[None]


def _without_words(text, words):
    parts = tf.strings.split(text, " ")
    known = tf.reduce_any(parts.flat_values[:, None] == tf.constant(list(words)), 1)
    kept = tf.ragged.boolean_mask(parts, parts.with_flat_values(~known))
    return tf.strings.reduce_join(kept, axis=-1, separator=" ")


def _without_accents(text):
    codes = tf.strings.unicode_decode(text, "UTF-8")
    table, flat = _base_letters(), codes.flat_values
    last = len(table) - 1
    base = tf.where(flat <= last, tf.gather(table, tf.minimum(flat, last)), flat)
    codes = codes.with_flat_values(base)
    return tf.strings.unicode_encode(tf.ragged.boolean_mask(codes, codes >= 0), "UTF-8")


@functools.cache
def _base_letters():
    """Return each code's letter without its accents, -1 for an accent that stands alone.

    What falls apart into several letters (a ligature) stays as it is.
    """
    table = np.arange(0x3000, dtype=np.int32)
    for code in range(0x80, len(table)):
        parts = unicodedata.normalize("NFKD", chr(code))
        letters = [part for part in parts if not unicodedata.combining(part)]
        if len(letters) < 2:
            table[code] = ord(letters[0]) if letters else -1
    return table


@op("TfIdfVectorizer", since=9)
def tf_idf_vectorizer(
    X,
    *,
    max_gram_length,
    max_skip_count,
    min_gram_length,
    mode,
    ngram_counts,
    ngram_indexes,
    pool_int64s=None,
    pool_strings=None,
    weights=None,
):
    """Count n-grams of ``[C]`` or ``[B, C]``; strings become numbers first."""
    pool = pool_int64s
    if pool_strings:
        codes = {word: code for code, word in reversed(list(enumerate(pool_strings)))}
        pool = [codes[word] for word in pool_strings]
        X = lookup(X, list(codes), np.array(list(codes.values()), np.int64), -1)
    length = dims(X)[-1] if X.shape.rank else 1
    rows = tf.reshape(tf.cast(X, tf.int64), vector([-1, length]))
    width = max(ngram_indexes) + 1
    counts = tf.zeros(tf.stack([tf.shape(rows)[0], width]))
    for size, grams, columns in _pools(pool, ngram_counts, ngram_indexes):
        if min_gram_length <= size <= max_gram_length:
            found = _occurrences(rows, grams, size, max_skip_count)
            counts += tf.matmul(found, tf.one_hot(columns, width))
    scale = tf.ones(width) if weights is None else tf.constant(weights)
    if mode != "TF":
        counts = (counts if mode == "TFIDF" else tf.minimum(counts, 1)) * scale
    return counts if X.shape.rank == 2 else tf.reshape(counts, [width])


def _pools(pool, counts, columns):
    """Return for each length of n-gram its n-grams and the columns that they count in."""
    done = 0
    for i, start in enumerate(counts):
        end = counts[i + 1] if i + 1 < len(counts) else len(pool)
        size = i + 1
        grams = [list(pool[j : j + size]) for j in range(start, end, size)]
        if grams:
            yield size, grams, list(columns[done : done + len(grams)])
        done += len(grams)


def _occurrences(rows, grams, size, max_skip):
    """Count each n-gram in each row, ``[rows, grams]``, over all distances between its items."""
    total = tf.zeros(tf.stack([tf.shape(rows)[0], len(grams)]))
    for distance in range(1, max_skip + 2 if size > 1 else 2):
        count = tf.maximum(tf.shape(rows)[1] - (size - 1) * distance, 0)
        starts = [k * distance for k in range(size)]
        windows = tf.stack([rows[:, start : start + count] for start in starts], -1)
        same = tf.reduce_all(windows[:, :, None] == tf.constant(grams, tf.int64), -1)
        total += tf.reduce_sum(tf.cast(same, tf.float32), 1)
    return total

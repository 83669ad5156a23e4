"""Handlers of the room `text`. Host work: PyTorch has no strings, they are NumPy object arrays."""

from __future__ import annotations

import re
import unicodedata

import numpy as np
import torch

from converter.rebuild.pytorch.table import op


def mapped(function, *arrays):
    """Apply a function of strings to each element, with broadcasting."""
    return np.frompyfunc(function, len(arrays), 1)(*arrays)


def as_array(items, shape):
    """Return strings as an object array, of rank 0 too."""
    result = np.empty(shape, dtype=object)
    result.reshape(-1)[:] = items
    return result


@op("StringConcat", since=20)
def string_concat(X, Y):
    """Join two tensors of strings, element by element (host)."""
    return np.asarray(mapped(lambda a, b: a + b, X, Y), dtype=object)


@op("RegexFullMatch", since=20)
def regex_full_match(X, *, pattern=None):
    """Tell which strings match as a whole (host; the pattern is read by Python's `re`)."""
    expression = re.compile(pattern or "")
    found = [expression.fullmatch(text) is not None for text in X.ravel()]
    return torch.tensor(found, dtype=torch.bool).reshape(X.shape)


@op("StringSplit", since=20)
def string_split(X, *, delimiter=None, maxsplit=None):
    """Split each string; rows are filled up with empty strings (host)."""
    limit = -1 if maxsplit is None else maxsplit
    rows = [text.split(delimiter or None, limit) for text in X.ravel()]
    width = max(map(len, rows), default=0)
    items = [part for row in rows for part in row + [""] * (width - len(row))]
    counts = torch.tensor([len(row) for row in rows], dtype=torch.int64).reshape(X.shape)
    return as_array(items, (*X.shape, width)), counts


_CASES = {"LOWER": str.lower, "UPPER": str.upper, "NONE": str}


@op("StringNormalizer", since=10)
def string_normalizer(
    X, *, case_change_action="NONE", is_case_sensitive=0, locale=None, stopwords=None
):
    """Drop accents and stop words, change case; ``[C]`` or ``[1, C]`` (host).

    The locale is not used: Python's rules for upper and lower case are Unicode's.
    """
    if case_change_action not in _CASES:
        raise NotImplementedError(f"case_change_action={case_change_action!r}")
    if X.ndim not in (1, 2):
        raise ValueError(f"StringNormalizer takes [C] or [1, C], not rank {X.ndim}")
    change = _CASES[case_change_action]
    stop = set(stopwords or ())
    stop = stop if is_case_sensitive else {change(word) for word in stop}
    kept = []
    for text in map(_without_accents, X.ravel()):
        seen = text if is_case_sensitive else change(text)
        words = [word for word in seen.split(" ") if word not in stop] if stop else [seen]
        if result := change(" ".join(words)):
            kept.append(result)
    kept = kept or [""]
    return as_array(kept, (1, len(kept)) if X.ndim == 2 else (len(kept),))


def _without_accents(text):
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(char for char in decomposed if not unicodedata.combining(char))


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
    """Count n-grams of ``[C]`` or ``[B, C]``; strings become numbers on the host first."""
    pool = pool_int64s or range(len(pool_strings))
    if pool_strings:
        codes = {word: code for code, word in reversed(list(enumerate(pool_strings)))}
        pool = [codes[word] for word in pool_strings]
        X = torch.tensor([codes.get(word, -1) for word in X.ravel()]).reshape(X.shape)
    rows = X.long().reshape(-1, X.shape[-1]) if X.dim() else X.long().reshape(1, 1)
    counts = X.new_zeros((rows.shape[0], max(ngram_indexes) + 1), dtype=torch.float32)
    for size, grams, columns in _pools(pool, ngram_counts, ngram_indexes):
        if min_gram_length <= size <= max_gram_length:
            grams = torch.tensor(grams, device=rows.device)
            found = _occurrences(rows, grams, size, max_skip_count)
            counts = counts.index_add(1, torch.tensor(columns, device=rows.device), found)
    scale = torch.ones(()) if weights is None else torch.tensor(weights)
    if mode != "TF":
        counts = (counts if mode == "TFIDF" else counts.clamp(max=1)) * scale.to(rows.device)
    return counts if X.dim() == 2 else counts.reshape(-1)


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
    total = rows.new_zeros((rows.shape[0], grams.shape[0]), dtype=torch.float32)
    for distance in range(1, max_skip + 2 if size > 1 else 2):
        span = (size - 1) * distance + 1
        if rows.shape[1] >= span:
            windows = rows.unfold(1, span, 1)[..., ::distance]
            same = (windows.unsqueeze(2) == grams).all(-1)
            total = total + same.sum(1)
    return total

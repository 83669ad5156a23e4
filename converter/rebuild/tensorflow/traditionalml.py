"""Handlers of the domain `ai.onnx.ml`: encoders, scalers, linear models, maps.

A map is a Python dictionary from keys, which are fixed, to scalar tensors. Trees and support
vectors have their own files.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from converter.rebuild.tensorflow.casts import cast_to as cast_tensor
from converter.rebuild.tensorflow.dtypes import to_framework
from converter.rebuild.tensorflow.lookup import lookup
from converter.rebuild.tensorflow.table import op

DOMAIN = "ai.onnx.ml"
UNUSED = "_Unused"
"""ONNX's default for a string that has no entry."""


def real(x):
    """Return numbers in the type that these operators compute in: float32, or float64 as given."""
    return x if x.dtype in (tf.float32, tf.float64) else tf.cast(x, tf.float32)


def _row(values, x):
    return tf.constant(values, x.dtype)


# ------------------------------------------------------------------ tables


def _strings(values):
    return np.array([value.encode() for value in values], dtype=object)


@op("CategoryMapper", since=1, domain=DOMAIN)
def category_mapper(X, *, cats_int64s, cats_strings, default_int64=-1, default_string=UNUSED):
    if X.dtype == tf.string:
        return lookup(X, cats_strings, np.array(cats_int64s, np.int64), default_int64)
    return lookup(X, cats_int64s, _strings(cats_strings), default_string)


@op("LabelEncoder", since=1, domain=DOMAIN)
def label_encoder_1(X, *, classes_strings, default_int64=-1, default_string=UNUSED):
    return category_mapper(
        X,
        cats_int64s=tuple(range(len(classes_strings))),
        cats_strings=classes_strings,
        default_int64=default_int64,
        default_string=default_string,
    )


@op("LabelEncoder", since=2, domain=DOMAIN)
def label_encoder_2(
    X,
    *,
    default_float=-0.0,
    default_int64=-1,
    default_string=UNUSED,
    default_tensor=None,
    keys_floats=None,
    keys_int64s=None,
    keys_strings=None,
    keys_tensor=None,
    values_floats=None,
    values_int64s=None,
    values_strings=None,
    values_tensor=None,
):
    keys = keys_floats or keys_int64s or keys_strings
    keys = keys or tuple(map(_plain, keys_tensor.ravel().tolist()))
    if values_strings:
        return lookup(X, keys, _strings(values_strings), default_string)
    if values_int64s:
        return lookup(X, keys, np.array(values_int64s, np.int64), default_int64)
    if values_floats:
        return lookup(X, keys, np.array(values_floats, np.float32), default_float)
    values = values_tensor.ravel()
    if values.dtype.kind in "OSU":
        values = _strings([_plain(item) for item in values.tolist()])
        default = default_string
    else:
        default = default_int64 if values.dtype.kind in "iu" else default_float
    if default_tensor is not None:
        default = _plain(default_tensor.ravel()[0])
    return lookup(X, keys, values, default)


def _plain(item):
    if isinstance(item, bytes):
        return item.decode()
    return item.item() if isinstance(item, np.generic) else item


@op("OneHotEncoder", since=1, domain=DOMAIN)
def one_hot_encoder(X, *, cats_int64s=None, cats_strings=None, zeros=1):
    categories = cats_strings or cats_int64s
    x = X if X.dtype == tf.string else tf.cast(X, tf.int64)
    codes = lookup(x, categories, np.arange(len(categories)), -1)
    if not zeros:
        text = "OneHotEncoder with zeros=0 met a value that is no category"
        known = tf.debugging.assert_non_negative(codes, text)
        with tf.control_dependencies([known] if known is not None else []):
            codes = tf.identity(codes)
    return tf.one_hot(codes, len(categories))


# ------------------------------------------------------------------ features


@op("ArrayFeatureExtractor", since=1, domain=DOMAIN)
def array_feature_extractor(X, Y):
    picked = tf.gather(X, tf.reshape(Y, [-1]), axis=-1)
    return picked if X.shape.rank > 1 else picked[None]


@op("Binarizer", since=1, domain=DOMAIN)
def binarizer(X, *, threshold=0.0):
    return tf.cast(real(X) > threshold, X.dtype)


@op("FeatureVectorizer", since=1, domain=DOMAIN)
def feature_vectorizer(*X, inputdimensions=None):
    columns = [tf.cast(x, tf.float32) for x in X]
    columns = [tf.reshape(x, [tf.shape(x)[0], -1]) for x in columns]
    if inputdimensions is None:
        return tf.concat(columns, 1)
    cut = [x[:, :width] for x, width in zip(columns, inputdimensions, strict=True)]
    return tf.concat(
        [
            tf.pad(x, [[0, 0], [0, width - tf.shape(x)[1]]])
            for x, width in zip(cut, inputdimensions, strict=True)
        ],
        1,
    )


@op("Imputer", since=1, domain=DOMAIN)
def imputer(
    X,
    *,
    imputed_value_floats=None,
    imputed_value_int64s=None,
    replaced_value_float=0.0,
    replaced_value_int64=0,
):
    if X.dtype.is_floating:
        values, replaced = imputed_value_floats, replaced_value_float
    else:
        values, replaced = imputed_value_int64s, replaced_value_int64
    missing = tf.math.is_nan(X) if replaced != replaced else tf.equal(X, tf.cast(replaced, X.dtype))
    return tf.where(missing, _row(values, X), X)


@op("Normalizer", since=1, domain=DOMAIN)
def normalizer(X, *, norm="MAX"):
    order = {"MAX": np.inf, "L1": 1, "L2": 2}
    if norm not in order:
        raise NotImplementedError(f"Normalizer with norm={norm!r}")
    x = real(X)
    length = tf.norm(x, order[norm], -1, keepdims=True)
    return tf.cast(x / tf.maximum(length, 1e-30), tf.float32)


@op("Scaler", since=1, domain=DOMAIN)
def scaler(X, *, offset=(0.0,), scale=(1.0,)):
    x = real(X)
    return tf.cast((x - _row(offset, x)) * _row(scale, x), tf.float32)


# ------------------------------------------------------------------ linear models


def transformed(scores, post_transform):
    """Apply a ``post_transform`` to scores, ``[rows, classes]``."""
    if post_transform == "NONE":
        return scores
    if post_transform == "LOGISTIC":
        return tf.sigmoid(scores)
    if post_transform == "SOFTMAX":
        return tf.nn.softmax(scores, -1)
    if post_transform == "PROBIT":
        return tf.math.ndtri(scores)
    if post_transform == "SOFTMAX_ZERO":  # scores of zero stay zero
        raised = tf.exp(scores - tf.reduce_max(scores, -1, keepdims=True))
        raised = tf.where(tf.abs(scores) > 1e-7, raised, tf.zeros_like(raised))
        total = tf.reduce_sum(raised, -1, keepdims=True)
        return tf.where(total == 0, tf.cast(0.5, scores.dtype), raised / total)
    raise NotImplementedError(f"post_transform={post_transform!r}")


def labelled(places, integers, strings):
    """Return the labels at ``places`` (0, 1, ...)."""
    labels = tf.constant(list(strings)) if strings else tf.constant(integers, tf.int64)
    return tf.gather(labels, places)


@op("LinearClassifier", since=1, domain=DOMAIN)
def linear_classifier(
    X,
    *,
    classlabels_ints=None,
    classlabels_strings=None,
    coefficients,
    intercepts=None,
    multi_class=0,
    post_transform="NONE",
):
    x = real(X)
    labels = classlabels_strings or classlabels_ints
    weight = tf.reshape(_row(coefficients, x), [-1, x.shape[1]])
    scores = tf.matmul(x, weight, transpose_b=True)
    scores = scores if intercepts is None else scores + _row(intercepts, x)
    if scores.shape[1] == 1 and len(labels) == 2:
        scores = tf.concat([-scores, scores], 1)
    scores = transformed(scores, post_transform)
    result = tf.cast(scores, tf.float32)
    if scores.shape[1] > 1:
        return labelled(tf.argmax(scores, 1), classlabels_ints, classlabels_strings), result
    hit = tf.cast(scores[:, 0] >= (0 if post_transform == "NONE" else 0.5), tf.int64)
    negative = ("",) if classlabels_strings else (0,)
    pair = (*negative, labels[0])
    return labelled(hit, pair, pair if classlabels_strings else None), result


@op("LinearRegressor", since=1, domain=DOMAIN)
def linear_regressor(X, *, coefficients, intercepts=None, post_transform="NONE", targets=1):
    x = real(X)
    scores = tf.matmul(x, tf.reshape(_row(coefficients, x), [targets, -1]), transpose_b=True)
    scores = scores if intercepts is None else scores + _row(intercepts, x)
    return tf.cast(transformed(scores, post_transform), tf.float32)


# ------------------------------------------------------------------ maps


@op("ZipMap", since=1, domain=DOMAIN)
def zip_map(X, *, classlabels_int64s=None, classlabels_strings=None):
    """Return a list of one map for each row, whose number must be fixed."""
    keys = classlabels_strings or classlabels_int64s
    rows = X if X.shape.rank == 2 else X[None]
    if rows.shape[0] is None:
        raise NotImplementedError("ZipMap of an open number of rows: export without ZipMap")
    return [dict(zip(keys, tf.unstack(row), strict=True)) for row in tf.unstack(rows)]


@op("DictVectorizer", since=1, domain=DOMAIN)
def dict_vectorizer(X, *, int64_vocabulary=None, string_vocabulary=None):
    """Place a map's values by the vocabulary, zero (or the empty string) where it has none."""
    kinds = {value.dtype for value in X.values()} or {tf.float32}
    blank = tf.zeros((), kinds.pop())
    return tf.stack([X.get(key, blank) for key in string_vocabulary or int64_vocabulary])[None]


_CASTS = {"TO_FLOAT": 1, "TO_INT64": 7, "TO_STRING": 8}


@op("CastMap", since=1, domain=DOMAIN)
def cast_map(X, *, cast_to="TO_FLOAT", map_form="DENSE", max_map=1):
    """Turn a map with integer keys into one row, in the order of the keys."""
    kind = _CASTS[cast_to]
    keys = sorted(X) if map_form == "DENSE" else range(max_map)
    blank = tf.zeros((), to_framework(kind))
    return tf.stack([cast_tensor(X[key], kind) if key in X else blank for key in keys])[None]

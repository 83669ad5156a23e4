"""Handlers of the domain `ai.onnx.ml`: encoders, scalers, linear models, maps.

Strings and maps are host work: PyTorch has neither. Trees and support vectors have their own files.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from converter.rebuild.pytorch.dtypes import from_numpy
from converter.rebuild.pytorch.table import op
from converter.rebuild.pytorch.text import as_array

DOMAIN = "ai.onnx.ml"
UNUSED = "_Unused"
"""ONNX's default for a string that has no entry."""


def real(x):
    """Return numbers in the type that these operators compute in: float32, or float64 as given."""
    return x if x.dtype == torch.float64 else x.float()


def _row(values, x):
    return torch.tensor(values, dtype=x.dtype, device=x.device)


# ------------------------------------------------------------------ tables


def lookup(x, keys, values, default):
    """Replace each element by the value of its key; ``values`` are numbers (an array) or strings.

    Strings on either side are looked up on the host.
    """
    if isinstance(x, np.ndarray) or values.dtype == object:
        table = dict(zip(keys, values.tolist(), strict=True))
        items = (x if isinstance(x, np.ndarray) else x.cpu().numpy()).ravel().tolist()
        found = [table.get(item, default) for item in items]
        if values.dtype == object:
            return as_array(found, tuple(x.shape))
        return from_numpy(np.array(found, dtype=values.dtype).reshape(x.shape))
    # A later entry of a key replaces an earlier one; NaN is a key like any other.
    table = dict(zip(keys, values.tolist(), strict=True))
    order = sorted(key for key in table if key == key)
    order += [key for key in table if key != key][:1]
    known = _row(order, x)
    place = torch.searchsorted(known, x.contiguous()).clamp(max=len(order) - 1)
    nearest = known[place]
    found = (nearest == x) | (nearest.isnan() & x.isnan() if x.is_floating_point() else False)
    column = from_numpy(np.array([table[key] for key in order], values.dtype)).to(x.device)
    return torch.where(found, column[place], torch.full_like(column[:1], default))


def _strings(values):
    return as_array(list(values), (len(values),))


@op("CategoryMapper", since=1, domain=DOMAIN)
def category_mapper(X, *, cats_int64s, cats_strings, default_int64=-1, default_string=UNUSED):
    if isinstance(X, np.ndarray):
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
    codes = lookup(
        X if isinstance(X, np.ndarray) else X.long(), categories, np.arange(len(categories)), -1
    )
    if not zeros and bool((codes < 0).any()):
        raise ValueError("OneHotEncoder with zeros=0 met a value that is no category")
    return (codes[..., None] == torch.arange(len(categories), device=codes.device)).float()


# ------------------------------------------------------------------ features


@op("ArrayFeatureExtractor", since=1, domain=DOMAIN)
def array_feature_extractor(X, Y):
    if isinstance(X, np.ndarray):
        picked = X[..., Y.cpu().numpy().ravel()]
        return picked if X.ndim > 1 else picked[None]
    picked = X.index_select(-1, Y.reshape(-1))
    return picked if X.dim() > 1 else picked[None]


@op("Binarizer", since=1, domain=DOMAIN)
def binarizer(X, *, threshold=0.0):
    return (threshold < X).to(X.dtype)


@op("FeatureVectorizer", since=1, domain=DOMAIN)
def feature_vectorizer(*X, inputdimensions=None):
    columns = [real(x).float().reshape(x.shape[0], math.prod(x.shape[1:])) for x in X]
    widths = inputdimensions or [x.shape[1] for x in columns]
    pad = torch.nn.functional.pad
    cut = [pad(x, (0, width - x.shape[1])) for x, width in zip(columns, widths, strict=True)]
    return torch.cat(cut, 1)


@op("Imputer", since=1, domain=DOMAIN)
def imputer(
    X,
    *,
    imputed_value_floats=None,
    imputed_value_int64s=None,
    replaced_value_float=0.0,
    replaced_value_int64=0,
):
    if X.is_floating_point():
        values, replaced = imputed_value_floats, replaced_value_float
    else:
        values, replaced = imputed_value_int64s, replaced_value_int64
    missing = X.isnan() if replaced != replaced else replaced == X
    return torch.where(missing, _row(values, X), X)


@op("Normalizer", since=1, domain=DOMAIN)
def normalizer(X, *, norm="MAX"):
    order = {"MAX": torch.inf, "L1": 1, "L2": 2}
    if norm not in order:
        raise NotImplementedError(f"Normalizer with norm={norm!r}")
    x = real(X)
    length = torch.linalg.vector_norm(x, order[norm], -1, keepdim=True)
    return (x / length.clamp(min=1e-30)).float()


@op("Scaler", since=1, domain=DOMAIN)
def scaler(X, *, offset=(0.0,), scale=(1.0,)):
    x = real(X)
    return ((x - _row(offset, x)) * _row(scale, x)).float()


# ------------------------------------------------------------------ linear models


def transformed(scores, post_transform):
    """Apply a ``post_transform`` to scores, ``[rows, classes]``."""
    if post_transform == "NONE":
        return scores
    if post_transform == "LOGISTIC":
        return torch.sigmoid(scores)
    if post_transform == "SOFTMAX":
        return torch.softmax(scores, -1)
    if post_transform == "PROBIT":
        return torch.special.ndtri(scores)
    if post_transform == "SOFTMAX_ZERO":  # scores of zero stay zero
        raised = torch.exp(scores - scores.amax(-1, keepdim=True))
        raised = torch.where(scores.abs() > 1e-7, raised, torch.zeros_like(raised))
        total = raised.sum(-1, keepdim=True)
        return torch.where(total == 0, 0.5, raised / total)
    raise NotImplementedError(f"post_transform={post_transform!r}")


def labelled(places, integers, strings):
    """Return the labels at ``places`` (0, 1, ...)."""
    if strings:
        return _strings(strings)[places.cpu().numpy()]
    return torch.tensor(integers, dtype=torch.int64, device=places.device)[places]


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
    weight = _row(coefficients, x).reshape(-1, x.shape[1])
    scores = x @ weight.t()
    scores = scores if intercepts is None else scores + _row(intercepts, x)
    if scores.shape[1] == 1 and len(labels) == 2:
        scores = torch.cat((-scores, scores), 1)
    scores = transformed(scores, post_transform)
    if scores.shape[1] > 1:
        return labelled(scores.argmax(1), classlabels_ints, classlabels_strings), scores.float()
    hit = (scores[:, 0] >= (0 if post_transform == "NONE" else 0.5)).long()
    negative = ("",) if classlabels_strings else (0,)
    pair = (*negative, labels[0])
    return labelled(hit, pair, pair if classlabels_strings else None), scores.float()


@op("LinearRegressor", since=1, domain=DOMAIN)
def linear_regressor(X, *, coefficients, intercepts=None, post_transform="NONE", targets=1):
    x = real(X)
    scores = x @ _row(coefficients, x).reshape(targets, -1).t()
    scores = scores if intercepts is None else scores + _row(intercepts, x)
    return transformed(scores, post_transform).float()


# ------------------------------------------------------------------ maps


@op("ZipMap", since=1, domain=DOMAIN)
def zip_map(X, *, classlabels_int64s=None, classlabels_strings=None):
    """Return a list of one map for each row (host)."""
    keys = classlabels_strings or classlabels_int64s
    return [dict(zip(keys, row, strict=True)) for row in X.reshape(-1, len(keys)).tolist()]


@op("DictVectorizer", since=1, domain=DOMAIN)
def dict_vectorizer(X, *, int64_vocabulary=None, string_vocabulary=None, output_type):
    """Place a map's values by the vocabulary, zero where it has none (host)."""
    row = [X.get(key) for key in string_vocabulary or int64_vocabulary]
    if any(isinstance(value, str) for value in row):
        return as_array([value or "" for value in row], (1, len(row)))
    return _column([value or 0 for value in row], output_type)


def _column(numbers, output_type):
    from converter.rebuild.pytorch.dtypes import to_framework

    kind = torch.float32 if output_type is None else to_framework(output_type)
    return torch.tensor([numbers], dtype=kind)


_CASTS = {"TO_FLOAT": (float, 1), "TO_INT64": (int, 7), "TO_STRING": (str, None)}


@op("CastMap", since=1, domain=DOMAIN)
def cast_map(X, *, cast_to="TO_FLOAT", map_form="DENSE", max_map=1):
    """Turn a map with integer keys into one row, in the order of the keys (host)."""
    convert, kind = _CASTS[cast_to]
    keys = sorted(X) if map_form == "DENSE" else range(max_map)
    blank = "" if kind is None else 0
    row = [convert(X.get(key, blank)) for key in keys]
    return as_array(row, (1, len(row))) if kind is None else _column(row, kind)

"""How calls of TensorFlow are written down whose translations are held to its own results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

M, I, L, N, S = tf.math, tf.image, tf.linalg, tf.nn, tf.sparse
RAW = tf.raw_ops


@dataclass(frozen=True)
class Row:
    """One call.

    Attributes:
        name: what it shows.
        call: takes tensors, returns one or several.
        inputs: drawn with a generator; ``f(2, 3)`` is float32, integers are ranges.
        fixed: declare the inputs' sizes; otherwise all of them are open.
        refused: the TensorFlow operator that the error names, where there is no translation.
    """

    name: str
    call: Callable[..., Any]
    inputs: tuple[Any, ...]
    fixed: bool = True
    refused: str | None = None

    def __str__(self) -> str:
        return self.name


def f(*shape: int, dtype: str = "float32") -> Callable[[np.random.Generator], np.ndarray]:
    """Return a drawer of normal numbers."""
    return lambda draw: draw.normal(size=shape).astype(dtype)


def u(*shape: int, dtype: str = "float32") -> Callable[[np.random.Generator], np.ndarray]:
    """Return a drawer of numbers between 0 and 1."""
    return lambda draw: draw.uniform(0.05, 0.95, size=shape).astype(dtype)


def i(*shape: int, low: int = 0, high: int = 5, dtype: str = "int32") -> Any:
    """Return a drawer of integers."""
    return lambda draw: draw.integers(low, high, size=shape).astype(dtype)


def b(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    """Return a drawer of booleans."""
    return lambda draw: draw.integers(0, 2, size=shape).astype(bool)


def v(value: Any, dtype: str | None = None) -> Callable[[np.random.Generator], np.ndarray]:
    """Return a drawer that always gives the value."""
    return lambda draw: np.array(value, dtype)


REFUSED = {
    "approx_topk": "ApproxTopK",
    "b_igamma": "Igamma",
    "b_igammac": "Igammac",
    "b_nextafter": "NextAfter",
    "b_polygamma": "Polygamma",
    "b_zeta": "Zeta",
    "betainc": "Betainc",
    "bitcast": "Bitcast",
    "case": "Merge",
    "case_merged": "Merge",
    "case_oob": "Merge",
    "cholesky": "Cholesky",
    "complex_abs": "ComplexAbs",
    "ctc_loss": "Empty",
    "dct": "RFFT",
    "dilation2dSAME": "Dilation2D",
    "dilation2dVALID": "Dilation2D",
    "draw_boxes": "DrawBoundingBoxesV2",
    "edit": "EditDistance",
    "eigh": "SelfAdjointEigV2",
    "erosionSAME": "Dilation2D",
    "erosionVALID": "Dilation2D",
    "expm": "MatrixSolve",
    "extract_vol": "ExtractVolumePatches",
    "fft": "FFT",
    "frac_pool": "FractionalMaxPool",
    "grad_tanh": "TanhGrad",
    "histogram": "HistogramFixedWidth",
    "in_topk": "InTopKV2",
    "inv": "MatrixInverse",
    "irfft": "RFFT",
    "isotonic": "IsotonicRegression",
    "lstsq": "Cholesky",
    "lu": "Lu",
    "m_bessel_i0": "BesselI0",
    "m_bessel_i0e": "BesselI0e",
    "m_bessel_i1": "BesselI1",
    "m_bessel_i1e": "BesselI1e",
    "m_digamma": "Digamma",
    "m_erfcinv": "Ndtri",
    "m_erfinv": "Erfinv",
    "m_lgamma": "Lgamma",
    "m_ndtri": "Ndtri",
    "mfcc": "RFFT",
    "nextafter": "NextAfter",
    "nms_overlaps": "NonMaxSuppressionWithOverlaps",
    "nms_soft": "NonMaxSuppressionV5",
    "pinv": "Svd",
    "poisson": "RandomPoissonV2",
    "popcount": "PopulationCount",
    "proj_transform": "ImageProjectiveTransformV3",
    "pyfunc": "PyFunc",
    "qr": "Qr",
    "resize_aa": "ScaleAndTranslate",
    "resize_gaussian": "ScaleAndTranslate",
    "resize_int_gaussian": "ScaleAndTranslate",
    "resize_int_lanczos3": "ScaleAndTranslate",
    "resize_int_lanczos5": "ScaleAndTranslate",
    "resize_int_mitchellcubic": "ScaleAndTranslate",
    "resize_lanczos3": "ScaleAndTranslate",
    "resize_lanczos5": "ScaleAndTranslate",
    "resize_mitchellcubic": "ScaleAndTranslate",
    "resize_open_area": "ResizeArea",
    "resize_open_bicubic": "ResizeBicubic",
    "resize_open_gaussian": "ScaleAndTranslate",
    "resize_open_lanczos3": "ScaleAndTranslate",
    "resize_open_lanczos5": "ScaleAndTranslate",
    "resize_open_mitchellcubic": "ScaleAndTranslate",
    "scan": "StatelessWhile",
    "scategorical": "StatelessMultinomial",
    "setdiff": "ListDiff",
    "slogdet": "LogMatrixDeterminant",
    "solve": "MatrixSolve",
    "sparse_matmul": "SparseTensorDenseMatMul",
    "ssim": "DepthwiseConv2dNative",
    "str_hash": "StringToHashBucketFast",
    "str_join": "StringJoin",
    "str_len": "StringLength",
    "str_regex": "StaticRegexReplace",
    "str_split": "StringSplitV2",
    "str_substr": "Substr",
    "svd": "Svd",
    "ta": "TensorListStack",
    "ta_concat": "TensorListConcatV2",
    "ta_write": "TensorListStack",
    "triangular_solve": "MatrixTriangularSolve",
    "unique_v2": "UniqueV2",
    "unravel": "UnravelIndex",
}
"""Rows without a translation, and the operator that the error names."""


def refused_operator(name: str) -> str | None:
    """Return the operator that a row is refused for."""
    return REFUSED.get(name)

"""Resizing of images in NHWC.

Where all sizes are known, a resize is two products with matrices of weights, one for rows and one
for columns; so bicubic weights are those of TensorFlow's table, and areas are exact. Otherwise
ONNX's `Resize` does it, which is told the sizes, never a rounded scale.
"""

from __future__ import annotations

import numpy as np

from converter.trace.tensorflow.handlers.table import translates
from converter.trace.tensorflow.writer import NodeWriter, NotTranslated, Value

_TABLE = 1024
"""TensorFlow reads bicubic weights from a table with so many steps between two pixels."""


@translates("ResizeNearestNeighbor")
def resize_nearest(write: NodeWriter, image: Value, size: Value) -> Value:
    """Take the nearest pixel."""
    rounding = "round_prefer_ceil" if coordinates(write) != "asymmetric" else "floor"
    return resized(write, image, size, mode="nearest", nearest_mode=rounding)


@translates("ResizeBilinear")
def resize_bilinear(write: NodeWriter, image: Value, size: Value) -> Value:
    """Go straight from pixel to pixel."""
    return resized(write, write.cast(image, write.result_dtypes[0]), size, mode="linear")


@translates("ResizeBicubic")
def resize_bicubic(write: NodeWriter, image: Value, size: Value) -> Value:
    """Go from pixel to pixel along a cubic, with the weights of TensorFlow's table."""
    image = write.cast(image, write.result_dtypes[0])
    return by_matrices(write, image, size, cubic_weights)


@translates("ResizeArea")
def resize_area(write: NodeWriter, image: Value, size: Value) -> Value:
    """Take the mean of all that a new pixel covers."""
    image = write.cast(image, write.result_dtypes[0])
    return by_matrices(write, image, size, area_weights)


def coordinates(write: NodeWriter) -> str:
    """Return ONNX's word for how pixels of both images are paired."""
    if write.attribute("align_corners", 0):
        return "align_corners"
    return "half_pixel" if write.attribute("half_pixel_centers", 0) else "asymmetric"


def resized(write: NodeWriter, image: Value, size: Value, **how: str) -> Value:
    """Write ONNX's `Resize`, which takes channels first."""
    first = write.Transpose(image, perm=[0, 3, 1, 2])
    sizes = write.vector(write.sizes(first, 0, 2), write.index(size))
    done = write.Resize(
        first, None, None, sizes, coordinate_transformation_mode=coordinates(write), **how
    )
    return write.Transpose(done, perm=[0, 2, 3, 1])


def by_matrices(write: NodeWriter, image: Value, size: Value, weights) -> Value:
    """Resize by a product with a matrix of weights for each of the two axes.

    Raises:
        NotTranslated: a size is open.
    """
    wanted = write.known(size, "the size to resize to")
    had = write.shape(image)[1:3]
    if None in had:
        raise NotTranslated("the image has an open height or width, and this resize needs both")
    options = (
        bool(write.attribute("align_corners", 0)),
        bool(write.attribute("half_pixel_centers", 0)),
    )
    rows, columns = (
        weights(old, int(new), *options).astype(write.dtype(image))
        for old, new in zip(had, wanted, strict=True)
        if old is not None
    )
    tall = write.Transpose(image, perm=[0, 3, 1, 2])
    done = write.MatMul(write.MatMul(rows, tall), columns.T)
    return write.Transpose(done, perm=[0, 2, 3, 1])


def scale_of(old: int, new: int, align: bool) -> np.float32:
    """Return how many old pixels a new one is, as TensorFlow rounds it."""
    if align and new > 1:
        return np.float32(old - 1) / np.float32(new - 1)
    return np.float32(old) / np.float32(new)


def cubic_weights(old: int, new: int, align: bool, half_pixel: bool) -> np.ndarray:
    """Return the ``[new, old]`` weights of a bicubic resize.

    With half pixel centres Keys' cubic has ``a = -0.5`` and pixels outside of the image weigh
    nothing; without, ``a = -0.75`` and the border repeats.
    """
    scale, matrix = scale_of(old, new, align), np.zeros((new, old))
    a = -0.5 if half_pixel else -0.75
    for row in range(new):
        place = (
            np.float32(row + 0.5) * scale - np.float32(0.5)
            if half_pixel
            else np.float32(row) * scale
        )
        base = int(np.floor(place))
        step = int(np.rint((place - np.float32(base)) * np.float32(_TABLE))) / _TABLE
        weights = np.array([keys(step + 1, a), keys(step, a), keys(1 - step, a), keys(2 - step, a)])
        indices = np.arange(base - 1, base + 3)
        if half_pixel:
            weights = np.where((indices >= 0) & (indices < old), weights, 0)
            weights = weights / weights.sum() if abs(weights.sum()) >= 1000 * 1.2e-38 else weights
        np.add.at(matrix[row], np.clip(indices, 0, old - 1), weights)
    return matrix


def keys(distance: float, a: float) -> float:
    """Return the weight of a pixel at a distance below 2, by Keys' cubic (1981)."""
    if distance <= 1:
        return ((a + 2) * distance - (a + 3)) * distance * distance + 1
    return ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a


def area_weights(old: int, new: int, align: bool, half_pixel: bool) -> np.ndarray:
    """Return the ``[new, old]`` weights of a resize by area: the part of each pixel covered."""
    scale, matrix = scale_of(old, new, align), np.zeros((new, old))
    for row in range(new):
        start, end = np.float32(row) * scale, np.float32(row + 1) * scale
        for pixel in range(int(np.floor(start)), int(np.ceil(end))):
            covered = min(float(pixel + 1), float(end)) - max(float(pixel), float(start))
            matrix[row, min(max(pixel, 0), old - 1)] += covered / scale
    return matrix

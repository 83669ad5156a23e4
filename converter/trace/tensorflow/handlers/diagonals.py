"""Diagonals of matrices: taken out, put in, and bands of them.

A band from diagonal ``k[0]`` to ``k[1]`` (0 is the main one, above it are positive numbers) is
written as rows of equal length: the highest diagonal first, shorter ones moved to the left or to
the right end of their row (`alignment`).
"""

from __future__ import annotations

import numpy as np

from converter.trace.tensorflow.handlers.table import translates
from converter.trace.tensorflow.writer import NodeWriter, Value


@translates("MatrixDiagPart", "MatrixDiagPartV2", "MatrixDiagPartV3")
def matrix_diag_part(write: NodeWriter, x: Value, *options: Value) -> Value:
    """Take a band of diagonals out of each matrix."""
    lower, upper = band(write, options[0] if options else np.array(0))
    padding = options[1] if options else write.like(0, x)
    rows, columns = write.size(x, -2), write.size(x, -1)
    length = write.Min(write.Add(rows, min(upper, 0)), write.Sub(columns, max(lower, 0)))
    diagonals = np.arange(upper, lower - 1, -1)[:, None]
    places = write.Unsqueeze(write.Range(0, length, 1), [0])
    along = write.Sub(places, shifts(write, diagonals, rows, columns, length))
    row = write.Add(along, np.maximum(-diagonals, 0))
    column = write.Add(along, np.maximum(diagonals, 0))
    inside = write.And(
        write.And(write.GreaterOrEqual(row, 0), write.Less(row, rows)),
        write.And(write.GreaterOrEqual(column, 0), write.Less(column, columns)),
    )
    place = write.Where(inside, write.Add(write.Mul(row, columns), column), 0)
    flat = write.reshape(x, write.sizes(x, 0, -2), write.Mul(rows, columns))
    taken = write.Gather(flat, place, axis=write.rank(x) - 2)
    result = write.Where(inside, taken, padding)
    return write.Squeeze(result, [-2]) if lower == upper else result


@translates("MatrixDiag", "MatrixDiagV2", "MatrixDiagV3")
def matrix_diag(write: NodeWriter, diagonal: Value, *options: Value) -> Value:
    """Write a band of diagonals into matrices of a constant."""
    lower, upper = band(write, options[0] if options else np.array(0))
    wanted = [int(write.known(item, "the number of rows or columns")) for item in options[1:3]]
    padding = options[3] if options else write.like(0, diagonal)
    longest = write.size(diagonal, -1)
    least_rows = write.Sub(longest, min(upper, 0))
    least_columns = write.Add(longest, max(lower, 0))
    rows, columns = wanted or (-1, -1)
    square = write.Max(least_rows, least_columns)
    height = rows if rows >= 0 else square if columns < 0 else least_rows
    width = columns if columns >= 0 else square if rows < 0 else least_columns
    return banded(write, diagonal, lower, upper, write.index(height), write.index(width), padding)


@translates("MatrixSetDiag", "MatrixSetDiagV2", "MatrixSetDiagV3")
def matrix_set_diag(write: NodeWriter, x: Value, diagonal: Value, *options: Value) -> Value:
    """Put a band of diagonals into each matrix, in place of what stands there."""
    lower, upper = band(write, options[0] if options else np.array(0))
    rows, columns = write.size(x, -2), write.size(x, -1)
    return banded(write, diagonal, lower, upper, rows, columns, x)


@translates("MatrixBandPart")
def matrix_band_part(write: NodeWriter, x: Value, below: Value, above: Value) -> Value:
    """Keep so many diagonals below and above the main one, all if negative; the rest is 0."""
    row = write.Unsqueeze(write.Range(0, write.size(x, -2), 1), [1])
    column = write.Unsqueeze(write.Range(0, write.size(x, -1), 1), [0])
    below, above = write.index(below), write.index(above)
    low = write.Or(write.Less(below, 0), write.LessOrEqual(write.Sub(row, column), below))
    high = write.Or(write.Less(above, 0), write.LessOrEqual(write.Sub(column, row), above))
    return write.Where(write.And(low, high), x, write.like(0, x))


@translates("Diag")
def diag(write: NodeWriter, x: Value) -> Value:
    """Put a tensor on the diagonal of one with twice its axes."""
    size = write.index(write.Size(x))
    zero = write.like(0, x)
    square = banded(write, write.reshape(x, size), 0, 0, size, size, zero)
    return write.reshape(square, write.sizes(x), write.sizes(x))


@translates("DiagPart")
def diag_part(write: NodeWriter, x: Value) -> Value:
    """Take the diagonal of a tensor whose second half of axes is like its first."""
    half = write.rank(x) // 2
    size = write.ReduceProd(write.sizes(x, 0, half), keepdims=0)
    flat = write.reshape(x, write.Mul(size, size))
    steps = write.Mul(write.Range(0, size, 1), write.Add(size, 1))
    return write.reshape(write.Gather(flat, steps, axis=0), write.sizes(x, 0, half))


def band(write: NodeWriter, k: Value) -> tuple[int, int]:
    """Return the lowest and the highest diagonal."""
    numbers = write.known(k, "the choice of diagonals").reshape(-1)
    return int(numbers[0]), int(numbers[-1])


def shifts(
    write: NodeWriter, diagonals: np.ndarray, rows: Value, columns: Value, longest: Value
) -> Value:
    """Return how far each diagonal is moved to the right in its row."""
    align = write.attribute("align", "RIGHT_LEFT") if write.operator.endswith("V3") else "LEFT_LEFT"
    above, below = align.split("_")
    # The main diagonal is as long as the longest one, so it moves nowhere.
    right = ((diagonals > 0) & (above == "RIGHT")) | ((diagonals < 0) & (below == "RIGHT"))
    length = write.Min(
        write.Add(rows, np.minimum(diagonals, 0)), write.Sub(columns, np.maximum(diagonals, 0))
    )
    return write.Mul(write.Sub(longest, length), right.astype(np.int64))


def banded(
    write: NodeWriter,
    diagonal: Value,
    lower: int,
    upper: int,
    rows: Value,
    columns: Value,
    elsewhere: Value,
) -> Value:
    """Return matrices with a band of diagonals, and ``elsewhere`` outside of it."""
    if lower == upper:
        diagonal = write.Unsqueeze(diagonal, [-2])
    longest = write.size(diagonal, -1)
    row = write.Unsqueeze(write.Range(0, rows, 1), [1])
    column = write.Unsqueeze(write.Range(0, columns, 1), [0])
    number = write.Sub(column, row)
    inside = write.And(write.GreaterOrEqual(number, lower), write.LessOrEqual(number, upper))
    diagonals = np.arange(upper, lower - 1, -1)[:, None]
    moved = write.reshape(shifts(write, diagonals, rows, columns, longest), [len(diagonals)])
    which = write.Where(inside, write.Sub(np.array(upper), number), 0)
    along = write.Sub(column, write.Max(number, 0))
    along = write.Add(along, write.Gather(moved, which, axis=0))
    place = write.Where(inside, write.Add(write.Mul(which, longest), along), 0)
    flat = write.reshape(
        diagonal, write.sizes(diagonal, 0, -2), write.Mul(longest, np.array(len(diagonals)))
    )
    axis = write.rank(diagonal) - 2
    if write.shape(diagonal)[-1] in (0, None):  # nothing could be gathered from nothing
        more = write.filled(write.like(0, diagonal), write.vector(write.sizes(flat, 0, -1), [1]))
        flat = write.Concat(flat, more, axis=axis)
    return write.Where(inside, write.Gather(flat, place, axis=axis), elsewhere)

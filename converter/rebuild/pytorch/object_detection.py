"""Handlers of the room `object_detection`, written in tensor operations: PyTorch has no kernels."""

from __future__ import annotations

import torch

from converter.rebuild.pytorch.signal import scalar
from converter.rebuild.pytorch.table import op

_LIMITS = ("max_output_boxes_per_class", "iou_threshold", "score_threshold")


@op("NonMaxSuppression", since=10, host=_LIMITS)
def non_max_suppression(
    boxes,
    scores,
    max_output_boxes_per_class=None,
    iou_threshold=None,
    score_threshold=None,
    *,
    center_point_box=0,
):
    """Choose boxes greedily; ``[selected, 3]`` of batch, class and box.

    All batches and classes go side by side: in each round every one of them takes its best box that
    is left and drops what overlaps it.
    """
    limit = 0 if max_output_boxes_per_class is None else scalar(max_output_boxes_per_class)
    overlap = 0.0 if iou_threshold is None else scalar(iou_threshold)
    corners = _corners(boxes, center_point_box)[:, None]  # [batch, 1, boxes, 4]
    ranked, order = torch.sort(scores, dim=-1, descending=True, stable=True)
    alive = torch.ones_like(ranked, dtype=torch.bool)
    if score_threshold is not None:
        alive = ranked > scalar(score_threshold)
    corners = corners.expand(*order.shape, 4).gather(2, order[..., None].expand(*order.shape, 4))
    count = order.shape[-1]
    steps = torch.arange(count, device=boxes.device)
    chosen = []
    for _ in range(min(limit, count)):
        if not torch.compiler.is_compiling() and not alive.any():
            break
        best = torch.where(alive, steps, count).amin(-1, keepdim=True)  # `count`: none is left
        index = best.clamp(max=count - 1)
        chosen.append(torch.where(best < count, order.gather(-1, index), -1))
        box = corners.gather(2, index[..., None].expand(*index.shape, 4))
        alive = alive & (steps != best) & (_intersection_over_union(box, corners) <= overlap)
    if not chosen:
        return torch.zeros((0, 3), dtype=torch.int64, device=boxes.device)
    picks = torch.cat(chosen, -1)
    places = torch.nonzero(picks >= 0)
    box = picks[tuple(places.unbind(-1))]
    return torch.cat((places[:, :2], box[:, None]), -1)


def _corners(boxes, center_point_box):
    """Return boxes as smaller y, smaller x, larger y, larger x."""
    if center_point_box:
        x, y, width, height = boxes.unbind(-1)
        return torch.stack((y - height / 2, x - width / 2, y + height / 2, x + width / 2), -1)
    first, second = boxes[..., :2], boxes[..., 2:]
    return torch.cat((torch.minimum(first, second), torch.maximum(first, second)), -1)


def _intersection_over_union(a, b):
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    common = (high - low).clamp(min=0).prod(-1)
    union = _area(a) + _area(b) - common
    return torch.where((common > 0) & (union > 0), common / union, 0.0)


def _area(boxes):
    return (boxes[..., 2:] - boxes[..., :2]).prod(-1)


@op("RoiAlign", since=10)
def roi_align_10(
    X,
    rois,
    batch_indices,
    *,
    mode="avg",
    output_height=1,
    output_width=1,
    sampling_ratio=0,
    spatial_scale=1.0,
):
    return roi_align_16(
        X,
        rois,
        batch_indices,
        coordinate_transformation_mode="output_half_pixel",
        mode=mode,
        output_height=output_height,
        output_width=output_width,
        sampling_ratio=sampling_ratio,
        spatial_scale=spatial_scale,
    )


@op("RoiAlign", since=16)
def roi_align_16(
    X,
    rois,
    batch_indices,
    *,
    coordinate_transformation_mode="half_pixel",
    mode="avg",
    output_height=1,
    output_width=1,
    sampling_ratio=0,
    spatial_scale=1.0,
):
    """Sample each region bilinearly on a regular grid and pool (He et al. 2017)."""
    half_pixel = coordinate_transformation_mode == "half_pixel"
    region = rois * spatial_scale - (0.5 if half_pixel else 0.0)
    start, extent = region[:, :2], region[:, 2:] - region[:, :2]
    extent = extent if half_pixel else extent.clamp(min=1.0)
    y = _samples(start[:, 1], extent[:, 1], output_height, sampling_ratio)
    x = _samples(start[:, 0], extent[:, 0], output_width, sampling_ratio)
    rows = _taps(y, X.shape[2])
    columns = _taps(x, X.shape[3])
    images = X.index_select(0, batch_indices.long())  # [regions, channels, height, width]
    if mode == "max":
        return _pooled_by_max(images, rows, columns, output_height, output_width, y.used, x.used)
    weights_y = (rows.weights.sum(1) * y.used[..., None]).unflatten(1, (output_height, -1))
    weights_x = (columns.weights.sum(1) * x.used[..., None]).unflatten(1, (output_width, -1))
    # The mean over a grid of products is the product of the means.
    weights_y = weights_y.sum(2) / y.count.clamp(min=1)[:, None, None]
    weights_x = weights_x.sum(2) / x.count.clamp(min=1)[:, None, None]
    return torch.einsum("rpy,rcyx,rqx->rcpq", weights_y, images, weights_x).to(X.dtype)


class _Samples:
    """Sample positions of every region along one axis.

    Attributes:
        where: ``[regions, bins * samples]``.
        used: which of them count (regions differ in how many samples a bin has).
        count: samples per bin, ``[regions]``.
    """

    def __init__(self, where, used, count):
        self.where, self.used, self.count = where, used, count


def _samples(start, extent, bins, ratio):
    size = extent / bins
    count = torch.full_like(size, ratio) if ratio > 0 else torch.ceil(size)
    most = ratio if ratio > 0 else max(int(count.max()), 1) if len(count) else 1
    step = torch.arange(most, dtype=size.dtype, device=size.device)
    inside = (step + 0.5) / count.clamp(min=1)[:, None]  # [regions, samples], in bins
    where = torch.arange(bins, dtype=size.dtype, device=size.device)[:, None] + inside[:, None]
    where = start[:, None, None] + where * size[:, None, None]
    used = (step < count[:, None])[:, None].expand(where.shape)
    return _Samples(where.flatten(1), used.flatten(1).to(size.dtype), count)


class _Taps:
    """The two pixels around each sample, with their shares, as ``[regions, 2, samples, size]``."""

    def __init__(self, weights):
        self.weights = weights


def _taps(samples, size):
    where = samples.where
    inside = (where >= -1) & (where <= size)
    where = where.clamp(0, size - 1)
    low = where.floor().clamp(max=size - 1)
    share = where - low
    position = torch.arange(size, dtype=where.dtype, device=where.device)
    first = (position == low[..., None]) * (1 - share)[..., None]
    second = (position == (low + 1)[..., None]) * share[..., None]
    return _Taps(torch.stack((first, second), 1) * inside[:, None, :, None])


def _pooled_by_max(images, rows, columns, height, width, used_y, used_x):
    """Take the largest of the four weighted pixels around each sample, then of the samples."""
    corners = torch.einsum("ripy,rcyx,rjqx->rijcpq", rows.weights, images, columns.weights)
    used = (used_y[:, :, None] * used_x[:, None, :]) > 0
    largest = corners.amax((1, 2)).masked_fill(~used[:, None], -torch.inf)
    bins = largest.unflatten(3, (width, -1)).unflatten(2, (height, -1))
    return bins.amax((3, 5))


@op("MaxRoiPool", since=1)
def max_roi_pool(X, rois, *, pooled_shape, spatial_scale=1.0):
    """Take the maximum over the bins of each region (Girshick 2015); an empty bin gives zero."""
    corners = torch.floor(rois[:, 1:] * spatial_scale + 0.5)
    images = X.index_select(0, rois[:, 0].long())
    rows = _bins(corners[:, 1], corners[:, 3], pooled_shape[0], X.shape[2])
    columns = _bins(corners[:, 0], corners[:, 2], pooled_shape[1], X.shape[3])
    by_row = images.unsqueeze(2).masked_fill(~rows[:, None, :, :, None], -torch.inf).amax(3)
    pooled = by_row.unsqueeze(3).masked_fill(~columns[:, None, None], -torch.inf).amax(-1)
    return torch.where(torch.isneginf(pooled), torch.zeros_like(pooled), pooled)


def _bins(start, end, count, size):
    """Tell which positions each bin covers, ``[regions, count, size]``."""
    extent = (end - start + 1).clamp(min=1)[:, None] / count
    bins = torch.arange(count, dtype=extent.dtype, device=extent.device)
    low = (torch.floor(bins * extent) + start[:, None]).clamp(0, size)[..., None]
    high = (torch.ceil((bins + 1) * extent) + start[:, None]).clamp(0, size)[..., None]
    position = torch.arange(size, dtype=extent.dtype, device=extent.device)
    return (position >= low) & (position < high)

"""Handlers of the room `math`: losses."""

from __future__ import annotations

import torch.nn.functional as F

from converter.rebuild.pytorch.table import op

NOTHING_IGNORED = -100
"""PyTorch's own default: no class has this index."""


@op("NegativeLogLikelihoodLoss", since=12)
def negative_log_likelihood_loss(
    input, target, weight=None, *, ignore_index=NOTHING_IGNORED, reduction="mean"
):
    return F.nll_loss(input, target.long(), weight, ignore_index=ignore_index, reduction=reduction)


@op("SoftmaxCrossEntropyLoss", since=12)
def softmax_cross_entropy_loss(
    scores, labels, weights=None, *, ignore_index=NOTHING_IGNORED, reduction="mean"
):
    log_prob = F.log_softmax(scores, 1)
    loss = F.nll_loss(
        log_prob, labels.long(), weights, ignore_index=ignore_index, reduction=reduction
    )
    return loss, log_prob

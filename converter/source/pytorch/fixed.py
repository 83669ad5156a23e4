"""Batch normalisation of Keras that is frozen: its text is written into a module that needs it.

Keras' layer with ``trainable=False`` normalises with its moving statistics in training, too.
"""

from __future__ import annotations

from typing import Self

from torch import nn


class FixedBatchNorm1d(nn.BatchNorm1d):
    """Normalises with its running statistics in training, too."""

    def train(self, mode: bool = True) -> Self:
        return super().train(False)


class FixedBatchNorm2d(nn.BatchNorm2d):
    """Normalises with its running statistics in training, too."""

    def train(self, mode: bool = True) -> Self:
        return super().train(False)


class FixedBatchNorm3d(nn.BatchNorm3d):
    """Normalises with its running statistics in training, too."""

    def train(self, mode: bool = True) -> Self:
        return super().train(False)

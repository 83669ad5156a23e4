"""The MobileNet-like CNN in PyTorch."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

BLOCKS = ((16, 1, "relu6"), (24, 2, "relu6"), (24, 1, "hard_swish"), (40, 2, "hard_swish"))
"""Output channels, stride and activation of each block."""

ACTIVATIONS = {"relu6": F.relu6, "hard_swish": F.hardswish}
STEM, EXPANSION, CLASSES = 16, 4, 10


class InvertedResidual(nn.Module):
    """Expand, filter each channel, weigh the channels, project; add the input where it fits."""

    def __init__(self, inputs: int, outputs: int, stride: int, activation: str) -> None:
        super().__init__()
        inner = EXPANSION * inputs
        self.expand = nn.Conv2d(inputs, inner, 1, bias=False)
        self.expand_norm = nn.BatchNorm2d(inner)
        self.depthwise = nn.Conv2d(inner, inner, 3, stride, 1, groups=inner, bias=False)
        self.depthwise_norm = nn.BatchNorm2d(inner)
        self.squeeze = nn.Conv2d(inner, inner // 4, 1)
        self.excite = nn.Conv2d(inner // 4, inner, 1)
        self.project = nn.Conv2d(inner, outputs, 1, bias=False)
        self.project_norm = nn.BatchNorm2d(outputs)
        self.activation = ACTIVATIONS[activation]
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = self.activation(self.expand_norm(self.expand(x)))
        y = self.activation(self.depthwise_norm(self.depthwise(y)))
        weights = F.relu(self.squeeze(F.adaptive_avg_pool2d(y, 1)))
        y = y * F.hardsigmoid(self.excite(weights))
        y = self.project_norm(self.project(y))
        return x + y if self.residual else y


class MobileNet(nn.Module):
    """Images ``[batch, 3, 32, 32]`` -> logits ``[batch, 10]``, float32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, STEM, 3, stride=2, padding=1, bias=False)
        self.stem_norm = nn.BatchNorm2d(STEM)
        widths = (STEM, *(outputs for outputs, _, _ in BLOCKS))
        self.blocks = nn.Sequential(
            *(InvertedResidual(widths[i], *block) for i, block in enumerate(BLOCKS))
        )
        self.logits = nn.Linear(widths[-1], CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(F.hardswish(self.stem_norm(self.stem(x))))
        return self.logits(F.adaptive_avg_pool2d(x, 1).flatten(1))


def build() -> MobileNet:
    """Return the model with PyTorch's own initial weights."""
    return MobileNet()

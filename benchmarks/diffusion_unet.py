"""A small diffusion U-Net: group norms, time embedding, self- and cross-attention, skip connection.

153 kB of weights; its verification once took six times as long as its conversion.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

INPUTS = (
    "sample:float32[batch,4,16,16]",
    "timestep:int64[batch]",
    "encoder_hidden_states:float32[batch,seq,10]",
    "pad:bool[batch,seq]",
)
"""For `convert --input`."""

TIME = 32
"""Width of the embedded time step."""


class Residual(nn.Module):
    """Two convolutions; the time step scales and shifts what is between them."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(4, channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.time = nn.Linear(TIME, 2 * channels_out)
        self.norm2 = nn.GroupNorm(4, channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1)
        same = channels_in == channels_out
        self.shortcut = nn.Identity() if same else nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        hidden = self.conv1(F.silu(self.norm1(x)))
        scale, shift = self.time(F.silu(time))[:, :, None, None].chunk(2, 1)
        return self.shortcut(x) + self.conv2(F.silu(self.norm2(hidden) * (1 + scale) + shift))


class Attention(nn.Module):
    """Attention among the pixels, then from the pixels to the text."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(4, channels)
        self.within = nn.MultiheadAttention(channels, 2, batch_first=True)
        self.across = nn.MultiheadAttention(channels, 4, kdim=10, vdim=10, batch_first=True)

    def forward(self, x: Tensor, text: Tensor, padding: Tensor) -> Tensor:
        pixels = self.norm(x).flatten(2).transpose(1, 2)  # batch, height * width, channels
        pixels = pixels + self.within(pixels, pixels, pixels, need_weights=False)[0]
        attended = self.across(pixels, text, text, key_padding_mask=padding, need_weights=False)[0]
        return x + (pixels + attended).transpose(1, 2).reshape(x.shape)


class DiffusionUNet(nn.Module):
    """One step down, attention there, one step up."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(4, 16, 3, padding=1)
        self.embed = nn.Sequential(nn.Linear(16, TIME), nn.SiLU(), nn.Linear(TIME, TIME))
        self.above = Residual(16, 16)
        self.down = nn.Conv2d(16, 24, 3, stride=2, padding=1)
        self.below = Residual(24, 24)
        self.attention = Attention(24)
        self.merge = Residual(40, 16)
        self.last = nn.Conv2d(16, 4, 3, padding=1)

    def forward(
        self, sample: Tensor, timestep: Tensor, encoder_hidden_states: Tensor, pad: Tensor
    ) -> Tensor:
        rates = torch.exp(-math.log(10000) * torch.arange(8) / 8)
        angles = timestep[:, None].float() * rates
        time = self.embed(torch.cat([angles.cos(), angles.sin()], -1))
        skipped = self.above(self.first(sample), time)
        deep = self.attention(self.below(self.down(skipped), time), encoder_hidden_states, pad)
        wide = F.interpolate(deep, size=skipped.shape[-2:], mode="nearest")
        return self.last(F.silu(self.merge(torch.cat([wide, skipped], 1), time)))


def build() -> nn.Module:
    """Return the model with weights of a fixed seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return DiffusionUNet()

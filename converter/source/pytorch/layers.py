"""How PyTorch spells a layer: the class, what its constructor takes, and where its weights lie."""

from __future__ import annotations

from typing import Any

from converter.graph.structure.layers import Layer
from converter.source.classes import Argument


def constructor(layer: Layer) -> tuple[str, list[Argument]]:
    """Return the class and its arguments, those that have PyTorch's default left out."""
    return globals()[f"_{layer.kind.lower()}"](layer.config)


def weights(layer: Layer) -> dict[str, tuple[int, ...]]:
    """Return for each weight the axes by which the layer's becomes PyTorch's."""
    return {name: tuple(range(len(weight.shape))) for name, weight in layer.weights.items()}


def _with_defaults(config: dict[str, Any], **defaults: Any) -> list[Argument]:
    return [Argument(name, config[name], default) for name, default in defaults.items()]


def _required(*values: tuple[str, Any]) -> list[Argument]:
    return [Argument(name, value) for name, value in values]


def _linear(config: dict[str, Any]) -> tuple[str, list[Argument]]:
    given = _required(("in_features", config["in"]), ("out_features", config["out"]))
    return "nn.Linear", given + _with_defaults(config, bias=True)


def _short(sizes: tuple[int, ...]) -> Any:
    """Return one number for all axes where they are the same."""
    return sizes[0] if len(set(sizes)) == 1 else sizes


def _window(config: dict[str, Any], transposed: bool) -> list[Argument]:
    short = {
        name: _short(value) if isinstance(value, tuple) else value for name, value in config.items()
    }
    given = _required(
        ("in_channels", short["in"]),
        ("out_channels", short["out"]),
        ("kernel_size", short["kernel"]),
    )
    defaults: dict[str, Any] = {"stride": 1, "padding": 0}
    if transposed:
        defaults["output_padding"] = 0
    return given + _with_defaults(short, **defaults, dilation=1, groups=1, bias=True)


def _conv(config: dict[str, Any]) -> tuple[str, list[Argument]]:
    return f"nn.Conv{config['rank']}d", _window(config, transposed=False)


def _convtranspose(config: dict[str, Any]) -> tuple[str, list[Argument]]:
    return f"nn.ConvTranspose{config['rank']}d", _window(config, transposed=True)


def _batchnorm(config: dict[str, Any]) -> tuple[str, list[Argument]]:
    rank = max(config["rank"], 1)
    renamed = {
        "eps": config["epsilon"], "momentum": config["momentum"], "affine": config["scale"],
    }  # fmt: skip
    given = _required(("num_features", config["features"]))
    return f"nn.BatchNorm{rank}d", given + _with_defaults(
        renamed, eps=1e-5, momentum=0.1, affine=True
    )


def _layernorm(config: dict[str, Any]) -> tuple[str, list[Argument]]:
    given = _required(("normalized_shape", _one(config["shape"])))
    renamed = {"eps": config["epsilon"], "bias": config["bias"]}
    return "nn.LayerNorm", given + _with_defaults(renamed, eps=1e-5, bias=True)


def _rmsnorm(config: dict[str, Any]) -> tuple[str, list[Argument]]:
    given = _required(("normalized_shape", _one(config["shape"])))
    return "nn.RMSNorm", [*given, Argument("eps", config["epsilon"], None)]


def _one(shape: tuple[int, ...]) -> Any:
    return shape[0] if len(shape) == 1 else shape


def _groupnorm(config: dict[str, Any]) -> tuple[str, list[Argument]]:
    given = _required(("num_groups", config["groups"]), ("num_channels", config["features"]))
    return "nn.GroupNorm", given + _with_defaults({"eps": config["epsilon"]}, eps=1e-5)


def _embedding(config: dict[str, Any]) -> tuple[str, list[Argument]]:
    return "nn.Embedding", _required(
        ("num_embeddings", config["ids"]), ("embedding_dim", config["features"])
    )

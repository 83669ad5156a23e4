"""How PyTorch makes a layer: the class, what its constructor takes, and where its weights lie."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import onnx_ir as ir

from converter.graph.dropout import (
    ALPHA,
    BY_CHANNELS,
    CHANNELS,
    CHANNELS_ALPHA,
    ELEMENTS,
    GAUSSIAN,
    NOISE,
)
from converter.graph.structure.layers import Layer, short
from converter.graph.structure.recurrent import RECURRENT
from converter.graph.structure.weights import Weight, weight_of
from converter.source.expressions import Text, call, method, number
from converter.source.made import Argument, Arguments, Made
from converter.source.pytorch import recurrent
from converter.source.pytorch.dtypes import word
from converter.source.pytorch.fixed import (
    FixedBatchNorm1d,
    FixedBatchNorm2d,
    FixedBatchNorm3d,
)
from converter.source.pytorch.noise import GaussianDropout, GaussianNoise

COUNTER = "num_batches_tracked"
"""Buffer of a batch normalisation: no operator reads it."""


def constructor(layer: Layer) -> Made:
    """Return how PyTorch makes a layer; arguments with PyTorch's default are left out.

    PyTorch's axes of weights are those of ONNX, so weights stay as they are.

    Raises:
        NotWritable: the weights have a type that PyTorch has no layers of.
    """
    if layer.kind in RECURRENT:
        return recurrent.constructor(layer)
    pads = _pads(layer)
    class_name, arguments = _KINDS[layer.kind](layer.config | {"padding": pads})
    if layer.kind == "Dropout":
        turned = _second(layer.config)
        return Made(class_name, arguments, {}, given=turned, taken=turned)
    first = next(iter(layer.weights.values()))
    dtype = Text(word(first.dtype))
    arguments.append(Argument("dtype", dtype, Text("torch.float32")))
    around = "{}.requires_grad_(False)" if layer.frozen else "{}"
    if layer.kind == "BatchNorm":
        weights, fills = _statistics(layer)
        return Made(class_name, arguments, weights, fills, around=around)
    uneven = any(begin != end for begin, end in pads)
    given = partial(_padded, pads) if uneven else None
    return Made(class_name, arguments, layer.weights, given=given, around=around)


def takes(layer: Layer) -> bool:
    """Tell whether PyTorch has such a layer; before the others it pads, the transposed crop."""
    if layer.kind == "Dropout":
        return _dropout_class(layer.config) is not None or own_class(layer) is not None
    if layer.kind in RECURRENT:
        return recurrent.takes(layer)
    pads = _pads(layer)
    even = pads != "same" and all(begin == end for begin, end in pads)
    return even or (layer.kind == "Conv" and pads != "same")


def _pads(layer: Layer) -> Any:
    """Return what goes before and behind each axis; ``"same"`` where only a size tells it."""
    config = layer.config
    pads = config.get("padding", ())
    if pads != "same" or any(step != 1 for step in config["stride"]):
        return pads
    extents = zip(config["kernel"], config["dilation"], strict=True)
    totals = [(kernel - 1) * dilation for kernel, dilation in extents]
    return tuple((total // 2, total - total // 2) for total in totals)


def _padded(pads: tuple[tuple[int, int], ...], value: Text) -> Text:
    """Return a value with zeros around it, more on one side than on the other."""
    flat = tuple(amount for pair in reversed(pads) for amount in pair)
    return call("F.pad", value, number(flat))


def _statistics(layer: Layer) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the weights of a batch normalisation, and what it has beyond the source's."""
    weights, fills = dict(layer.weights), {}
    features, dtype = layer.config["features"], weights["running_mean"].dtype
    counter = _counter(layer)
    if counter is not None:
        weights[COUNTER] = counter
    else:
        fills[COUNTER] = np.zeros((), np.int64)
    if layer.config["scale"] or layer.config["shift"]:
        for name, plain in (("weight", 1), ("bias", 0)):
            if name not in weights:
                fills[name] = np.full(features, plain, ir.DataType(dtype).numpy())
    return weights, fills


def _counter(layer: Layer) -> Any:
    """Return what counts the batches, where the source has it."""
    mean = layer.weights["running_mean"]
    graph = mean.initializer.graph if isinstance(mean, Weight) else None
    if graph is None:
        return None
    return weight_of(graph.initializers.get(f"{mean.name.rpartition('.')[0]}.{COUNTER}"))


def _with_defaults(config: dict[str, Any], **defaults: Any) -> Arguments:
    return [Argument(name, config[name], default) for name, default in defaults.items()]


def _required(*values: tuple[str, Any]) -> Arguments:
    return [Argument(name, value) for name, value in values]


def _linear(config: dict[str, Any]) -> tuple[str, Arguments]:
    given = _required(("in_features", config["in"]), ("out_features", config["out"]))
    return "nn.Linear", given + _with_defaults(config, bias=True)


def _window(config: dict[str, Any], transposed: bool) -> Arguments:
    pads = config["padding"]
    even = all(begin == end for begin, end in pads)
    config = config | {"padding": tuple(b for b, _ in pads) if even else (0,) * len(pads)}
    brief = {
        name: short(value) if isinstance(value, tuple) else value for name, value in config.items()
    }
    given = _required(
        ("in_channels", brief["in"]),
        ("out_channels", brief["out"]),
        ("kernel_size", brief["kernel"]),
    )
    defaults: dict[str, Any] = {"stride": 1, "padding": 0}
    if transposed:
        defaults["output_padding"] = 0
    return given + _with_defaults(brief, **defaults, dilation=1, groups=1, bias=True)


def _conv(config: dict[str, Any]) -> tuple[str, Arguments]:
    return f"nn.Conv{config['rank']}d", _window(config, transposed=False)


def _conv_transpose(config: dict[str, Any]) -> tuple[str, Arguments]:
    return f"nn.ConvTranspose{config['rank']}d", _window(config, transposed=True)


def _batch_norm(config: dict[str, Any]) -> tuple[str, Arguments]:
    renamed = {
        "eps": config["epsilon"], "momentum": config["momentum"],
        "affine": config["scale"] or config["shift"],
    }  # fmt: skip
    given = _required(("num_features", config["features"]))
    return f"nn.BatchNorm{max(config['rank'], 1)}d", given + _with_defaults(
        renamed, eps=1e-5, momentum=0.1, affine=True
    )


def _layer_norm(config: dict[str, Any]) -> tuple[str, Arguments]:
    given = _required(("normalized_shape", _one(config["shape"])))
    renamed = {"eps": config["epsilon"], "bias": config["bias"]}
    return "nn.LayerNorm", given + _with_defaults(renamed, eps=1e-5, bias=True)


def _rms_norm(config: dict[str, Any]) -> tuple[str, Arguments]:
    given = _required(("normalized_shape", _one(config["shape"])))
    return "nn.RMSNorm", [*given, Argument("eps", config["epsilon"], None)]


def _one(shape: tuple[int, ...]) -> Any:
    return shape[0] if len(shape) == 1 else shape


def _group_norm(config: dict[str, Any]) -> tuple[str, Arguments]:
    given = _required(("num_groups", config["groups"]), ("num_channels", config["features"]))
    return "nn.GroupNorm", given + _with_defaults({"eps": config["epsilon"]}, eps=1e-5)


def _embedding(config: dict[str, Any]) -> tuple[str, Arguments]:
    return "nn.Embedding", _required(
        ("num_embeddings", config["ids"]), ("embedding_dim", config["features"])
    )


def _dropout(config: dict[str, Any]) -> tuple[str, Arguments]:
    name = "stddev" if config["kind"] == NOISE else "p"
    return f"nn.{_dropout_class(config)}", _required((name, config["rate"]))


def own_class(layer: Layer) -> type | None:
    """Return the class of a layer that PyTorch lacks and the module brings along."""
    if layer.kind == "BatchNorm" and layer.config["fixed"]:
        return _FIXED[max(layer.config["rank"], 1)]
    return _OWN_DROPOUT.get(layer.config["kind"]) if layer.kind == "Dropout" else None


_FIXED = {1: FixedBatchNorm1d, 2: FixedBatchNorm2d, 3: FixedBatchNorm3d}
_OWN_DROPOUT = {NOISE: GaussianNoise, GAUSSIAN: GaussianDropout}


def _second(config: dict[str, Any]) -> Callable[[Text], Text] | None:
    """Return what puts channels that are dropped second, and back, where they stand elsewhere."""
    if config["kind"] not in BY_CHANNELS or config["axis"] == 1:
        return None
    return lambda value: method(value, "transpose", 1, config["axis"])


def _dropout_class(config: dict[str, Any]) -> str | None:
    """Return PyTorch's class, for channels as the second axis; it has none for normal noise."""
    if config["kind"] == CHANNELS and config["rank"] in (3, 4, 5):
        return f"Dropout{config['rank'] - 2}d"
    names = {ELEMENTS: "Dropout", ALPHA: "AlphaDropout", CHANNELS_ALPHA: "FeatureAlphaDropout"}
    return names.get(config["kind"])


_KINDS: dict[str, Callable[[dict[str, Any]], tuple[str, Arguments]]] = {
    "Linear": _linear,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "BatchNorm": _batch_norm,
    "LayerNorm": _layer_norm,
    "RMSNorm": _rms_norm,
    "GroupNorm": _group_norm,
    "Embedding": _embedding,
    "Dropout": _dropout,
}

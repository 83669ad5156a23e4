"""How Keras makes a layer: the class, what its constructor takes, and where its weights lie.

Channels are the last axis (`converter.graph.layout`); kernels are ``[spatial..., in, out]``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import onnx_ir as ir

from converter.graph.dropout import ALPHA, CHANNELS, ELEMENTS, GAUSSIAN, NOISE
from converter.graph.structure.assembled import AnyWeight
from converter.graph.structure.layers import Layer, short
from converter.graph.structure.recurrent import RECURRENT
from converter.source.expressions import Text, call, combined, number
from converter.source.keras import recurrent
from converter.source.keras.dtypes import WORDS
from converter.source.made import Argument, Arguments, Made

Config = dict[str, Any]


def takes(layer: Layer) -> bool:
    """Tell whether Keras has such a layer, for channels as the last axis."""
    config = layer.config
    if layer.kind == "Dropout":
        return _dropout_class(config) is not None
    if next(iter(layer.weights.values())).dtype not in WORDS:
        return False
    if layer.kind in RECURRENT:
        return recurrent.takes(layer)
    if layer.kind == "Conv":
        widened = set(config["dilation"]) != {1}
        return not (widened and set(config["stride"]) != {1})
    if layer.kind == "ConvTranspose":
        return _is_whole(config) or _crop(config) is not None
    if layer.kind == "BatchNorm":
        return bool(config["last"])
    return layer.kind in _KINDS


def constructor(layer: Layer) -> Made:
    """Return how Keras makes a layer; arguments with Keras' default are left out."""
    made = _KINDS[layer.kind](layer)
    if not layer.weights:
        return made
    dtype = ir.DataType(next(iter(layer.weights.values())).dtype)
    made.arguments.append(Argument("dtype", WORDS[dtype], "float32"))
    fixed = layer.frozen or layer.config.get("fixed", False)
    made.arguments.append(Argument("trainable", not fixed, True))
    return made


def _defaults(**pairs: tuple[Any, Any]) -> Arguments:
    return [Argument(name, value, default) for name, (value, default) in pairs.items()]


def _weights(layer: Layer, **names: str) -> dict[str, AnyWeight]:
    """Return a layer's weights by Keras' names."""
    return {names[name]: weight for name, weight in layer.weights.items()}


def _kernel(layer: Layer, order: tuple[int, ...]) -> dict[str, AnyWeight]:
    """Return kernel and bias, the kernel with its axes in Keras' order."""
    found = _weights(layer, weight="kernel", bias="bias")
    return found | {"kernel": found["kernel"].turned(order)}


def _dense(layer: Layer) -> Made:
    arguments = [Argument("units", layer.config["out"])]
    arguments += _defaults(use_bias=(layer.config["bias"], True))
    return Made("layers.Dense", arguments, _kernel(layer, (1, 0)))


def _conv(layer: Layer) -> Made:
    config, rank = layer.config, layer.config["rank"]
    padding, given = _padding(config)
    spatial = tuple(range(2, rank + 2))
    depthwise = rank < 3 and 1 < config["groups"] == config["in"] == config["out"]
    even = len(set(config["stride"])) == 1
    arguments = [] if depthwise and even else [Argument("filters", config["out"])]
    arguments.append(Argument("kernel_size", short(config["kernel"])))
    arguments += _defaults(
        strides=(short(config["stride"]), 1), padding=(padding, "valid"),
        dilation_rate=(short(config["dilation"]), 1),
    )  # fmt: skip
    if depthwise and even:
        order, class_name = (*spatial, 0, 1), f"layers.DepthwiseConv{rank}D"
    else:
        order, class_name = (*spatial, 1, 0), f"layers.Conv{rank}D"
        arguments += _defaults(groups=(config["groups"], 1))
    arguments += _defaults(use_bias=(config["bias"], True))
    weights = _kernel(layer, order)
    return Made(class_name, arguments, weights, given=given)


def _padding(config: Config) -> tuple[str, Callable[[Text], Text] | None]:
    """Return Keras' word for a padding, and what pads the input where Keras has none."""
    pads = config["padding"]
    if pads == "same":
        return "same", None
    if not any(amount for pair in pads for amount in pair):
        return "valid", None
    reach = [d * (k - 1) for d, k in zip(config["dilation"], config["kernel"], strict=True)]
    as_same = tuple((r // 2, r - r // 2) for r in reach)
    if pads == as_same and set(config["stride"]) == {1}:
        return "same", None
    amounts = ((0, 0), *pads, (0, 0))
    return "valid", lambda value: call("ops.pad", value, number(amounts))


def _is_whole(config: Config) -> bool:
    """Tell whether a transposed convolution keeps all that it makes."""
    return _plain(config) and not any(amount for pair in config["padding"] for amount in pair)


def _plain(config: Config) -> bool:
    """Tell whether Keras' sizes are ONNX's: no dilation, no groups, no gaps between kernels."""
    gaps = any(k < s for k, s in zip(config["kernel"], config["stride"], strict=True))
    return (
        set(config["dilation"]) == {1} and config["groups"] == 1 and not gaps
        and not any(config["output_padding"]) and config["padding"] != "same"
    )  # fmt: skip


def _crop(config: Config) -> tuple[tuple[int, int], ...] | None:
    """Return what a transposed convolution cuts off, ``None`` where it does something else."""
    return config["padding"] if _plain(config) else None


def _conv_transpose(layer: Layer) -> Made:
    config, rank = layer.config, layer.config["rank"]
    over = [k - s for k, s in zip(config["kernel"], config["stride"], strict=True)]
    as_same = config["padding"] == tuple((o // 2, o - o // 2) for o in over)
    arguments = [Argument("filters", config["out"])]
    arguments.append(Argument("kernel_size", short(config["kernel"])))
    arguments += _defaults(
        strides=(short(config["stride"]), 1),
        padding=("same" if as_same and not _is_whole(config) else "valid", "valid"),
        use_bias=(config["bias"], True),
    )
    weights = _kernel(layer, (*range(2, rank + 2), 1, 0))
    taken = None if as_same or _is_whole(config) else _cropped(config["padding"])
    return Made(f"layers.Conv{rank}DTranspose", arguments, weights, taken=taken)


def _cropped(pads: tuple[tuple[int, int], ...]) -> Callable[[Text], Text]:
    """Cut off both ends of each spatial axis."""
    parts = [f"{begin or ''}:{-end if end else ''}" for begin, end in pads]
    return lambda value: combined(f"{value}[:, {', '.join(parts)}]", 4, value)


def _batch_norm(layer: Layer) -> Made:
    config = layer.config
    arguments = _defaults(
        momentum=(round(1 - config["momentum"], 7), 0.99), epsilon=(config["epsilon"], 1e-3),
        center=(config["shift"], True), scale=(config["scale"], True),
    )  # fmt: skip
    names = {
        "weight": "gamma", "bias": "beta",
        "running_mean": "moving_mean", "running_var": "moving_variance",
    }  # fmt: skip
    return Made("layers.BatchNormalization", arguments, _weights(layer, **names))


def _layer_norm(layer: Layer) -> Made:
    config = layer.config
    arguments = _defaults(
        axis=(_last(config["shape"]), -1), epsilon=(config["epsilon"], 1e-3),
        center=(config["bias"], True),
    )  # fmt: skip
    weights = _weights(layer, weight="gamma", bias="beta")
    return Made("layers.LayerNormalization", arguments, weights)


def _rms_norm(layer: Layer) -> Made:
    arguments = _defaults(
        axis=(_last(layer.config["shape"]), -1), epsilon=(layer.config["epsilon"], 1e-6)
    )
    return Made("layers.RMSNormalization", arguments, _weights(layer, weight="scale"))


def _last(shape: tuple[int, ...]) -> Any:
    """Return the last axes of a shape; one is a number."""
    axes = tuple(range(-len(shape), 0))
    return axes[0] if len(axes) == 1 else axes


def _group_norm(layer: Layer) -> Made:
    config = layer.config
    arguments = _defaults(
        groups=(config["groups"], 32), axis=(1, -1), epsilon=(config["epsilon"], 1e-3)
    )
    weights = _weights(layer, weight="gamma", bias="beta")
    return Made("layers.GroupNormalization", arguments, weights)


def _embedding(layer: Layer) -> Made:
    arguments = [
        Argument("input_dim", layer.config["ids"]),
        Argument("output_dim", layer.config["features"]),
    ]
    return Made("layers.Embedding", arguments, _weights(layer, weight="embeddings"))


def _dropout(layer: Layer) -> Made:
    rate, turned = Argument("rate", layer.config["rate"]), _last_axis(layer.config)
    class_name = f"layers.{_dropout_class(layer.config)}"
    return Made(class_name, [rate], {}, given=turned, taken=turned)


def _last_axis(config: Config) -> Callable[[Text], Text] | None:
    """Return what puts the channels last, and back, where they are dropped and stand elsewhere."""
    if config["kind"] != CHANNELS or config["axis"] == config["rank"] - 1:
        return None
    return lambda value: call("ops.swapaxes", value, config["axis"], config["rank"] - 1)


def _dropout_class(config: Config) -> str | None:
    """Return Keras' class; it has none for the channels of alpha dropout."""
    if config["kind"] == CHANNELS and config["rank"] in (3, 4, 5):
        return f"SpatialDropout{config['rank'] - 2}D"
    names = {
        ELEMENTS: "Dropout", ALPHA: "AlphaDropout",
        GAUSSIAN: "GaussianDropout", NOISE: "GaussianNoise",
    }  # fmt: skip
    return names.get(config["kind"])


_KINDS: dict[str, Callable[[Layer], Made]] = {
    "Linear": _dense,
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "BatchNorm": _batch_norm,
    "LayerNorm": _layer_norm,
    "RMSNorm": _rms_norm,
    "GroupNorm": _group_norm,
    "Embedding": _embedding,
    "Dropout": _dropout,
    **dict.fromkeys(RECURRENT, recurrent.constructor),
}

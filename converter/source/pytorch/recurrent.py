"""How PyTorch makes a recurrent layer, and what its call returns."""

from __future__ import annotations

from typing import Any

from converter.graph.structure.assembled import AnyWeight, Assembled
from converter.graph.structure.layers import Layer
from converter.graph.structure.recurrent import BATCH, TIME
from converter.source.expressions import Text, method
from converter.source.made import Argument, Made, Output, Returned
from converter.source.pytorch.dtypes import word

_ORDER = {"LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2), "RNN": (0,)}
"""PyTorch's gates, each by its place in ONNX: input, forget, cell, output; reset, update, new."""


def takes(layer: Layer) -> bool:
    """Tell whether PyTorch has such a layer: a GRU that resets behind the product alone."""
    config = layer.config
    if config["states"] == "apart" or (layer.kind == "GRU" and not config["reset_after"]):
        return False
    several = config["levels"] > 1 and config["backwards"]
    return not several and (config["given"], config["taken"]) != (BATCH, TIME)


def constructor(layer: Layer) -> Made:
    """Return how PyTorch makes a recurrent layer, and how its result is taken apart."""
    config = layer.config
    arguments = [Argument("input_size", config["in"]), Argument("hidden_size", config["hidden"])]
    given: dict[str, tuple[Any, Any]] = {"num_layers": (config["levels"], 1)}
    if layer.kind == "RNN":
        given["nonlinearity"] = (config["nonlinearity"], "tanh")
    given |= {
        "bias": (config["bias"], True), "batch_first": (config["taken"] == BATCH, False),
        "dropout": (config["dropout"], 0.0), "bidirectional": (config["directions"] == 2, False),
    }  # fmt: skip
    arguments += [Argument(name, value, default) for name, (value, default) in given.items()]
    dtype = Text(word(next(iter(layer.weights.values())).dtype))
    arguments.append(Argument("dtype", dtype, Text("torch.float32")))
    weights = {name: _ordered(layer.kind, weight) for name, weight in layer.weights.items()}

    def before(value: Text) -> Text:
        if config["given"] != config["taken"]:
            value = method(value, "transpose", 0, 1)
        return _flipped(layer, value) if config["backwards"] else value

    def after(value: Text) -> Text:
        return _flipped(layer, value)

    turned = config["given"] != config["taken"] or config["backwards"]
    parts = ("outputs", ("h", "c") if layer.kind == "LSTM" else "h")
    outputs = [
        Output(("outputs",), after if config["backwards"] else None)
        if name == "sequence"
        else Output((name,))
        for name in config["outputs"]
    ]
    return Made(
        f"nn.{layer.kind}", arguments, weights, given=before if turned else None,
        returned=Returned(parts, outputs),
    )  # fmt: skip


def _flipped(layer: Layer, value: Text) -> Text:
    """Run backwards through time: PyTorch has no layer that does so alone."""
    return method(value, "flip", 1 if layer.config["taken"] == BATCH else 0)


def _ordered(kind: str, weight: AnyWeight) -> AnyWeight:
    assert isinstance(weight, Assembled)
    return weight.blocks(_ORDER[kind]).settled()

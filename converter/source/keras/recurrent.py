"""How Keras makes a recurrent layer, and what its call returns.

Keras' layers take and give ``[batch, time, features]``; the last states are ``[batch, hidden]``,
one of each direction. Kernels are ``[in, gates * hidden]``.
"""

from __future__ import annotations

from typing import Any

from converter.graph.structure.assembled import AnyWeight, Assembled
from converter.graph.structure.layers import Layer
from converter.graph.structure.recurrent import BATCH, TIME
from converter.source.expressions import Text, call
from converter.source.keras.dtypes import WORDS
from converter.source.made import Argument, Made, Output, Returned

_ORDER = {"LSTM": (0, 2, 3, 1), "GRU": (0, 1, 2), "RNN": (0,)}
"""Keras' gates, each by its place in ONNX: input, forget, cell, output; update, reset, new."""


def takes(layer: Layer) -> bool:
    """Tell whether Keras has such a layer: its layers have one level."""
    return layer.config["levels"] == 1


def constructor(layer: Layer) -> Made:
    """Return how Keras makes a recurrent layer, and how its result is taken apart."""
    config = layer.config
    sequence = "sequence" in config["outputs"]
    # The last output is the last state: no more is asked for where one direction gives that alone.
    last = config["outputs"] == [("h", 0)] and config["directions"] == 1
    states = len(config["outputs"]) > sequence and not last
    backwards = config["backwards"]
    arguments = [Argument("units", config["hidden"])]
    given: dict[str, tuple[Any, Any]] = {}
    if layer.kind == "RNN":
        given["activation"] = (config["nonlinearity"], "tanh")
    given["use_bias"] = (config["bias"], True)
    if layer.kind == "GRU":
        given["reset_after"] = (config["reset_after"], True)
    given |= {
        "return_sequences": (sequence, False), "return_state": (states, False),
        "go_backwards": (backwards, False),
    }  # fmt: skip
    arguments += [Argument(name, value, default) for name, (value, default) in given.items()]

    def after(value: Text) -> Text:
        if backwards:
            value = call("ops.flip", value, axis=1)
        return _swapped(value) if config["taken"] == TIME else value

    turned = sequence and (backwards or config["taken"] == TIME)
    class_name = "layers.SimpleRNN" if layer.kind == "RNN" else f"layers.{layer.kind}"
    return Made(
        class_name, arguments, _weights(layer),
        given=None if config["given"] == BATCH else _swapped,
        taken=after if turned and not states else None,
        returned=_returned(layer, after if turned else None) if states else None,
        around=_around(layer),
    )  # fmt: skip


def _swapped(value: Text) -> Text:
    return call("ops.transpose", value, "(1, 0, 2)")


def _around(layer: Layer) -> str:
    if layer.config["directions"] == 1:
        return "{}"
    dtype = WORDS[next(iter(layer.weights.values())).dtype]
    own = "" if dtype == "float32" else f', dtype="{dtype}"'
    return f"layers.Bidirectional({{}}{own})"


def _returned(layer: Layer, after: Any) -> Returned:
    words = ("h", "c") if layer.kind == "LSTM" else ("h",)
    ways = range(layer.config["directions"])
    named = {(word, way): f"{word}_{way + 1}" if len(ways) > 1 else word
             for way in ways for word in words}  # fmt: skip
    outputs = []
    for name in layer.config["outputs"]:
        if name == "sequence":
            outputs.append(Output(("outputs",), after))
        elif isinstance(name, tuple):
            outputs.append(Output((named[name],)))
        else:
            outputs.append(Output(tuple(named[name, way] for way in ways), _stacked))
    return Returned(("outputs", *named.values()), outputs)


def _stacked(*states: Text) -> Text:
    """Return the states as ONNX has them, ``[directions, batch, hidden]``."""
    if len(states) == 1:
        return call("ops.expand_dims", states[0], 0)
    return call("ops.stack", Text(f"[{', '.join(map(str, states))}]", names=_names(states)))


def _names(texts: tuple[Text, ...]) -> frozenset[str]:
    return frozenset().union(*(text.names for text in texts))


def _weights(layer: Layer) -> dict[str, AnyWeight]:
    """Return kernels and biases by the places of Keras' cells."""
    config, found = layer.config, {}
    names = ["weight_ih", "weight_hh", *(["bias_ih", "bias_hh"] if config["bias"] else [])]
    for word, place in (("", "forward_layer."), ("_reverse", "backward_layer.")):
        if f"weight_ih_l0{word}" not in layer.weights:
            continue
        own = f"{place}cell." if config["directions"] == 2 else "cell."
        given = {name: _ordered(layer.kind, layer.weights[f"{name}_l0{word}"]) for name in names}
        found[f"{own}kernel"] = given["weight_ih"].turned((1, 0)).settled()
        found[f"{own}recurrent_kernel"] = given["weight_hh"].turned((1, 0)).settled()
        if config["bias"]:
            both = layer.kind == "GRU" and config["reset_after"]
            join = Assembled.above if both else Assembled.plus
            found[f"{own}bias"] = join(given["bias_ih"], given["bias_hh"]).settled()
    return found


def _ordered(kind: str, weight: AnyWeight) -> Assembled:
    assert isinstance(weight, Assembled)
    return weight.blocks(_ORDER[kind])

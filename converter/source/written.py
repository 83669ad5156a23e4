"""What a writer hands over: the text, and which tensor lies where."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from converter.graph.dropout import KINDS, kind_of
from converter.graph.structure.assembled import AnyWeight
from converter.graph.structure.layers import Layer, recognised_dropout
from converter.graph.structure.recognition import layers_of
from converter.graph.structure.recurrent import RECURRENT, why_not
from converter.graph.structure.scopes import call_of
from converter.graph.structure.weights import weight_of
from converter.rebuild.prepare import plain_domain
from converter.source.classes import Drafted, access, collected


@dataclass
class Written:
    """A module as text, and the tensors that it loads, by their names in the module.

    Attributes:
        text: of the module, formatted.
        root: name of the class that is the model.
        weights: the source's weights, turned, or put together from parts of them.
        fills: what a layer has and the source has not.
        constants: values of the graph that are no weights, and too large to be written.
        places: each weight and constant as an expression of the root's constructor.
        notes: what the module does not do that the source does in training.
    """

    text: str = ""
    root: str = ""
    weights: dict[str, AnyWeight] = field(default_factory=dict)
    fills: dict[str, np.ndarray] = field(default_factory=dict)
    constants: dict[str, ir.Value] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def without_dropout(model: ir.Model, takes: Callable[[Layer], bool]) -> list[str]:
    """Say which dropout of a graph the language has no layer for: it does nothing in the module."""
    notes = []
    for node in model.graph.all_nodes():
        kind = kind_of(node)
        layer = recognised_dropout(node) if kind is not None else None
        if kind is not None and (layer is None or not takes(layer)):
            place = call_of(node) or "the end"
            notes.append(
                f"{KINDS[kind]} at {place}: the target has no such layer, and the written module "
                "does nothing there"
            )
    return notes


def no_layers(model: ir.Model, takes: Callable[[Layer], bool]) -> list[str]:
    """Say which recurrent operators are written out in place of a layer, and why."""
    operators = [node for node in model.graph.all_nodes()
                 if node.op_type in RECURRENT and not plain_domain(node.domain)]  # fmt: skip
    layers = layers_of(model, takes) if operators else {}
    notes = []
    for node in operators:
        if node not in layers:
            place = call_of(node) or node.name
            reason = why_not(node, model) or "the target has none with this equation"
            notes.append(f"{node.op_type} at {place} is written out and no layer: {reason}")
    return notes


def collect(drafted: Drafted) -> Written:
    """Return which tensor lies where; the text is still empty."""
    assert drafted.definition is not None
    written = Written(root=drafted.definition.name)
    _collect(drafted, "", "self", written)
    return written


def _collect(drafted: Drafted, path: str, owner: str, written: Written) -> None:
    collections = collected(drafted.members)
    for member in drafted.members:
        inner = f"{path}{member.path}."
        own = f"{owner}{access(member.path, collections).removeprefix('self')}"
        for name, weight in member.weights.items():
            written.weights[f"{inner}{name}"] = weight
            written.places[f"{inner}{name}"] = f"{own}.{name}"
        written.fills |= {f"{inner}{name}": array for name, array in member.fills.items()}
        if member.drafted is not None:
            _collect(member.drafted, inner, own, written)
    for value, name in drafted.held.items():
        held = weight_of(value)
        if held is not None:
            written.weights[f"{path}{name}"] = held
            written.places[f"{path}{name}"] = f"{owner}.{name}"
        else:
            written.constants[f"{path}{name}"] = value
            written.places[f"{path}{name}"] = f"{owner}.{name}"


def tied(written: Written) -> dict[str, str]:
    """Return the parameters that are another one: name to the first name of the same tensor."""
    first: dict[AnyWeight, str] = {}
    ties = {}
    for name, weight in written.weights.items():
        other = first.setdefault(weight, name)
        if other != name and weight.role == "parameter":
            ties[name] = other
    return ties

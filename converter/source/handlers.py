"""The call of an operator's handler, whose text is written into the module."""

from __future__ import annotations

import keyword
from typing import Any

import onnx_ir as ir

from converter.rebuild.graph_values import attribute_value, element_type, trimmed
from converter.rebuild.prepare import plain_domain, version_of
from converter.rebuild.registry import Handler, Registry
from converter.source.errors import NotWritable
from converter.source.expressions import ATOM, Text, call, combined, number, string
from converter.source.extract import Extraction
from converter.source.view import View


def written_out(view: View, registry: Registry, model: ir.Model, extraction: Extraction) -> Text:
    """Return the call of the function that a node's operator becomes.

    Raises:
        NotWritable: the operator has bodies, or its handler needs what only a run can tell.
    """
    node = view.node
    handler = registry.find(plain_domain(node.domain), node.op_type, version_of(node, model))
    if handler is None:
        raise NotWritable(f"{node.op_type} has no handler in {registry.framework}")
    arguments = [_argument(view, handler, index) for index in range(len(trimmed(node.inputs)))]
    keywords = _keywords(view, handler)
    text = call(extraction.definition(handler.function), *arguments, **keywords)
    if handler.multiple and len(node.outputs) == 1:
        return combined(f"{text}[0]", ATOM, text)
    return text


def _argument(view: View, handler: Handler, index: int) -> Text:
    if view.node.inputs[index] is None:
        return Text("None")
    name, known = handler.input_name(index), view.number(index)
    if name not in handler.host | handler.either:
        return view.tensor(index)
    if known is not None:
        return _nested(view, known, view.is_single(index))
    if name in handler.either:
        return view.tensor(index)
    return view.body.language.on_host(view, index)


def _nested(view: View, value: Any, single: bool) -> Text:
    if not isinstance(value, tuple):
        return view.size(value, single)
    parts = [_nested(view, item, single) for item in value]
    inner = ", ".join(part.text for part in parts)
    return combined(f"({inner},)" if len(parts) == 1 else f"({inner})", 4, *parts)


def _keywords(view: View, handler: Handler) -> dict[str, Any]:
    node, given = view.node, {}
    for name, attribute in node.attributes.items():
        spelled = f"{name}_" if keyword.iskeyword(name) else name
        value = attribute_value(attribute)
        if spelled not in handler.attributes:
            raise NotWritable(f"{name} of {node.op_type} has no place in its handler")
        if not isinstance(value, int | float | str | bool | tuple):
            raise NotWritable(f"{name} of {node.op_type} is no number")
        if handler.defaults.get(spelled, _NOTHING) != value:
            given[spelled] = string(value) if isinstance(value, str) else Text(number(value))
    bound = {
        "n_outputs": str(len(trimmed([v if v.name else None for v in node.outputs]))),
        "device": view.device(),
        "training": "False",
        "output_type": str(element_type(node.outputs[0])),
    }
    return given | {name: bound[name] for name in sorted(handler.bound)}


_NOTHING = object()

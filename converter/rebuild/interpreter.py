"""Walk an ONNX graph once and write it down as straight-line Python that calls the handlers.

The text runs as PyTorch's `forward` and inside a `tf.function` alike. It is code that a person can
read and step through, that `torch.compile` and `torch.export` trace like any other, and that
pickles as text. Each line knows the ONNX node that it came from.
"""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir

from converter.errors import RebuildError
from converter.graph.state import buffers, own_outputs
from converter.naming import free
from converter.rebuild import host
from converter.rebuild.graph_values import (
    attribute_value,
    captured,
    captured_by,
    constant_tensor,
    element_type,
    equal,
    is_literal,
    literal,
    nested,
    product,
    role_of,
    round_floats,
    static_dims,
    trimmed,
    weight_name,
)
from converter.rebuild.host_values import NotOnHost, Unknown
from converter.rebuild.prepare import plain_domain, version_of
from converter.rebuild.program import Origin, Program
from converter.rebuild.registry import Handler, Registry

INDENT = "    "


def write(
    model: ir.Model,
    registry: Registry,
    *,
    border: str,
    weight: Callable[[str], str],
    constant: Callable[[str], str],
    keep: Callable[[str, str], str],
    release: bool,
    training: str = "False",
) -> Program:
    """Write down a prepared graph.

    Args:
        border: name of the framework's module that has ``dims``, ``on_host``, ``as_tensor``,
            ``check_input``, ``before`` and ``device_of``.
        weight: the expression for a weight by its name, e.g. ``self.conv.bias``.
        constant: the expression for a constant by its name.
        keep: the statement that stores an expression's value in a buffer, by the buffer's name.
        release: drop each value after its last use.
        training: the expression that tells whether the module is in training.

    Raises:
        RebuildError: a node has an attribute or an input that its handler does not take.
    """
    writer = _Writer(model, registry, border, weight, constant, keep, release, training)
    writer.write_main()
    return writer.program()


@dataclass
class _Scope:
    """One function being written: which names are defined in it."""

    indent: int
    parent: _Scope | None = None
    names: dict[ir.Value, str] = field(default_factory=dict)
    """Python variable of each value, as a tensor."""
    on_host: dict[ir.Value, str] = field(default_factory=dict)
    """Python variable of each value, as a nested tuple on the host."""

    def find(self, value: ir.Value, table: str) -> str | None:
        scope: _Scope | None = self
        while scope is not None:
            name = getattr(scope, table).get(value)
            if name is not None:
                return name
            scope = scope.parent
        return None


class _Writer:
    def __init__(self, model, registry, border, weight, constant, keep, release, training):
        self.model: ir.Model = model
        self.registry: Registry = registry
        self.weight, self.constant, self.keep = weight, constant, keep
        self.release, self.training = release, training
        self.lines: list[str] = []
        self.origins: dict[int, Origin] = {}
        self.modules = {"border": border, "host": "converter.rebuild.host"}
        self.constants: dict[str, ir.TensorProtocol] = {}
        self.values: dict[str, Any] = {}
        self.weights: dict[str, ir.Value] = {}
        self.abstract: dict[ir.Value, Any] = {}
        """What is known of a value on the host: a nested tuple, `Unknown` for open scalars."""
        self.host_dtype: dict[ir.Value, ir.DataType] = {}
        # What nobody reads is assigned to "_".
        self.reserved = {"self", "getattr", "float", "border", "host", "_", _VALUES, _DEVICE}
        self.used_names = {*keyword.kwlist, *dir(builtins), *self.reserved}
        self.module_path = ""
        self.arguments: tuple[str, ...] = ()
        self.constant_names: dict[ir.Value, str] = {}
        self.hoisted: dict[str, str] = {}
        """Expressions for tensors that a body being written reads, and the variables for them."""

    # -------------------------------------------------------------- the walk

    def program(self) -> Program:
        graph = self.model.graph
        named = {weight_name(v): v for v in graph.initializers.values() if role_of(v)}
        return Program(
            source="\n".join(self.lines) + "\n",
            modules=self.modules,
            constants=self.constants,
            values=self.values,
            weights=named | self.weights,
            origins=self.origins,
            inputs=tuple(v.name or "" for v in self.real_inputs()),
            arguments=self.arguments,
            outputs=tuple(v.name or "" for v in own_outputs(self.model)),
        )

    def real_inputs(self) -> list[ir.Value]:
        return [v for v in self.model.graph.inputs if v.name not in self.model.graph.initializers]

    def write_main(self) -> None:
        scope = _Scope(1)
        arguments = [self.define_input(value, scope) for value in self.real_inputs()]
        self.arguments = tuple(arguments)
        self.lines.append(f"def forward({', '.join(['self', *arguments])}):")
        for value, name in zip(self.real_inputs(), arguments, strict=True):
            dims = static_dims(value)
            if any(dim is not None for dim in dims or ()):
                self.emit(scope, f"border.check_input({name}, {value.name!r}, {dims!r})")
        self.emit(scope, f"{_DEVICE} = border.device_of(self, {', '.join(arguments)})")
        for value in buffers(self.model).values():
            # Everything is computed from what the buffers hold before the call.
            before = self.weight(weight_name(value))
            self.emit(scope, f"{self.define(value, scope)} = border.before({before})")
        self.write_body(self.model.graph, scope)

    def write_body(self, graph: ir.Graph, scope: _Scope) -> None:
        last = self.last_uses(graph) if self.release else {}
        for node in graph:
            self.write_node(node, scope)
            dead = [scope.names[value] for value in last.get(node, ()) if value in scope.names]
            if dead:
                self.emit(scope, f"del {', '.join(dead)}")
        results = [self.tensor(value, scope) for value in graph.outputs]
        if scope.parent is None:
            results = self.keep_state(results, scope)
        if scope.parent is None and len(results) == 1:
            self.emit(scope, f"return {results[0]}")
        else:
            self.emit(scope, f"return ({''.join(f'{name}, ' for name in results).strip()})")

    def keep_state(self, results: list[str], scope: _Scope) -> list[str]:
        """Store the new values of buffers, and return the results that are the model's own."""
        new, own = buffers(self.model), []
        for value, name in zip(self.model.graph.outputs, results, strict=True):
            if value.name in new:
                self.emit(scope, self.keep(weight_name(new[value.name]), name))
            else:
                own.append(name)
        return own

    def last_uses(self, graph: ir.Graph) -> dict[ir.Node, list[ir.Value]]:
        """Map a node to the values that it is the last to use (captured ones stay)."""
        last: dict[ir.Value, ir.Node] = {}
        keep = set(graph.outputs)
        for node in graph:
            for value in (*node.inputs, *node.outputs):
                if value is not None:
                    last[value] = node
            keep |= captured(node)
        released: dict[ir.Node, list[ir.Value]] = {}
        for value, node in last.items():
            producer = value.producer()
            own = producer is not None and producer.graph is graph
            if own and value not in keep and value not in self.abstract:
                released.setdefault(node, []).append(value)
        return released

    def emit(self, scope: _Scope, line: str, node: ir.Node | None = None) -> None:
        self.lines.append(INDENT * scope.indent + line)
        if node is not None:
            properties = node.metadata_props
            self.origins[len(self.lines)] = Origin(
                node=node.name or "",
                op=node.op_type,
                module_path=properties.get("equiport.module_path", ""),
                source_line=properties.get("equiport.source_line", ""),
            )

    # -------------------------------------------------------------- names

    def fresh(self, wish: str) -> str:
        base = unicodedata.normalize("NFKC", re.sub(r"\W", "_", wish)) or "value"
        if base[0].isdigit() or base.startswith("__"):
            base = f"v_{base}"
        name = free(base, self.used_names)
        self.used_names.add(name)
        return name

    def define_input(self, value: ir.Value, scope: _Scope) -> str:
        """Name an argument as the input, if Python can; it may hide a builtin function."""
        name = value.name or ""
        free = name.isidentifier() and not keyword.iskeyword(name) and name not in self.reserved
        if unicodedata.normalize("NFKC", name) != name:  # Python reads it as another name
            free = False
        if not free or name.startswith("__"):
            return self.define(value, scope)
        self.used_names.add(name)
        scope.names[value] = name
        return name

    def define(self, value: ir.Value, scope: _Scope) -> str:
        scope.names[value] = self.fresh(value.name or "value")
        return scope.names[value]

    # -------------------------------------------------------------- values

    def known(self, value: ir.Value) -> Any:
        """Return what is known of a value on the host; `NotOnHost` if it is a tensor."""
        if value not in self.abstract:
            self.abstract[value] = self.constant_on_host(value)
        return self.abstract[value]

    def is_on_host(self, value: ir.Value | None) -> bool:
        if value is None:
            return True
        try:
            self.known(value)
        except NotOnHost:
            self.abstract.pop(value, None)
            return False
        return True

    def constant_on_host(self, value: ir.Value) -> Any:
        tensor = constant_tensor(value)
        if tensor is None or role_of(value) or tensor.dtype not in _HOST_DTYPES:
            raise NotOnHost("not a constant")
        if tensor.size > host.LARGEST or len(tensor.shape) > 2:
            raise NotOnHost("a large constant")
        if 0 in list(tensor.shape)[:-1]:
            raise NotOnHost("nothing, of a shape that a tuple cannot say")
        self.host_dtype[value] = tensor.dtype
        return nested(tensor.numpy().tolist())

    def on_host(self, value: ir.Value, scope: _Scope) -> str:
        """Return the expression for a value on the host."""
        if self.is_on_host(value):
            known = self.known(value)
            if is_literal(known):
                return literal(known)
            name = scope.find(value, "on_host")
            assert name is not None, f"{value.name} is on the host and has no name there"
            return name
        tensor = constant_tensor(value)
        if tensor is not None and not role_of(value) and tensor.dtype in _HOST_DTYPES:
            return literal(nested(tensor.numpy().tolist()))
        return f"border.on_host({self.tensor(value, scope)})"

    def tensor(self, value: ir.Value, scope: _Scope) -> str:
        """Return the expression for a value as a tensor."""
        if name := scope.find(value, "names"):
            return name
        tensor = constant_tensor(value)
        if tensor is not None:
            return self.held(self.stored(value, tensor), scope)
        if not self.is_on_host(value):
            raise RebuildError(
                f"value {value.name!r} is used before it is computed",
                hint="The graph is not in topological order, or an input is missing.",
            )
        known, dtype = self.known(value), self.host_dtype[value]
        if is_literal(known):
            array = np.array(known, dtype=dtype.numpy())
            return self.held(self.stored(value, ir.Tensor(array, name=value.name)), scope)
        name = scope.names[value] = self.fresh(f"{value.name}_tensor")
        text = f"border.as_tensor({self.on_host(value, scope)}, {int(dtype)}, {_DEVICE})"
        self.emit(scope, f"{name} = {text}")
        return name

    def held(self, text: str, scope: _Scope) -> str:
        """Return what a body calls a tensor that the module holds: a variable from outside of it.

        `torch.export` takes what a loop's body captures for an input of the loop, but not what it
        reads off the module.
        """
        if scope.parent is None:
            return text
        if text not in self.hoisted:
            self.hoisted[text] = self.fresh("held")
        return self.hoisted[text]

    def stored(self, value: ir.Value, tensor: ir.TensorProtocol) -> str:
        """Return the expression for a weight or a constant that the module holds."""
        if role_of(value):
            name = weight_name(value)
            self.weights[name] = value
            return self.weight(name)
        if value not in self.constant_names:
            self.constant_names[value] = self.fresh(f"{value.name}_constant")
        name = self.constant_names[value]
        self.constants[name] = tensor
        return self.constant(name)

    # -------------------------------------------------------------- nodes

    def write_node(self, node: ir.Node, scope: _Scope) -> None:
        path = node.metadata_props.get("equiport.module_path", "")
        if node.op_type == "Constant" and constant_tensor(node.outputs[0]) is not None:
            return
        if self.shape_of_tensor(node, scope) or self.host_arithmetic(node, scope):
            return
        if path and path != self.module_path:
            self.module_path = path
            self.emit(scope, f"# {path}")
        handler = self.registry.find(plain_domain(node.domain), node.op_type, self.opset(node))
        if handler is None:
            raise RebuildError(f"{node.op_type} has no handler", node=node.name)
        arguments = [
            self.argument(handler, index, value, node, scope)
            for index, value in enumerate(trimmed(node.inputs))
        ]
        arguments += self.keywords(handler, node, scope)
        call = f"{self.alias(handler)}.{handler.function.__name__}({', '.join(arguments)})"
        self.assign(node, call, handler.multiple, scope)

    def opset(self, node: ir.Node) -> int:
        return version_of(node, self.model)

    def alias(self, handler: Handler) -> str:
        module = handler.function.__module__
        for alias, known in self.modules.items():
            if known == module:
                return alias
        alias = self.fresh(module.rsplit(".", 1)[-1])
        self.modules[alias] = module
        return alias

    def assign(self, node: ir.Node, call: str, multiple: bool, scope: _Scope) -> None:
        outputs = list(trimmed([v if v.name else None for v in node.outputs]))
        names = ["_" if value is None else self.define(value, scope) for value in outputs]
        if not multiple:
            self.emit(scope, f"{names[0] if names else '_'} = {call}", node)
        elif len(names) == 1:
            self.emit(scope, f"{names[0]} = {call}[0]", node)
        else:
            self.emit(scope, f"{', '.join(names)} = {call}[:{len(names)}]", node)

    def argument(self, handler, index, value, node, scope) -> str:
        if value is None:
            return "None"
        try:
            name = handler.input_name(index)
        except IndexError as error:
            raise self.refusal(node, str(error)) from None
        if name in handler.host or (name in handler.either and self.is_on_host(value)):
            return self.on_host(value, scope)
        return self.tensor(value, scope)

    def keywords(self, handler: Handler, node: ir.Node, scope: _Scope) -> list[str]:
        given = {}
        for name, attribute in node.attributes.items():
            spelled = f"{name}_" if keyword.iskeyword(name) else name
            if spelled not in handler.attributes:
                raise self.refusal(node, f"its attribute {name!r} is not supported")
            if attribute.type == ir.AttributeType.GRAPH:
                given[spelled] = self.write_subgraph(attribute.as_graph(), name, scope)
                continue
            value = attribute_value(attribute)
            if not equal(value, handler.defaults.get(spelled, _NOTHING)):
                given[spelled] = self.attribute(value)
        if missing := handler.attributes - set(handler.defaults) - set(given):
            raise self.refusal(node, f"its attribute(s) {', '.join(sorted(missing))} are missing")
        bound = {
            "n_outputs": str(len(trimmed([v if v.name else None for v in node.outputs]))),
            "device": _DEVICE,
            "training": self.training,
            "output_type": str(element_type(node.outputs[0]) if node.outputs else None),
        }
        given |= {name: bound[name] for name in sorted(handler.bound)}
        return [f"{name}={text}" for name, text in given.items()]

    def refusal(self, node: ir.Node, reason: str) -> RebuildError:
        return RebuildError(
            f"{node.op_type}: {reason}",
            node=node.name,
            module_path=node.metadata_props.get("equiport.module_path"),
            source_line=node.metadata_props.get("equiport.source_line"),
        )

    def attribute(self, value: Any) -> str:
        if is_literal(value) or isinstance(value, str):
            return literal(value)
        if isinstance(value, tuple) and all(isinstance(item, str) for item in value):
            return repr(value)
        key = f"attribute_{len(self.values)}"
        self.values[key] = value
        return f"{_VALUES}[{key!r}]"

    def write_subgraph(self, graph: ir.Graph, wish: str, scope: _Scope) -> str:
        name = self.fresh(wish)
        inner = _Scope(scope.indent + 1, scope)
        for value in captured_by(graph):
            # A constant or host value that the body needs as a tensor is made where it is needed;
            # what the outer function computes must have a name before the body is defined.
            if scope.find(value, "names") is None and not self.is_on_host(value):
                self.tensor(value, scope)
        arguments = [self.define(value, inner) for value in graph.inputs]
        outer_lines, outer_origins = self.lines, self.origins
        self.lines, self.origins = [], {}
        self.emit(scope, f"def {name}({', '.join(arguments)}):")
        self.write_body(graph, inner)
        lines, origins = self.lines, self.origins
        self.lines, self.origins = outer_lines, outer_origins
        if scope.parent is None:
            for text, variable in self.hoisted.items():
                self.emit(scope, f"{variable} = {text}")
            self.hoisted = {}
        self.origins |= {number + len(self.lines): origin for number, origin in origins.items()}
        self.lines += lines
        return name

    # -------------------------------------------------------------- shape arithmetic

    def shape_of_tensor(self, node: ir.Node, scope: _Scope) -> bool:
        """Write `Shape` or `Size` of a tensor of known rank as host values; tell whether done."""
        if node.op_type not in ("Shape", "Size") or plain_domain(node.domain):
            return False
        (value,), (output,) = node.inputs, node.outputs
        if value is None or value.shape is None or self.is_on_host(value):
            return False
        dims = tuple(d if isinstance(d, int) else Unknown() for d in value.shape)
        bounds = [node.attributes.get(name) for name in ("start", "end")]
        start, end = (None if bound is None else bound.as_int() for bound in bounds)
        self.host_dtype[output] = ir.DataType.INT64
        if node.op_type == "Shape":
            self.abstract[output] = dims[start:end]
            text = f"border.dims({{}})[{start or ''}:{'' if end is None else end}]"
        else:
            self.abstract[output] = product(dims)
            text = "host._reduce(host._mul, 1)(border.dims({}), keepdims=0)"
        if not is_literal(self.abstract[output]):
            name = scope.on_host[output] = self.fresh(f"{output.name}_dims")
            self.emit(scope, f"{name} = {text.format(self.tensor(value, scope))}", node)
        return True

    def host_arithmetic(self, node: ir.Node, scope: _Scope) -> bool:
        """Write a node as shape arithmetic if all of its inputs are on the host."""
        handler = host.registry.find(plain_domain(node.domain), node.op_type, self.opset(node))
        if handler is None or not all(map(self.is_on_host, node.inputs)) or not node.inputs:
            return False
        attributes = {name: attribute_value(a) for name, a in node.attributes.items()}
        if (
            not set(attributes) <= handler.attributes
            or not set(handler.defaults) | set(attributes) >= handler.attributes
        ):
            return False
        bound = {"n_outputs": len(node.outputs)} if "n_outputs" in handler.bound else {}
        known = [None if value is None else self.known(value) for value in node.inputs]
        dtype = self.result_dtype(node)
        if dtype is None:
            return False
        try:
            results = handler.function(*known, **attributes, **bound)
        except (NotOnHost, ArithmeticError, LookupError):
            # A division by 0 or an index past the end: the framework's own kernel says so.
            return False
        results = results if handler.multiple else (results,)
        arguments = [
            "None" if value is None else self.on_host(value, scope) for value in node.inputs
        ]
        for output, result in zip(node.outputs, results, strict=True):
            if dtype == ir.DataType.FLOAT:
                result = round_floats(result)
            self.abstract[output], self.host_dtype[output] = result, dtype
        if all(map(is_literal, results)):
            return True
        arguments += [f"{name}={self.attribute(value)}" for name, value in attributes.items()]
        arguments += [f"{name}={value}" for name, value in bound.items()]
        for output in node.outputs:
            scope.on_host[output] = self.fresh(f"{output.name}_host")
        names = [scope.on_host[output] for output in node.outputs]
        call = f"host.{handler.function.__name__}({', '.join(arguments)})"
        self.emit(scope, f"{', '.join(names)}{',' * handler.multiple} = {call}", node)
        return True

    def result_dtype(self, node: ir.Node) -> ir.DataType | None:
        """Return the element type of a host result, ``None`` if the host has none for it."""
        op = node.op_type
        if op in ("Shape", "Size"):
            return ir.DataType.INT64
        if op == "Cast":
            dtype = ir.DataType(node.attributes["to"].as_int())
        elif op in _COMPARISONS:
            dtype = ir.DataType.BOOL
        elif op == "ConstantOfShape":
            value = node.attributes.get("value")
            dtype = value.as_tensor().dtype if value else ir.DataType.FLOAT
        else:
            first = node.inputs[1 if op == "Where" else 0]
            dtype = self.host_dtype[first]  # type: ignore[index]
        return dtype if dtype in _HOST_DTYPES else None


_COMPARISONS = frozenset("Equal Less LessOrEqual Greater GreaterOrEqual Not And Or".split())
_HOST_DTYPES = frozenset(
    {
        ir.DataType.INT64,
        ir.DataType.INT32,
        ir.DataType.BOOL,
        ir.DataType.FLOAT,
        ir.DataType.DOUBLE,
    }
)
_NOTHING = object()
_VALUES, _DEVICE = "_values", "_device"
"""What the text calls attribute values without a literal, and where it runs."""

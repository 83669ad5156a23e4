"""Bring a graph to where every node has a handler, or list everything that has none."""

from __future__ import annotations

import onnx_ir as ir
from onnx_ir.passes.common import InlinePass

from converter.errors import RebuildError, UnsupportedOp, UnsupportedOpsError
from converter.graph.shapes import infer_shapes
from converter.rebuild.gradient import close_gradients
from converter.rebuild.legacy import modernise
from converter.rebuild.registry import Registry, schema_versions

DEFAULT_DOMAINS = ("", "ai.onnx")


def prepare(model: ir.Model, registry: Registry) -> ir.Model:
    """Inline functions, replace operators without a handler by their ONNX function body.

    The model is changed in place and returned.

    Raises:
        UnsupportedOpsError: operators are left that have neither; all of them are listed.
    """
    for function in model.functions.values():
        pin_versions(function, model)
    InlinePass()(model)
    close_gradients(modernise(model))
    attempted: set[tuple[str, str]] = set()
    while nodes := [node for node in without_handler(model, registry) if _fresh(node, attempted)]:
        expanded = [expand_by_schema(model, node) for node in nodes]
        attempted |= {
            (node.domain, node.op_type)
            for node, done in zip(nodes, expanded, strict=True)
            if not done
        }
        if any(expanded):
            InlinePass()(model)
            infer_shapes(model)  # bodies inside bodies depend on types
    if missing := without_handler(model, registry):
        raise UnsupportedOpsError(
            [describe(node, version_of(node, model)) for node in missing],
            stage=f"rebuilding in {registry.framework}",
            hint="Replace these operators in the source model, or convert the part without them.",
        )
    return model


def _fresh(node: ir.Node, attempted: set[tuple[str, str]]) -> bool:
    return (node.domain, node.op_type) not in attempted


def opset_of(model: ir.Model, domain: str) -> int:
    """Return the opset version that the model imports for ``domain``.

    Raises:
        RebuildError: the model uses the domain without importing it.
    """
    imports = model.graph.opset_imports
    for name in _spellings(domain):
        if name in imports:
            return imports[name]
    if domain.startswith("equiport"):
        return 1
    raise RebuildError(f"the model uses the domain {domain!r} without importing an opset for it")


def version_of(node: ir.Node, model: ir.Model) -> int:
    """Return the opset version that a node is written in: its function's, else the model's."""
    return opset_of(model, node.domain) if node.version is None else node.version


def pin_versions(function: ir.Function, model: ir.Model) -> None:
    """Let the nodes remember their function's opsets, so that it can be inlined into any model."""
    imports = function.opset_imports
    for node in function.all_nodes():
        domain = next((d for d in _spellings(node.domain) if d in imports), None)
        if node.version is None and domain is not None:
            node.version = imports[domain]
    for domain in imports:
        imports[domain] = model.graph.opset_imports.get(domain, imports[domain])


def _spellings(domain: str) -> tuple[str, ...]:
    return DEFAULT_DOMAINS if domain in DEFAULT_DOMAINS else (domain,)


def plain_domain(domain: str) -> str:
    """Return ``""`` for both spellings of ONNX's default domain."""
    return "" if domain in DEFAULT_DOMAINS else domain


def without_handler(model: ir.Model, registry: Registry) -> list[ir.Node]:
    """Return the nodes, subgraphs included, that no handler takes."""
    return [
        node
        for node in model.graph.all_nodes()
        if not _is_constant(node)
        and registry.find(plain_domain(node.domain), node.op_type, version_of(node, model)) is None
    ]


def _is_constant(node: ir.Node) -> bool:
    return node.op_type == "Constant" and plain_domain(node.domain) == ""


def describe(node: ir.Node, version: int) -> UnsupportedOp:
    """Say which operator is missing where, in the user's names."""
    properties = node.metadata_props
    domain = plain_domain(node.domain)
    return UnsupportedOp(
        op=f"{domain}.{node.op_type}" if domain else node.op_type,
        version=version,
        node=node.name or (node.outputs[0].name if node.outputs else "") or "?",
        module_path=properties.get("equiport.module_path", ""),
        source_line=properties.get("equiport.source_line", ""),
    )


def expand_by_schema(model: ir.Model, node: ir.Node) -> bool:
    """Turn a node into a call of its operator's ONNX function body; tell whether it has one."""
    domain, opset = plain_domain(node.domain), version_of(node, model)
    if not any(since <= opset for since in schema_versions(domain, node.op_type)):
        return False
    body = function_body(node, domain, opset)
    if body is None:
        return False
    function = ir.serde.deserialize_function(body)
    name = f"{node.op_type}_{len(model.functions)}"
    while ("equiport.function", name, "") in model.functions:
        name += "_"
    function.domain, function.name, function.overload = "equiport.function", name, ""
    for key, value in node.metadata_props.items():
        for inner in function.all_nodes():
            inner.metadata_props.setdefault(key, value)
    pin_versions(function, model)
    model.functions[function.identifier()] = function
    model.graph.opset_imports["equiport.function"] = 1
    node.domain, node.op_type, node.overload = "equiport.function", name, ""
    for attribute in list(node.attributes.values()):
        # A body that depends on the node has its subgraphs inside already.
        if attribute.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS):
            del node.attributes[attribute.name]
    return True


def function_body(node: ir.Node, domain: str, opset: int):
    """Return the operator's `onnx.FunctionProto` for ``opset``, or ``None``."""
    body = _schema_body(node, domain, opset)
    if body is not None:
        _drop_outputs_left_out(body, len(node.outputs))
    return body


def _drop_outputs_left_out(body, count: int) -> None:
    """Drop outputs past ``count`` that the body does not compute for a node without them."""
    computed = {name for node in body.node for name in node.output} | set(body.input)
    while len(body.output) > count and body.output[-1] not in computed:
        del body.output[-1]


def _schema_body(node: ir.Node, domain: str, opset: int):
    import onnx
    import onnx.defs

    schema = onnx.defs.get_schema(node.op_type, opset, domain)
    for version in sorted(schema.function_opset_versions, reverse=True):
        if version <= opset:
            body = onnx.FunctionProto()
            body.ParseFromString(schema.get_function_with_opset_version(version))
            return body
    versions = [v for v in schema.context_dependent_function_opset_versions if v <= opset]
    if not versions or any(v is not None and v.type is None for v in node.inputs):
        return None
    proto = ir.serde.serialize_node(node)
    types = [
        b"" if value is None else _type_proto(value).SerializeToString() for value in node.inputs
    ]
    body = onnx.FunctionProto()
    body.ParseFromString(
        schema.get_context_dependent_function_with_opset_version(
            max(versions), proto.SerializeToString(), types
        )
    )
    return body


def _type_proto(value: ir.Value):
    return ir.serde.serialize_value(value).type

"""Which operators, in which of ONNX's versions, a framework's handlers cover."""

from __future__ import annotations

import keyword
from collections.abc import Iterator
from functools import cache

import onnx.defs

from converter.rebuild.registry import Registry

OLDEST = 7
"""Oldest opset of the default domain that is covered whole."""

DONE_ELSEWHERE = {
    ("", "Constant"): "the interpreter holds constants",
    ("ai.onnx.preview.training", "Gradient"): "rewritten before the walk",
}


@cache
def versions() -> dict[tuple[str, str], list[onnx.defs.OpSchema]]:
    """Return every operator's schemas that some opset from `OLDEST` on has, oldest first."""
    found: dict[tuple[str, str], list[onnx.defs.OpSchema]] = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        found.setdefault((schema.domain, schema.name), []).append(schema)
    return {key: list(_reachable(*key, schemas)) for key, schemas in sorted(found.items())}


def _reachable(domain: str, name: str, schemas: list) -> Iterator[onnx.defs.OpSchema]:
    schemas = sorted(schemas, key=lambda schema: schema.since_version)
    following = [schema.since_version for schema in schemas[1:]] + [10**6]
    for schema, end in zip(schemas, following, strict=True):
        # Opset 7 is read as opset 8, see converter.rebuild.legacy.
        if domain or end > OLDEST + 1:
            yield schema


def has_body(schema: onnx.defs.OpSchema) -> bool:
    """Tell whether ONNX gives the operator as a function of others."""
    return schema.has_function or schema.has_context_dependent_function


def gap(registry: Registry, schema: onnx.defs.OpSchema) -> str | None:
    """Return what a registry lacks for one version of an operator, ``None`` for nothing."""
    if (schema.domain, schema.name) in DONE_ELSEWHERE:
        return None
    handler = registry.find(schema.domain, schema.name, schema.since_version)
    if handler is None:
        if has_body(schema) or (schema.deprecated and not schema.attributes):
            return None
        return "no handler and no function body"
    attributes = {f"{a}_" if keyword.iskeyword(a) else a for a in schema.attributes}
    if unknown := attributes - handler.attributes:
        return f"attributes {sorted(unknown)} are not taken"
    required = {name for name, attribute in schema.attributes.items() if attribute.required}
    optional = handler.attributes - set(handler.defaults) - required
    if optional - ASKED_FOR.get((schema.domain, schema.name), frozenset()):
        return f"attributes {sorted(optional)} are required, but not by ONNX"
    if not handler.variadic and len(schema.inputs) > len(handler.inputs):
        return f"takes {len(handler.inputs)} of {len(schema.inputs)} inputs"
    return None


_TREE_NODES = {
    "nodes_falsenodeids",
    "nodes_featureids",
    "nodes_modes",
    "nodes_nodeids",
    "nodes_treeids",
    "nodes_truenodeids",
}
ASKED_FOR = {
    ("ai.onnx.ml", "CategoryMapper"): frozenset({"cats_int64s", "cats_strings"}),
    ("ai.onnx.ml", "LabelEncoder"): frozenset({"classes_strings"}),
    ("ai.onnx.ml", "LinearRegressor"): frozenset({"coefficients"}),
    ("ai.onnx.ml", "SVMClassifier"): frozenset({"coefficients", "rho"}),
    ("ai.onnx.ml", "SVMRegressor"): frozenset({"coefficients", "rho"}),
    ("ai.onnx.ml", "TreeEnsemble"): frozenset({"n_targets"}),
    ("ai.onnx.ml", "TreeEnsembleClassifier"): frozenset(
        _TREE_NODES | {"class_ids", "class_nodeids", "class_treeids"}
    ),
    ("ai.onnx.ml", "TreeEnsembleRegressor"): frozenset(
        _TREE_NODES | {"n_targets", "target_ids", "target_nodeids", "target_treeids"}
    ),
}
"""Attributes that ONNX calls optional and without which the operator means nothing."""

"""Where each node comes from, in the user's names, without paths of this machine."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import onnx_ir as ir

from converter.graph.dropout import KIND as DROPOUT
from converter.graph.structure.scopes import CLASSES
from converter.trace.pytorch.dropout import KINDS as DROPOUT_KINDS

_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+), in ')
_PREFIX = "pkg.torch"


def record_provenance(model: ir.Model, *, keep_paths: bool) -> None:
    """Replace the exporter's metadata by module path, module class and source line."""
    kinds: dict[str, str] = {}
    for node in model.graph.all_nodes():
        properties = node.metadata_props
        scopes = _listed(properties.get("pkg.torch.onnx.name_scopes"))
        classes = _listed(properties.get("pkg.torch.onnx.class_hierarchy"))
        kinds |= dict(zip(scopes[:-1], classes[:-1], strict=False))
        own = _NO_MODULE not in properties.get("pkg.torch.onnx.name_scopes", "")
        trace = properties.get("pkg.torch.onnx.stack_trace", "") if own else ""
        line = source_line(trace, keep_paths)
        for key in [key for key in properties if key.startswith(_PREFIX) or key == "namespace"]:
            del properties[key]
        if node.op_type == "Dropout" and classes and classes[-1] in DROPOUT_KINDS:
            properties[DROPOUT] = DROPOUT_KINDS[classes[-1]]
        if len(scopes) > 1 and scopes[-2]:
            properties["equiport.module_path"] = scopes[-2]
        if len(classes) > 1:
            properties["equiport.module_class"] = classes[-2]
        if line:
            properties["equiport.source_line"] = line
    model.graph.metadata_props[CLASSES] = json.dumps(kinds, sort_keys=True)
    for holder in (model, model.graph):
        for key in [key for key in holder.metadata_props if key.startswith(_PREFIX)]:
            del holder.metadata_props[key]
    for value in (*model.graph.inputs, *model.graph.outputs, *model.graph.initializers.values()):
        for key in [key for key in value.metadata_props if key.startswith(_PREFIX)]:
            del value.metadata_props[key]


_NO_MODULE = "_empty_nn_module_stack"
"""What `torch.export` says of nodes that it added itself."""


def _listed(text: str | None) -> list[str]:
    items = ast.literal_eval(text) if text else []
    return [item for item in items if not item.startswith(_NO_MODULE)]


def source_line(stack_trace: str, keep_paths: bool) -> str:
    """Return ``file.py:12`` of the innermost frame outside torch itself."""
    frames = list(_FRAME.finditer(stack_trace))
    own = [
        frame for frame in frames if not re.search(r"/(site|dist)-packages/torch/", frame["file"])
    ]
    if not own:
        return ""
    frame = own[-1]
    return f"{frame['file'] if keep_paths else relative(frame['file'])}:{frame['line']}"


def relative(file: str) -> str:
    """Return a path without what only this machine has before it."""
    if packages := re.search(r"/(site|dist)-packages/(.+)$", file):
        return packages[2]
    path = Path(file)
    try:
        return path.relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.name

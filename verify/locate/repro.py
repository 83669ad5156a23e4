"""The smallest thing that shows the error: one node, its inputs, what it should give, a script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import torch

from converter.errors import OutputError
from converter.rebuild.graph_values import constant_tensor
from converter.rebuild.pytorch.dtypes import to_numpy
from verify.locate.kernels import read_values
from verify.locate.origin import Findings
from verify.locate.recording import Recording

SCRIPT = '''"""{title}"""

import numpy as np
import onnxruntime

inputs, expected = np.load("inputs.npz"), np.load("expected.npz")
session = onnxruntime.InferenceSession("model.onnx")
results = session.run(None, {{value.name: inputs[value.name] for value in session.get_inputs()}})
for output, got in zip(session.get_outputs(), results):
    right = expected[output.name]
    print(f"{{output.name}}: expected {{right.ravel()[:4]}}, got {{got.ravel()[:4]}}")
    same = right.shape == got.shape
    print("largest difference:", np.abs(right - got).max(initial=0) if same else "another shape")
'''


def write(
    folder: Path, recording: Recording, node: ir.Node, graph: ir.Model,
    faulty: tuple[ir.Model, ir.Node, dict[str, Any]] | None = None,
) -> Path:  # fmt: skip
    """Write a node as a model of its own, with what it reads and what it should give.

    Args:
        folder: made if need be; ``model.onnx``, ``inputs.npz``, ``expected.npz`` and ``repro.py``
            in it are written over.
        recording: the reference's values, float64, from which the inputs and results are taken.
        node: the node of the recording's graph at which the error begins.
        graph: the graph that was recorded, in its own types.
        faulty: b's graph, its counterpart of the node, and what that reads, by value name, where
            it has one: then ``model.onnx`` is that, and shows the error; else it is the node of a,
            right by itself.

    Raises:
        OutputError: the folder cannot be written.
    """
    index = next(i for i, item in enumerate(recording.wide.nodes) if item is node)
    mine = _computing(graph)[index]
    model, shown = (graph, mine) if faulty is None else faulty[:2]
    inputs = _read(recording, node, graph) if faulty is None else faulty[2]
    expected = {
        theirs.name or "": _narrow(recording.table.values[recording.numbers[own]], value)
        for own, value, theirs in zip(node.outputs, mine.outputs, shown.outputs, strict=False)
        if theirs.name and own in recording.numbers
    }
    single = extracted(model, shown, inputs)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        ir.save(single, folder / "model.onnx")
        np.savez(folder / "inputs.npz", **inputs)  # type: ignore[arg-type]
        np.savez(folder / "expected.npz", **expected)  # type: ignore[arg-type]
        (folder / "repro.py").write_text(SCRIPT.format(title=_title(node, faulty is not None)))
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror}") from error
    return folder


def of_counterpart(
    findings: Findings, node: ir.Node, graph_b: ir.Model
) -> tuple[ir.Model, ir.Node, dict[str, np.ndarray]] | None:
    """Return b's graph, its counterpart of an origin, and what that reads on a's own values."""
    state, value = findings.second or findings.first, findings.counterparts.get(node)
    other = value.producer() if value is not None else None
    theirs = _computing(graph_b)
    if other is None or len(theirs) != len(state.wide.nodes):
        return None
    shown = theirs[next(i for i, item in enumerate(state.wide.nodes) if item is other)]
    inputs = {}
    for wide, own in zip(read_values(other), read_values(shown), strict=True):
        if wide is None or own is None or constant_tensor(own) is not None:
            continue
        number = state.items[wide].number
        if number is None:
            return None
        inputs[own.name or ""] = _narrow(state.table.values[number], own)
    return graph_b, shown, inputs


def _title(node: ir.Node, shows: bool) -> str:
    where = node.metadata_props.get("equiport.module_path") or node.metadata_props.get(
        "equiport.source_line", ""
    )
    name = f"{node.op_type} {node.name}" + (f" of {where}" if where else "")
    if shows:
        return f"What b has for {name}, on the reference's own inputs."
    return f"{name} as a has it, on its own inputs; b has nothing like it."


def _computing(model: ir.Model) -> list[ir.Node]:
    return [n for n in model.graph if constant_tensor(n.outputs[0]) is None]


def _read(recording: Recording, node: ir.Node, graph: ir.Model) -> dict[str, np.ndarray]:
    """Return what a node of the recording reads, in the graph's own types."""
    types = {v.name: v for n in graph.graph for v in n.outputs}
    types |= {value.name: value for value in graph.graph.inputs}
    result = {}
    for value in read_values(node):
        if value is not None and constant_tensor(value) is None and value in recording.numbers:
            wide = recording.table.values[recording.numbers[value]]
            result[value.name or ""] = _narrow(wide, types[value.name])
    return result


def _narrow(value: Any, own: ir.Value) -> np.ndarray:
    return _cast(value, own.dtype if isinstance(own.type, ir.TensorType) else None)


def _cast(value: Any, dtype: ir.DataType | None) -> np.ndarray:
    array = to_numpy(value)
    if dtype is None and isinstance(value, torch.Tensor) and value.is_floating_point():
        return array.astype(np.float32)
    return array if dtype is None or array.dtype == object else array.astype(dtype.numpy())


def extracted(model: ir.Model, node: ir.Node, inputs: dict[str, np.ndarray]) -> ir.Model:
    """Return a model of one node: ``inputs`` are its inputs, constants its initializers."""
    import onnx

    read = [value for value in read_values(node) if value is not None]
    constants = []
    for value in dict.fromkeys(read):
        tensor = constant_tensor(value)
        if tensor is not None:
            proto = ir.serde.serialize_tensor(tensor)
            proto.name = value.name or ""
            constants.append(proto)
    declared = [
        onnx.helper.make_tensor_value_info(
            name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), list(array.shape)
        )
        for name, array in inputs.items()
    ]
    outputs = [ir.serde.serialize_value(v) for v in node.outputs if v.name]
    graph = onnx.helper.make_graph(
        [ir.serde.serialize_node(node)], "repro", declared, outputs, constants
    )
    opsets = [onnx.helper.make_opsetid(*item) for item in model.graph.opset_imports.items()]
    version = min(model.ir_version, 10)
    return ir.from_proto(onnx.helper.make_model(graph, opset_imports=opsets, ir_version=version))

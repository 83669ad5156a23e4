"""TorchScript as an exported program; where it has loops of its own, as an ONNX graph at once.

PyTorch's converter from TorchScript takes no loop whose length or condition is known only when it
runs. `torch.onnx`'s translation of TorchScript writes those down as ONNX loops.
"""

from __future__ import annotations

import copy
import io
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import Any

import onnx_ir as ir
import torch

from converter.errors import TraceError
from converter.formats.torch_signature import numbers_as_declared
from converter.signature import Signature
from converter.trace.pytorch.examples import example_sizes, make, open_dims
from converter.trace.pytorch.open_sizes import Exported
from converter.trace.pytorch.weights import bind_saved

OPSET = 20
"""The newest opset that `torch.onnx` writes for TorchScript."""


class LoopError(Exception):
    """The script has a loop that PyTorch's converter does not take."""


def export_script(
    model: torch.jit.ScriptModule, signature: Signature, given: Mapping[str, torch.Tensor] | None
) -> Exported:
    """Turn TorchScript into an exported program, then export that with its dynamic dimensions.

    Raises:
        LoopError: see `trace_loops`.
        Exception: whatever PyTorch raises.
    """
    from torch._export.converter import TS2EPConverter

    tensors = _examples(signature, given)
    try:
        fixed = TS2EPConverter(model, tensors).convert().module()
    except Exception as error:
        if _is_loop(error):
            raise LoopError from error
        raise
    restore_weights(fixed, model)
    dims = open_dims(signature)
    shapes = tuple(
        {axis: dims[dim] for axis, dim in enumerate(spec.shape or ()) if isinstance(dim, str)}
        or None
        for spec in signature.inputs
    )
    program = torch.export.export(fixed, tensors, dynamic_shapes=shapes, strict=False)
    return Exported(program, tuple(spec.name for spec in signature.inputs), signature)


def _examples(
    signature: Signature, given: Mapping[str, torch.Tensor] | None
) -> tuple[torch.Tensor, ...]:
    sizes = example_sizes(signature)
    tensors = []
    for spec in signature.inputs:
        tensor = (given or {}).get(spec.name)
        tensors.append(make(spec, sizes) if tensor is None else tensor)
    return tuple(tensors)


def _is_loop(error: BaseException | None) -> bool:
    while error is not None:
        if "prim::Loop" in str(error):
            return True
        error = error.__cause__
    return False


def restore_weights(fixed: torch.nn.Module, model: torch.jit.ScriptModule) -> None:
    """Give a module the script's weights, in its order: parameters, and those that nothing reads.

    PyTorch's converter makes buffers of parameters, and leaves out what ``forward`` does not read
    (the counter of batch normalisation).
    """
    trainable = {name: item.requires_grad for name, item in model.named_parameters()}
    persistent = model.state_dict()
    held = dict(fixed.named_parameters()) | dict(fixed.named_buffers())
    for name in persistent:
        owner, leaf = _owner(fixed, name)
        owner._parameters.pop(leaf, None)
        owner._buffers.pop(leaf, None)
        tensor = held.get(name, persistent[name]).detach()
        if name in trainable:
            owner.register_parameter(leaf, torch.nn.Parameter(tensor, trainable[name]))
        else:
            owner.register_buffer(leaf, tensor)


def _owner(module: torch.nn.Module, name: str) -> tuple[torch.nn.Module, str]:
    """Return the submodule that holds a weight, made where it is missing, and the weight's leaf."""
    *path, leaf = name.split(".")
    for part in path:
        if part not in module._modules:
            module.add_module(part, torch.nn.Module())
        module = module._modules[part]  # type: ignore[assignment]
    return module, leaf


def trace_loops(
    model: torch.jit.ScriptModule, signature: Signature, given: Mapping[str, torch.Tensor] | None
) -> ir.Model:
    """Return the graph of a script with loops, its weights by reference.

    Raises:
        TraceError: it has something that `torch.onnx` does not translate, or it keeps something in
            its buffers between calls, which that translation would lose.
    """
    import onnx

    tensors = _examples(signature, given)
    refuse_state(model, tensors)
    file = io.BytesIO()
    try:
        with redirect_stdout(io.StringIO()):  # it prints its graph where it gives up
            torch.onnx.export(
                model,
                tensors,
                file,  # type: ignore[arg-type]
                dynamo=False,
                opset_version=OPSET,
                input_names=[spec.name for spec in signature.inputs],
                dynamic_axes=_open_axes(signature),
                do_constant_folding=False,
                keep_initializers_as_inputs=False,
            )
    except Exception as error:
        first = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
        raise TraceError(
            f"the TorchScript has a loop, and torch.onnx does not translate it: {first[:400]}",
            hint="Convert the nn.Module that it was made of, or write the loop without lists.",
        ) from error
    proto = onnx.load_from_string(file.getvalue())
    own_results(proto.graph)
    graph = ir.serde.deserialize_model(proto)
    for index, value in enumerate(graph.graph.outputs):
        value.name = "output" if len(graph.graph.outputs) == 1 else f"output_{index}"
    bind_saved(graph, model.state_dict(keep_vars=True))
    graph.producer_name, graph.producer_version = "equiport", None
    return graph


def own_results(graph: Any) -> None:
    """Let bodies return values of their own: an outer one needs a node; in place."""
    for node in graph.node:
        for attribute in node.attribute:
            if not attribute.HasField("g"):
                continue
            body = attribute.g
            own = {name for inner in body.node for name in inner.output}
            own |= {value.name for value in (*body.input, *body.initializer)}
            for output in body.output:
                if output.name not in own:
                    name = f"{output.name}_returned"
                    body.node.add(op_type="Identity", input=[output.name], output=[name])
                    output.name = name
            own_results(body)


def _open_axes(signature: Signature) -> dict[str, dict[int, str]]:
    return {
        spec.name: {axis: dim for axis, dim in enumerate(spec.shape or ()) if isinstance(dim, str)}
        for spec in signature.inputs
    }


def refuse_state(model: torch.jit.ScriptModule, tensors: tuple[torch.Tensor, ...]) -> None:
    """Refuse a script that changes its buffers, by their names: it is run on a copy.

    Raises:
        TraceError: names them.
    """
    trial = copy.deepcopy(model)
    before = {name: buffer.clone() for name, buffer in trial.named_buffers()}
    with torch.no_grad():
        trial(*numbers_as_declared(model, tensors))
    changed = [n for n, buffer in trial.named_buffers() if not torch.equal(buffer, before[n])]
    if changed:
        raise TraceError(
            f"the TorchScript changes {', '.join(changed)} in each call and has a loop: what it "
            "keeps would be lost",
            hint="Convert the nn.Module that it was made of.",
        )

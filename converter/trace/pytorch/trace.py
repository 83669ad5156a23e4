"""Trace a PyTorch model to ONNX: live weights, their names, and where each node comes from."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import onnx_ir as ir
import torch

from converter.errors import ConversionError, EquiportError, UsageError
from converter.formats import Source
from converter.formats.torch_call import as_called
from converter.formats.torch_signature import output_names
from converter.formats.torch_words import words_of
from converter.graph.clean import clean
from converter.signature import Signature
from converter.trace.pytorch import eager_attention, state, torchscript
from converter.trace.pytorch.causes import as_trace_error
from converter.trace.pytorch.distributions import without_checks
from converter.trace.pytorch.examples import tried_inputs
from converter.trace.pytorch.open_sizes import (
    Exported,
    export_open,
    found_while_translated,
    guards_before,
)
from converter.trace.pytorch.orders import declare_orders
from converter.trace.pytorch.provenance import record_provenance
from converter.trace.pytorch.quantized import refuse_quantized
from converter.trace.pytorch.recurrent import whole_layers
from converter.trace.pytorch.splitting import open_splits
from converter.trace.pytorch.translate import to_onnx
from converter.trace.pytorch.weights import bind_weights
from converter.trace.told import tell


def trace(
    source: Source,
    signature: Signature | None = None,
    *,
    given: Mapping[str, torch.Tensor] | None = None,
    keep_paths: bool = False,
    trained: bool = False,
) -> ir.Model:
    """Trace a live module, an exported program or a TorchScript module.

    Args:
        source: what `converter.formats` loaded, or a live `nn.Module`.
        signature: the inputs; dynamic dimensions are words. An exported program brings its own,
            and a module that Equiport wrote has it in its record.
        given: example tensors by input name, instead of made ones.
        keep_paths: keep absolute paths in the nodes' provenance.
        trained: a live module is looked at in training, too, for what it drops there.

    Returns:
        A graph whose initializers are the live parameters and buffers, under their names.

    Raises:
        TraceError: the model cannot be expressed; says where in the user's code.
        InputSpecError: the declared inputs do not fit the model.
    """
    own = source.record.signature if source.record else None
    if signature is None and isinstance(source.model, torch.nn.Module):
        signature = own  # a written module has its record beside it
    with quiet():
        try:
            exported, onnx_program, changed = with_any_attention(
                source, signature, given, keep_paths, trained
            )
        except torchscript.LoopError:
            assert signature is not None
            with evaluating(source.model):
                return clean(torchscript.trace_loops(source.model, signature, given))
    program, names = exported.program, exported.names
    if not names:
        specs = own.inputs if own else ()
        names = tuple(s.name for s in specs) or tuple(program.graph_signature.user_inputs)
    model = onnx_program.model
    bind_weights(model, program, frozenset(changed))
    declare_orders(model, program)
    name_inputs(model, names, exported.signature if signature else own)
    wanted = [s.name for s in own.outputs] if own else output_names(program)
    new_values = state.output_names(changed, {*wanted, *names, *model.graph.initializers})
    name_outputs(model, [*wanted, *new_values])
    state.declare(model, changed, new_values)
    record_provenance(model, keep_paths=keep_paths)
    model.producer_name, model.producer_version = "equiport", None
    tell(model, exported.notes, exported.signature)
    return clean(model)


Translated = tuple[Exported, Any, Any]
"""The exported program, `torch.onnx`'s program, and the buffers that each call changes."""


def with_any_attention(
    source: Source, signature: Signature | None, given: Any, keep_paths: bool, trained: bool
) -> Translated:
    """Export and translate; a model of transformers with its plain attention if need be."""
    try:
        return translated(source, signature, given, keep_paths, trained)
    except ConversionError as error:
        module = isinstance(source.model, torch.nn.Module)
        kinds = eager_attention.chosen(source.model) if module else []
        if not kinds:
            raise
        refusal = error
    try:
        with eager_attention.plain_attention(source.model):
            result = translated(source, signature, given, keep_paths, trained)
    except ConversionError:
        raise refusal from None
    result[0].notes.append(eager_attention.note(kinds, refusal))
    return result


def translated(
    source: Source, signature: Signature | None, given: Any, keep_paths: bool, trained: bool
) -> Translated:
    """Export, and translate what comes out to ONNX."""
    exported = export(source, signature, given)
    if trained and source.kind == "module" and signature is not None:
        from converter.trace.pytorch.modes import take_rates  # it exports as this file does

        take_rates(exported.program, source.model, signature, given)
    before = guards_before(exported)
    try:
        with whole_layers(), state.new_values_as_outputs() as changed:
            onnx_program = to_onnx(exported.program, keep_paths=keep_paths)
        return found_while_translated(exported, before), onnx_program, changed
    except EquiportError:
        raise
    except Exception as error:
        raise as_trace_error(error, module_of(source)) from error


def module_of(source: Source) -> torch.nn.Module | None:
    """Return the live module of a source that is one."""
    return source.model if isinstance(source.model, torch.nn.Module) else None


@contextmanager
def quiet() -> Iterator[None]:
    """Capture what the exporters write to warnings and logs."""
    names = ("torch", "torch.onnx", "torch.export", "torch._subclasses.fake_tensor", "onnxscript")
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


@contextmanager
def evaluating(module: torch.nn.Module) -> Iterator[None]:
    """Put a module into evaluation mode, and its parts back into theirs afterwards."""
    modes = [child for child in module.modules() if getattr(child, "training", False)]
    for child in modes:
        child.training = False
    try:
        yield
    finally:
        for child in modes:
            child.training = True


@contextmanager
def exportable(called: torch.nn.Module) -> Iterator[None]:
    """Let `torch.export` take what it refuses by itself; the module's mode is left as it is."""
    with (
        whole_layers(),
        without_checks(),
        open_splits(),
        torch.no_grad(),
        state.assigned_in_place(called),
    ):
        yield


def export(
    source: Source, signature: Signature | None, given: Mapping[str, torch.Tensor] | None
) -> Exported:
    """Return the exported program; one that was exported before does not name its inputs."""
    model = source.model
    if isinstance(model, torch.export.ExportedProgram):
        return Exported(model, (), signature or Signature())
    if signature is None or not signature.inputs:
        raise UsageError(
            "a PyTorch module does not say what its inputs look like",
            hint='Describe them with --input "name:dtype[dims]" (inputs= in Python), for example '
            '--input "x:float32[batch,3,224,224]".',
        )
    refuse_quantized(model)
    try:
        if isinstance(model, torch.jit.ScriptModule):
            with evaluating(model):
                return torchscript.export_script(model, signature, given)
        called, notes = as_called(model)
        with exportable(called), evaluating(called):
            exported = export_open(called, signature, given)
            exported.notes[:0] = notes
            return exported
    except (EquiportError, torchscript.LoopError):
        raise
    except Exception as error:
        tried = ", ".join(map(str, tried_inputs(signature, given)))
        raise as_trace_error(error, model, tried) from error


def name_inputs(model: ir.Model, names: tuple[str, ...], signature: Signature | None) -> None:
    """Give inputs the source's names and dynamic dimensions the user's words."""
    inputs = [v for v in model.graph.inputs if v.name not in model.graph.initializers]
    shapes = [
        [str(dim.value) if isinstance(dim, ir.SymbolicDim) else dim for dim in value.shape or ()]
        for value in inputs
    ]
    own = words_of(zip(names, shapes, strict=True))
    words: dict[str, str] = {}
    for value, name in zip(inputs, names, strict=True):
        value.name = name
        spec = next((s for s in signature.inputs if s.name == name), None) if signature else None
        dims: list[int | str | None] = []
        for axis, dim in enumerate(value.shape or ()):
            wish = spec.shape[axis] if spec and spec.shape else None
            if not isinstance(dim, ir.SymbolicDim) or dim.value is None:
                dims.append(dim if isinstance(dim, int) else None)
                continue
            symbol = str(dim.value)
            name_of = wish if isinstance(wish, str) else own.get(symbol, symbol)
            dims.append(name_of)
            if symbol.isidentifier():  # "s77 + 1" follows from its symbol
                words.setdefault(symbol, name_of if name_of.isidentifier() else f"({name_of})")
        if value.shape is not None:
            value.shape = ir.Shape(dims)
    rename_dims(model, words)


def rename_dims(model: ir.Model, words: Mapping[str, str]) -> None:
    """Rename symbolic dimensions everywhere, inside expressions such as ``s77 + 1`` too."""
    if not words:
        return
    pattern = re.compile(r"\b(" + "|".join(map(re.escape, words)) + r")\b")
    values = [*model.graph.inputs]
    for node in model.graph.all_nodes():
        values.extend(node.outputs)
    for value in values:
        if value.shape is None:
            continue
        value.shape = ir.Shape(
            [
                dim
                if isinstance(dim, int) or dim.value is None
                else pattern.sub(lambda match: words[match[0]], str(dim.value))
                for dim in value.shape
            ]
        )


def name_outputs(model: ir.Model, names: list[str]) -> None:
    """Rename the graph's outputs; an output that is an input or a weight gets a node of its own."""
    taken = {value.name for value in (*model.graph.inputs, *model.graph.initializers.values())}
    seen: set[ir.Value] = set()
    for index, (value, name) in enumerate(zip(list(model.graph.outputs), names, strict=True)):
        if value.producer() is None or value in seen:
            node = ir.node("Identity", [value])
            model.graph.append(node)
            copy = node.outputs[0]
            copy.type, copy.shape = value.type, value.shape
            model.graph.outputs[index] = value = copy
        seen.add(value)
        name = f"{name}_output" if name in taken else name
        clash = next((v for n in model.graph for v in n.outputs if v.name == name), None)
        if clash is not None and clash is not value:
            clash.name = f"{name}_inner"
        value.name = name

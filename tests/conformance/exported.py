"""Second runs in PyTorch: each case through `torch.export`.

Three outcomes: exported with every input live; exported with the inputs fixed that decide shapes,
axes or ways (`torch.export` needs them at export time, as PyTorch needs them in Python); not
expressible, for which `EXPORT_FAILURES` gives the reason.
"""

from __future__ import annotations

import logging
import re
import warnings
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import torch

from converter.onnx_backend import PyTorchRep, _element_type, _inward, _results
from converter.rebuild.pytorch.dtypes import from_numpy, to_numpy
from tests.conformance.suite import Case, load

EXPORT_FAILURES = (
    (r".*(string|strnorm|regex|label_encoder).*", "PyTorch has no strings"),
    (r"test_image_decoder_.*", "images are decoded on the host"),
    (r"test_range_.*_expanded", "a loop whose trip count is computed from data"),
    (r"test_affine_grid_.*_align_corners_expanded", "a branch that is chosen by computed data"),
)


def reason_not_exported(name: str) -> str | None:
    """Return why a case cannot go through `torch.export`, ``None`` if it has to."""
    for pattern, reason in EXPORT_FAILURES:
        if re.fullmatch(pattern, name):
            return reason
    return None


def run(case: Case) -> tuple[list[tuple[Any, Any]], list[str]]:
    """Export a case and run it; return pairs to compare and the names of the inputs fixed."""
    model, data = load(case)
    pairs: list[tuple[Any, Any]] = []
    fixed: list[str] = []
    with quiet():
        for inputs, expected in data:
            results, fixed = run_exported(model, inputs)
            pairs += zip(results, expected, strict=True)
    return pairs, fixed


def run_exported(model: onnx.ModelProto, inputs: list) -> tuple[tuple, list[str]]:
    """Export with all inputs live or, where that fails, with those read on the host fixed."""
    rep = PyTorchRep(ir.serde.deserialize_model(model))
    try:
        return _export(rep, inputs), []
    except (RuntimeError, TypeError, ValueError):
        names = read_on_host(rep)
        if not names:
            raise
    values = dict(zip([v.name for v in rep.inputs], inputs, strict=False))
    rep = PyTorchRep(with_fixed(ir.serde.deserialize_model(model), {n: values[n] for n in names}))
    return _export(rep, [values[v.name] for v in rep.inputs if v.name in values]), names


def _export(rep: PyTorchRep, inputs: list) -> tuple:
    tensors = tuple(
        _inward(value, _element_type(spec.type), from_numpy)
        for value, spec in zip(inputs, rep.inputs, strict=False)
    )
    with torch.no_grad():
        program = torch.export.export(rep.module, tensors, strict=False)
        return _results(program.module()(*tensors), rep.model, to_numpy)


def read_on_host(rep: PyTorchRep) -> list[str]:
    """Return the graph inputs that the written-down program turns into Python numbers."""
    source = rep.module.code.source
    arguments = re.match(r"def forward\(self, (.*)\):", source)
    spelled = arguments[1].split(", ") if arguments else []
    names = [value.name for value in rep.inputs]
    decide = r"(?:border\.on_host\({0}\)|controlflow\.(?:if_|loop)\((?:[^,()]*, )?{0}\b)"
    return [
        name
        for name, text in zip(names, spelled, strict=True)
        if re.search(decide.format(re.escape(text)), source)
    ]


def with_fixed(model: ir.Model, values: dict[str, np.ndarray]) -> ir.Model:
    """Turn inputs into constants, in place."""
    graph = model.graph
    for value in [value for value in graph.inputs if value.name in values]:
        graph.inputs.remove(value)
        value.const_value = ir.tensor(np.asarray(values[value.name]), name=value.name)
        graph.register_initializer(value)
    return model


@contextmanager
def quiet():
    """Silence what `torch.export` says about each guard."""
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)

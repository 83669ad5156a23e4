"""Weights of an ONNX graph that lie in files beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx_ir as ir

from converter.errors import UnreadableModelError, UntrustedModelError


def external_tensors(model: ir.Model) -> Iterator[ir.ExternalTensor]:
    """Yield the tensors that lie in other files: initializers, and attributes of nodes."""
    for graph in model.graphs():
        for value in graph.initializers.values():
            if isinstance(value.const_value, ir.ExternalTensor):
                yield value.const_value
        for node in graph:
            for attribute in node.attributes.values():
                if isinstance(attribute.value, ir.ExternalTensor):
                    yield attribute.value


def check_external_data(model: ir.Model, path: Path) -> None:
    """Check that each data file lies in the graph's folder, and is as long as the graph says.

    Raises:
        UntrustedModelError: the graph names a file elsewhere.
        UnreadableModelError: a file is missing or too short.
    """
    folder = path.absolute().parent
    for tensor in external_tensors(model):
        location = str(tensor.location)
        file = folder / location
        if not file.resolve().is_relative_to(folder.resolve()):
            raise UntrustedModelError(
                f"{path} takes weights from {location}, outside of its folder",
                hint="Put the data file beside the graph and save it again with a plain file name.",
            )
        if not file.is_file():
            raise UnreadableModelError(
                f"{path} needs the data file {location}, which is not there",
                hint=f"Put it beside {path.name}: ONNX keeps large weights in a file of their own.",
            )
        end = (tensor.offset or 0) + (tensor.length or tensor.nbytes)
        if file.stat().st_size < end:
            raise UnreadableModelError(
                f"the data file {location} of {path} is truncated: "
                f"{file.stat().st_size} of at least {end} bytes",
                hint="Copy or download it again.",
            )

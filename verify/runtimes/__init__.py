"""Runtimes: one small file per way to run a model.

Each file has the same face::

    def open(source, device, signature) -> Runner

and imports its framework at the top, so it is imported only where it is used. What is known of it
without an import stands in `KINDS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any, Protocol

from converter.errors import MissingFrameworkError, UsageError
from converter.signature import Signature

if TYPE_CHECKING:
    import numpy as np


class Runner(Protocol):
    """A model that is ready to run.

    `prepare`, `call` and `fetch` are apart so that `call` alone can be timed.

    Attributes:
        signature: what the model says of its inputs and outputs, if anything.
        named_outputs: the outputs' names are the model's own; else they are numbers, and only
            their order counts.
        input_names: names that inputs can be given under; empty: only their order counts.
    """

    signature: Signature | None
    named_outputs: bool
    input_names: list[str]

    def prepare(self, inputs: dict[str, np.ndarray]) -> Any:
        """Turn arrays by name into what the runtime takes."""

    def call(self, prepared: Any) -> Any:
        """Run once and wait until it is done."""

    def fetch(self, result: Any) -> dict[str, np.ndarray]:
        """Return the outputs by name, in order."""

    def close(self) -> None:
        """Put back what was changed on a live model."""


@dataclass(frozen=True)
class Kind:
    """What is known of a runtime without importing it.

    Attributes:
        framework: framework of the sources that it runs.
        kinds: formats and live kinds (`Source.kind`) that it runs; the first runtime in `KINDS`
            that has a kind is that kind's default.
        needs: packages that must be installed, any one of them.
        extra: the extra of the distribution that brings them.
    """

    framework: str
    kinds: frozenset[str]
    needs: tuple[str, ...]
    extra: str


KINDS: dict[str, Kind] = {
    "exported_program": Kind(
        "torch", frozenset({"exported_program", "torch_artifact"}), ("torch",), "torch"
    ),
    "torchscript": Kind("torch", frozenset({"torchscript"}), ("torch",), "torch"),
    "torch": Kind(
        "torch",
        frozenset({"module", "torch_pickle", "state_dict", "safetensors"}),
        ("torch",),
        "torch",
    ),
    "onnxruntime": Kind("onnx", frozenset({"onnx_file", "onnx_model"}), ("onnxruntime",), "torch"),
    "onnx_reference": Kind("onnx", frozenset({"onnx_file", "onnx_model"}), ("onnx",), "torch"),
    "litert": Kind(
        "tensorflow", frozenset({"tflite"}), ("ai_edge_litert", "tensorflow"), "tensorflow"
    ),
    "keras": Kind(
        "tensorflow",
        frozenset({"keras_model", "keras_archive", "keras_h5"}),
        ("keras",),
        "tensorflow",
    ),
    "saved_model": Kind("tensorflow", frozenset({"saved_model"}), ("tensorflow",), "tensorflow"),
    "tensorflow": Kind(
        "tensorflow", frozenset({"tf_module", "tf_function"}), ("tensorflow",), "tensorflow"
    ),
}

_DISTRIBUTIONS = {
    "torch": ("torch",),
    "onnx": ("onnxruntime", "onnx"),
    "tensorflow": ("tensorflow", "tensorflow-cpu", "keras"),
}


def check_names(names: list[str]) -> None:
    """Refuse runtimes that do not exist.

    Raises:
        UsageError: names the unknown one and lists the known ones.
    """
    for name in names:
        if name not in KINDS:
            raise UsageError(f"unknown runtime {name!r}", hint=f"Known: {', '.join(KINDS)}.")


def choose(framework: str, kind: str, wanted: list[str]) -> str:
    """Return the runtime for a source: the first of ``wanted`` that can run it, or the default.

    Raises:
        MissingFrameworkError: none of the runtimes that could is installed.
        UsageError: nothing runs this kind of source.
    """
    family = {name: item for name, item in KINDS.items() if item.framework == framework}
    able = [name for name, item in family.items() if kind in item.kinds]
    if not able:
        raise UsageError(f"nothing here runs a {kind.replace('_', ' ')} of {framework}")
    for name in wanted:
        if name in able:
            return name
    for name in able:
        if installed(name):
            return name
    first = KINDS[able[0]]
    raise MissingFrameworkError(
        f"a {kind.replace('_', ' ')} needs {' or '.join(first.needs)}, which is not installed",
        hint=f'Install it: pip install "equiport[{first.extra}]".',
    )


def installed(name: str) -> bool:
    """Tell whether a runtime's packages are there, without importing them."""
    return any(find_spec(package) is not None for package in KINDS[name].needs)


def load(name: str) -> ModuleType:
    """Import a runtime.

    Raises:
        MissingFrameworkError: its package is not installed.
    """
    kind = KINDS[name]
    try:
        return import_module(f"verify.runtimes.{name}_runtime")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in ("verify", "converter"):
            raise
        raise MissingFrameworkError(
            f"the runtime {name} needs {error.name}, which is not installed",
            hint=f'Install it: pip install "equiport[{kind.extra}]".',
        ) from error


def versions(framework: str) -> dict[str, str]:
    """Return the versions of a framework's packages, those that are installed."""
    found = {}
    for name in _DISTRIBUTIONS.get(framework, ()):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found

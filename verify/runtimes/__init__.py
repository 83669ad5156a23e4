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

    from converter.formats import Source


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

    def held(self, names: list[str]) -> dict[str, np.ndarray]:
        """Return what may change from call to call: buffers, and ``names`` as far as it has them.

        Nothing where the runtime does not show it.
        """

    def put(self, values: dict[str, np.ndarray]) -> None:
        """Put back what `held` gave; where that gave nothing, begin anew."""

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
        gpu: whether it can run on a GPU.
    """

    framework: str
    kinds: frozenset[str]
    needs: tuple[str, ...]
    extra: str
    gpu: bool = True


_PROGRAMS = frozenset({"exported_program", "torch_artifact"})
_MODULES = frozenset({"module", "torch_pickle", "state_dict", "safetensors", "written_module"})
_ONNX = frozenset({"onnx_file", "onnx_model"})
_KERAS = frozenset({"keras_model", "keras_archive", "keras_h5"})
_TF_LIVE = frozenset({"tf_module", "tf_function"})
_SAVED_MODEL = frozenset({"saved_model"})
_LITERT = frozenset({"tflite"})
_LITERT_NEEDS = ("ai_edge_litert", "tensorflow")

KINDS: dict[str, Kind] = {
    "exported_program": Kind("torch", _PROGRAMS, ("torch",), "torch"),
    "torchscript": Kind("torch", frozenset({"torchscript"}), ("torch",), "torch"),
    "torch": Kind("torch", _MODULES, ("torch",), "torch"),
    "torch_compile": Kind("torch", _MODULES | _PROGRAMS, ("torch",), "torch"),
    "onnxruntime": Kind("onnx", _ONNX, ("onnxruntime",), "torch"),
    "onnxruntime_unoptimised": Kind("onnx", _ONNX, ("onnxruntime",), "torch"),
    "onnx_reference": Kind("onnx", _ONNX, ("onnx",), "torch", gpu=False),
    "litert": Kind("tensorflow", _LITERT, _LITERT_NEEDS, "tensorflow", gpu=False),
    "litert_no_xnnpack": Kind("tensorflow", _LITERT, _LITERT_NEEDS, "tensorflow", gpu=False),
    "litert_reference": Kind("tensorflow", _LITERT, _LITERT_NEEDS, "tensorflow", gpu=False),
    "keras": Kind("tensorflow", _KERAS, ("keras",), "tensorflow"),
    "saved_model": Kind("tensorflow", _SAVED_MODEL, ("tensorflow",), "tensorflow"),
    "tensorflow": Kind("tensorflow", _TF_LIVE, ("tensorflow",), "tensorflow"),
    "tensorflow_eager": Kind("tensorflow", _TF_LIVE | _KERAS, ("tensorflow",), "tensorflow"),
    "tensorflow_xla": Kind(
        "tensorflow", _TF_LIVE | _KERAS | _SAVED_MODEL, ("tensorflow",), "tensorflow"
    ),
}

_DISTRIBUTIONS = {
    "torch": ("torch",),
    "onnx": ("onnxruntime", "onnxruntime-gpu", "onnx"),
    "tensorflow": ("tensorflow", "tensorflow-cpu", "keras"),
}
_LITERT_DISTRIBUTIONS = ("ai-edge-litert", "tensorflow", "tensorflow-cpu")


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


def default(source: Source) -> ModuleType:
    """Import the runtime that a source runs in where nothing else is asked for.

    Raises:
        MissingFrameworkError, UsageError: see `choose`.
    """
    return load(choose(source.framework, source.kind, []))


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


def versions(runtime: str) -> dict[str, str]:
    """Return the versions of the packages that a runtime is made of, those that are installed."""
    names = _DISTRIBUTIONS[KINDS[runtime].framework]
    if _LITERT & KINDS[runtime].kinds:
        names = _LITERT_DISTRIBUTIONS
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found

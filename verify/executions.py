"""A graph run in three ways: exactly (float64), in its own precision, and with random rounding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import onnx_ir as ir

from converter.errors import ConversionError, EquiportError, first_line
from verify.arrays import dtype_name
from verify.decisions import Choice, exposed
from verify.float64 import WIDENED, in_float64

if TYPE_CHECKING:
    from verify.aside import Aside

Arrays = dict[str, np.ndarray]


class Executions(Protocol):
    """The three ways; inputs and outputs go by the graph's names."""

    @property
    def choices(self) -> Mapping[str, Choice]:
        """Outputs that hold indices, and how those were chosen; see `verify.decisions.exposed`."""

    def exact(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        """Run in float64."""

    def own(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        """Run in the graph's own precision."""

    def moved(self, inputs: Mapping[str, np.ndarray], seed: int, reach: int = 1) -> Arrays:
        """Run in its own precision, with results that move by ``reach`` units in the last place."""


@contextmanager
def _failing(what: str) -> Iterator[None]:
    """Turn what a framework raises on a graph into a typed error; nothing else is caught here."""
    try:
        yield
    except (EquiportError, MemoryError):
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {first_line(error)}"
        raise ConversionError(f"{what} failed: {said}") from error


def executions(model: ir.Model) -> Executions:
    """Return what runs a graph: PyTorch where it is installed and has all operators, else NumPy.

    Raises:
        ConversionError: neither can.
    """
    from verify import runtimes

    return InPyTorch(model) if runtimes.installed("torch") else InNumPy(model)


class InPyTorch:
    """The graph rebuilt as PyTorch modules.

    Raises (all methods):
        ConversionError: the graph cannot be rebuilt.
    """

    def __init__(self, model: ir.Model) -> None:
        self.model, self.choices = exposed(model)
        self._modules: dict[bool, Any] = {}

    def exact(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        return self._run(inputs, True)

    def own(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        return self._run(inputs, False)

    def moved(self, inputs: Mapping[str, np.ndarray], seed: int, reach: int = 1) -> Arrays:
        from verify.random_rounding import RandomRounding

        with RandomRounding(seed, reach):
            return self._run(inputs, False)

    def _run(self, inputs: Mapping[str, np.ndarray], double: bool) -> Arrays:
        import torch

        from verify.runtimes.torch_tensors import from_numpy, to_numpy

        module = self._module(double)
        tensors = []
        for spec in module.signature.inputs:
            tensor = from_numpy(inputs[spec.name])
            narrow = isinstance(tensor, torch.Tensor) and tensor.is_floating_point()
            tensors.append(tensor.double() if double and narrow else tensor)
        with torch.no_grad(), _failing("the graph, rebuilt in PyTorch,"):
            result = module(*tensors)
        names = [spec.name for spec in module.signature.outputs]
        values = (result,) if len(names) == 1 else result
        return {name: to_numpy(value) for name, value in zip(names, values, strict=True)}

    def _module(self, double: bool) -> Any:
        from converter.rebuild.pytorch import build

        if double not in self._modules:
            model = in_float64(self.model) if double else self.model
            with _failing("rebuilding the graph in PyTorch"):
                self._modules[double] = build(model)
        return self._modules[double]


class InOnnxRuntime:
    """The graph in float64 in ONNX Runtime, which shares no kernel with the rebuilt graph."""

    def __init__(self, model: ir.Model, aside: Aside) -> None:
        self.model, self.wide, self.aside = model, in_float64(model), aside

    def exact(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        """Run in float64.

        Raises:
            EquiportError: ONNX Runtime is not installed, or lacks an operator for float64.
            Failure: it failed otherwise.
        """
        return self.aside.run("onnxruntime", self.wide, _wide(inputs), again=True)


def _wide(inputs: Mapping[str, np.ndarray]) -> Arrays:
    return {
        name: array.astype(np.float64) if dtype_name(array) in WIDENED else array
        for name, array in inputs.items()
    }


class InNumPy:
    """ONNX's own reference evaluator, where PyTorch is not installed: slow.

    Random rounding moves inputs and weights only: the evaluator has no place to step in.
    """

    def __init__(self, model: ir.Model) -> None:
        self.model, self.choices = exposed(model)
        self._evaluators: dict[bool, Any] = {}

    def exact(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        return self._run(self._evaluator(True), _wide(inputs))

    def own(self, inputs: Mapping[str, np.ndarray]) -> Arrays:
        return self._run(self._evaluator(False), inputs)

    def moved(self, inputs: Mapping[str, np.ndarray], seed: int, reach: int = 1) -> Arrays:
        generator = np.random.default_rng(seed)
        model = self.model.clone()
        for value in model.graph.initializers.values():
            tensor = value.const_value
            if tensor is not None and tensor.dtype in (ir.DataType.FLOAT, ir.DataType.FLOAT16):
                value.const_value = ir.tensor(
                    _nudged(tensor.numpy(), generator, reach), name=tensor.name
                )
        nudged = {
            name: _nudged(array, generator, reach) if array.dtype.kind == "f" else array
            for name, array in inputs.items()
        }
        return self._run(_evaluator(model), nudged)

    def _evaluator(self, double: bool) -> Any:
        if double not in self._evaluators:
            self._evaluators[double] = _evaluator(in_float64(self.model) if double else self.model)
        return self._evaluators[double]

    @staticmethod
    def _run(evaluator: Any, inputs: Mapping[str, np.ndarray]) -> Arrays:
        fed = {name: np.asarray(inputs[name]) for name in evaluator.input_names}
        with _failing("ONNX's reference evaluator"):
            results = evaluator.run(None, fed)
        named = zip(evaluator.output_names, results, strict=True)
        return {name: np.asarray(value) for name, value in named}


def _evaluator(model: ir.Model) -> Any:
    from verify.runtimes.onnx_reference_runtime import evaluator

    return evaluator(model)


def _nudged(array: np.ndarray, generator: np.random.Generator, reach: int) -> np.ndarray:
    steps = generator.integers(-1, 2, array.shape) * reach
    return (array + steps * np.spacing(np.abs(array))).astype(array.dtype)

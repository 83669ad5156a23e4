"""Run one case: the source, its conversion, the result, and what is to be said of them."""

from __future__ import annotations

import re
import tempfile
import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from benchmarks.fuzz.case import Case
from benchmarks.fuzz.judge import Difference, difference
from benchmarks.fuzz.kinds import FAILS, INVALID, NO_RUNTIME, NUMBERS, OK, REFUSED, SHAPE, UNTYPED
from benchmarks.fuzz.loading import framework_of, load

DRAWS = 8
"""Runs of the source with noise, after a first difference."""


@dataclass(frozen=True)
class Outcome:
    """What came of a case.

    Attributes:
        kind: ``ok`` or one of the others above.
        cause: a short text, the same for the same cause.
        detail: all of it.
        hint: whether a refusal says what to do next.
    """

    kind: str
    cause: str = ""
    detail: str = ""
    hint: bool = False


def run_case(case: Case, ran: Callable[[], None] = lambda: None) -> Outcome:
    """Convert in this process without verification and compare.

    Args:
        ran: called when the source has run; a process that dies before that was killed by it.
    """
    framework = framework_of(case.framework)
    try:
        model = load(case)
        runs = expected(case, model, framework)
    except Exception as error:
        return Outcome(INVALID, type(error).__name__, traceback.format_exc())
    if not runs:
        return Outcome(INVALID, "no size runs", "")
    ran()
    import converter
    from converter.errors import EquiportError

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"out{SUFFIX.get(case.to, '')}" if case.written else None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                result = converter.convert(
                    model, case.to, inputs=case.specs(), verify=False, output=path
                )
                saved = result if path is None else converter.load(path, trust=True)
        except EquiportError as error:
            return refusal(error)
        except Exception as error:
            return Outcome(UNTYPED, cause_of(error), traceback.format_exc())
        return compare(case, framework, runs, Target(case, result, saved.model))


SUFFIX = {"keras": ".keras", "onnx": ".onnx"}


def refusal(error: Any) -> Outcome:
    return Outcome(
        REFUSED, f"{type(error).__name__}: {plain(error.message)}", str(error), bool(error.hint)
    )


def plain(text: str) -> str:
    """Return a message without what differs from case to case."""
    text = " ".join(text.split())
    text = re.sub(r"0x[0-9a-f]+|'[^']*'|\b(?:in|v|m|s|u|node_\w+_?)\d+\b", "_", text)
    return re.sub(r"-?\d+(\.\d+)?", "#", text)[:160]


def cause_of(error: BaseException) -> str:
    """Return the type, and the last line of ours, of what was raised."""
    root = error
    while root.__cause__ is not None:
        root = root.__cause__
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "/converter/" in f.filename or "/verify/" in f.filename]
    where = ours[-1] if ours else frames[-1]
    short = re.sub(r".*/(converter|verify|site-packages)/", r"\1/", where.filename)
    return f"{type(root).__name__} at {short}:{where.name}: {plain(str(root))[:80]}"


def expected(
    case: Case, model: Any, framework: ModuleType
) -> list[tuple[Mapping[str, int], list, list]]:
    """Return sizes, inputs and results of the source, for each choice of sizes that it takes."""
    rng = np.random.default_rng(abs(hash_of(case.number)))
    runs = []
    for index, sizes in enumerate(case.sizes):
        inputs = [(item.values(sizes, rng), item.dtype) for item in case.inputs]
        try:
            framework.seeded()
            tensors = [framework.tensor(*item) for item in inputs]
            results = framework.call(model, tensors, case.form)
        except Exception:
            if index == 0:
                raise
            continue
        runs.append((sizes, inputs, results))
    return runs


def hash_of(text: str) -> int:
    import zlib

    return zlib.crc32(text.encode())


class Target:
    """The result of a conversion, live or loaded again, called with arrays."""

    def __init__(self, case: Case, result: Any, model: Any) -> None:
        self.to, self.model, self.signature = case.to, model, result.signature
        self.graph, self.from_tensorflow = result.graph, case.framework == "tensorflow"
        self.carried = [spec.carried_as for spec in self.signature.outputs]
        self.names = [spec.name for spec in self.signature.outputs]

    def takes(self, sizes: Mapping[str, int]) -> bool:
        """Tell whether the result's signature allows these sizes; its notes say which not."""
        from converter.signature import DimRange
        from converter.sizes import fits

        ranges = {word: self.signature.dims.get(word, DimRange()) for word in sizes}
        inside = all(
            ranges[word].minimum <= size <= (ranges[word].maximum or size)
            for word, size in sizes.items()
            if word in self.signature.dynamic_dims()
        )
        return inside and fits(self.signature, sizes) and not self.convolves_nothing(sizes)

    def convolves_nothing(self, sizes: Mapping[str, int]) -> bool:
        """Tell whether TensorFlow's own convolution sees an empty tensor, on either side.

        ``tf.nn.conv2d`` gives its input's shape back then; it is no fault of a conversion.
        """
        if 0 not in sizes.values() or (self.to not in ("tf", "keras") and not self.from_tensorflow):
            return False
        return any("Conv" in node.op_type for node in self.graph.graph.all_nodes())

    def __call__(self, inputs: list[tuple[np.ndarray, str]]) -> list[tuple[np.ndarray, str]]:
        """Return arrays and the names of their element types."""
        if self.to == "onnx":
            return run_onnx(self.model, inputs)
        framework = framework_of("torch" if self.to == "torch" else "tensorflow")
        tensors = [
            framework.tensor(array, spec.carried_as or dtype)
            for (array, dtype), spec in zip(inputs, self.signature.inputs, strict=True)
        ]
        results = self.called(tensors)
        if isinstance(results, dict):
            results = [results[name] for name in self.names]
        results = list(results) if isinstance(results, list | tuple) else [results]
        return [(framework.array(r), framework.dtype(r)) for r in results]

    def called(self, tensors: list[Any]) -> Any:
        """Call the target in its own way."""
        if self.to == "torch":
            import torch

            model = self.model.module() if hasattr(self.model, "graph_module") else self.model
            with torch.no_grad():
                return model(*tensors)
        if self.to == "keras":
            return self.model(tensors if len(tensors) > 1 else tensors[0])
        if hasattr(self.model, "signatures") and not callable(self.model.signatures):
            called = self.model.signatures["serving_default"]
            taken = called.structured_input_signature[1]
            # TensorFlow takes names of ASCII alone; another input goes by its place.
            names = [
                spec.name if spec.name in taken else f"input_{index}"
                for index, spec in enumerate(self.signature.inputs)
            ]
            return called(**dict(zip(names, tensors, strict=True)))
        return self.model(*tensors)


class NoRuntimeError(Exception):
    """A valid file uses an operator that ONNX Runtime knows and has not got for its types."""


def is_valid(proto: Any) -> bool:
    """Tell whether a file keeps to ONNX's standard, the types of every operator with it."""
    import onnx

    try:
        onnx.checker.check_model(proto, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        return False
    return True


def run_onnx(graph: Any, inputs: list[tuple[np.ndarray, str]]) -> list[tuple[np.ndarray, str]]:
    """Run a graph in ONNX Runtime, in ONNX's reference evaluator what that has not got.

    The evaluator joins what a loop's steps give where it should stack them.
    """
    import onnx_ir as ir
    from onnx.reference import ReferenceEvaluator

    named = zip((v.name for v in graph.graph.inputs), (array for array, _ in inputs), strict=True)
    feed = dict(named)
    proto = ir.serde.serialize_model(graph)
    from onnxruntime import InferenceSession

    try:
        results = InferenceSession(proto.SerializeToString()).run(None, feed)
    except Exception as refusal:
        try:
            results = ReferenceEvaluator(proto).run(None, feed)
        except Exception as error:
            if type(refusal).__name__ == "NotImplemented" and is_valid(proto):
                raise NoRuntimeError(str(refusal)) from error
            raise
    return [(np.asarray(r), np.asarray(r).dtype.name) for r in results]


def compare(case: Case, framework: ModuleType, runs: list, target: Target) -> Outcome:
    """Hold the target's results against the source's, at every size."""
    for sizes, inputs, results in runs:
        where = f"sizes {dict(sizes)}"
        if not target.takes(sizes):
            continue
        try:
            got = target(inputs)
        except NoRuntimeError as error:
            return Outcome(NO_RUNTIME, plain(str(error)), traceback.format_exc(limit=-6))
        except Exception as error:
            return Outcome(FAILS, cause_of(error), f"{where}\n{traceback.format_exc(limit=-6)}")
        wanted = [(framework.array(r), framework.dtype(r)) for r in results]
        if len(got) != len(wanted):
            return Outcome(SHAPE, "number of outputs", f"{len(got)} for {len(wanted)}")
        for index, ((mine, dtype), (yours, own)) in enumerate(zip(got, wanted, strict=True)):
            carried = target.carried[index] or own
            if case.to != "onnx" and dtype != carried:
                return Outcome(SHAPE, f"dtype {dtype} for {carried}", f"output {index}, {where}")
            if mine.shape != yours.shape:
                return Outcome(
                    SHAPE, "shape", f"{mine.shape} for {yours.shape}: output {index}, {where}"
                )
            if not difference(mine, yours, own, []):
                continue
            if own == "float64" and framework.computes_narrower(load(case), inputs, case.form):
                own = "float32"
            found = difference(mine, yours, own, noisy(case, framework, inputs, index))
            if found:
                return Outcome(NUMBERS, *told(found, index, where))
    return Outcome(OK)


def told(found: Difference, index: int, where: str) -> tuple[str, str]:
    return found.kind, f"output {index}, {where}: {found.text}"


def noisy(case: Case, framework: ModuleType, inputs: list, index: int) -> list[np.ndarray]:
    """Return one output of the source again, with every inexact result moved a little."""
    draws = []
    for seed in range(DRAWS):
        rng = np.random.default_rng(seed)
        move = framework.noise(rng)
        try:
            model = load(case, noise=move)
            framework.move_weights(model, rng)
            tensors = [move(framework.tensor(*item)) for item in inputs]
            results = framework.call(model, tensors, case.form)
        except Exception:  # a size that hangs on a value
            continue
        draws.append(framework.array(results[index]))
    return draws

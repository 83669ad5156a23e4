"""Take a sample through trace and rebuild, and compare what comes out with PyTorch itself."""

from __future__ import annotations

import contextlib
import io
import signal
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from benchmarks.aten.samples import UNDEFINED, Calls, Sample
from converter.errors import EquiportError
from converter.formats import Source
from converter.rebuild.pytorch import build
from converter.signature import Signature, TensorSpec
from converter.trace.pytorch import trace

SECONDS = 120
"""How long one operator may take."""


@dataclass(frozen=True)
class Finding:
    """What became of one sample.

    Attributes:
        verdict: ``right``, ``refused`` (a typed error that names the operator), ``untraceable``
            (a typed error without a name), ``untyped``, ``unsupported`` (rebuilding refuses, or a
            runtime has no kernel), ``invalid graph`` (against ONNX's types),
            ``wrong dtype``, ``wrong shape``, ``wrong numbers``, ``skipped``.
        runtime: who ran the graph: ``pytorch`` (rebuilt) or ``onnxruntime``.
    """

    operator: str
    index: int
    dtype: str
    verdict: str
    runtime: str = ""
    about: str = ""

    def row(self) -> dict[str, Any]:
        return asdict(self)


def probe(samples: list[Sample], dtype: str) -> list[Finding]:
    """Probe the samples of one operator together; one by one where that fails."""
    possible, findings = [], []
    for sample in samples:
        try:
            with torch.no_grad():
                results = Calls([sample])(*sample.tensors)
        except Exception as error:
            findings.append(finding(sample, dtype, "skipped", "", f"eager: {error}"))
            continue
        if results and all(isinstance(r, torch.Tensor) for r in results):
            possible.append(sample)
        else:
            findings.append(finding(sample, dtype, "skipped", "", "no tensor comes out"))
    if not possible:
        return findings
    together = attempt(possible, dtype)
    if len(possible) > 1 and any(found.verdict != "right" for found in together):
        together = [found for sample in possible for found in attempt([sample], dtype)]
    return findings + together


def finding(sample: Sample, dtype: str, verdict: str, runtime: str, about: object) -> Finding:
    return Finding(sample.operator, sample.index, dtype, verdict, runtime, str(about)[:600])


def attempt(samples: list[Sample], dtype: str) -> list[Finding]:
    """Trace and run some samples as one module."""
    module = Calls(samples)
    tensors = [t.detach().clone().contiguous() for sample in samples for t in sample.tensors]
    specs = tuple(
        TensorSpec(f"x{i}", str(t.dtype).removeprefix("torch."), tuple(t.shape))
        for i, t in enumerate(tensors)
    )
    if not specs:
        return [finding(s, dtype, "skipped", "", "no tensor goes in") for s in samples]
    with torch.no_grad():
        expected = [sample_results(sample) for sample in samples]
    given = {spec.name: tensor for spec, tensor in zip(specs, tensors, strict=True)}
    try:
        with limited(SECONDS), contextlib.redirect_stdout(io.StringIO()):
            graph = trace(Source("torch", "module", module), Signature(specs), given=given)
    except Exception as error:
        return [finding(s, dtype, *reason(error), "", error) for s in samples][:1]
    found = []
    for runtime, run in RUNTIMES.items():
        try:
            with limited(SECONDS):
                results = run(graph, tensors)
        except Exception as error:
            verdict = of_a_run(error)
            found.append(finding(samples[0], dtype, verdict, runtime, f"{type(error)}: {error}"))
            continue
        rest = iter(results)
        for sample, wanted in zip(samples, expected, strict=True):
            got = [next(rest) for _ in wanted]
            found.append(judge(sample, dtype, runtime, wanted, got))
    return found


def reason(error: Exception) -> tuple[str]:
    if not isinstance(error, EquiportError):
        return ("untyped",)
    return ("untraceable",) if "could not trace" in str(error) else ("refused",)


def of_a_run(error: Exception) -> str:
    """Say what an error of a runtime means; ONNX Runtime lacks kernels, which is no fault."""
    if isinstance(error, EquiportError) or type(error).__name__ == "NotImplemented":
        return "unsupported"
    return "invalid graph" if "INVALID_GRAPH" in str(error) else "untyped"


def sample_results(sample: Sample) -> list[torch.Tensor]:
    return [r.detach().clone() for r in Calls([sample])(*sample.tensors)]


def rebuilt(graph: Any, tensors: list[torch.Tensor]) -> list[np.ndarray]:
    module = build(graph).eval()
    with torch.no_grad():
        results = module(*[t.clone() for t in tensors])
    results = results if isinstance(results, tuple | list) else [results]
    return [as_array(result) for result in results]


def in_onnxruntime(graph: Any, tensors: list[torch.Tensor]) -> list[np.ndarray]:
    import onnx_ir as ir
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        ir.to_proto(graph).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    names = {item.name for item in session.get_inputs()}
    feeds = {f"x{i}": as_array(t) for i, t in enumerate(tensors) if f"x{i}" in names}
    return session.run(None, feeds)


RUNTIMES = {"pytorch": rebuilt, "onnxruntime": in_onnxruntime}


def as_array(tensor: torch.Tensor) -> np.ndarray:
    tensor = tensor.detach().resolve_conj().resolve_neg()
    if tensor.dtype == torch.bfloat16:  # not in NumPy; ONNX Runtime gives its bits
        return tensor.view(torch.int16).numpy().view("uint16")
    return tensor.numpy()


def judge(
    sample: Sample, dtype: str, runtime: str, wanted: list[torch.Tensor], got: list[np.ndarray]
) -> Finding:
    """Compare all results of one sample."""
    for index, (w, g) in enumerate(zip(wanted, got, strict=True)):
        a = as_array(w)
        if a.dtype != g.dtype:
            about = f"result {index}: {a.dtype} became {g.dtype}"
            return finding(sample, dtype, "wrong dtype", runtime, about)
        if a.shape != g.shape:
            about = f"result {index}: {a.shape} became {g.shape}"
            return finding(sample, dtype, "wrong shape", runtime, about)
        if sample.operator in UNDEFINED or not a.size:
            continue
        if not near(a, g):
            about = f"result {index}: wanted {a.ravel()[:8]}, got {g.ravel()[:8]}"
            return finding(sample, dtype, "wrong numbers", runtime, about)
    return finding(sample, dtype, "right", runtime, "")


def near(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether numbers are equal but for rounding; the aim is to find what is dropped."""
    if a.dtype.kind in "biu":
        return bool(np.array_equal(a, b))
    with np.errstate(all="ignore"):
        return bool(np.allclose(a, b, rtol=1e-3, atol=1e-4, equal_nan=True))


@contextlib.contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Raise `TimeoutError` if the body takes longer."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)

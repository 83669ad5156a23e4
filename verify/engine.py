"""One side, loaded and running in this process: what a worker does, and what live models get."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.errors import EquiportError
from converter.signature import Signature
from verify import runtimes
from verify.kept import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import onnx_ir as ir

    from converter.formats import Source
    from verify.frozen import Frozen
    from verify.proof.held import Holding
    from verify.training.plan import Ability, Learned, Plan


class Engine:
    """A loaded model behind one runtime.

    Attributes:
        description: plain data: framework, kind, runtime, device, versions, signature, input names,
            seconds that loading took.
        calling: the model itself is running, or was when an exception came; what comes before and
            after is our own.
    """

    def __init__(self, load: Callable[[], Source], wanted: list[str], device: str) -> None:
        """Load a model and get a runtime for it.

        Args:
            load: gives the source.
            wanted: runtimes to prefer; those that cannot run this source are passed over.
            device: ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.

        Raises:
            EquiportError: the model cannot be read, or the runtime is missing.
        """
        start = time.perf_counter()
        self.source = source = load()
        name = runtimes.choose(source.framework, source.kind, wanted)
        with _quiet():
            self.runner = runtimes.load(name).open(source, device, source.signature)
        signature: Signature | None = self.runner.signature
        self.description: dict[str, Any] = {
            "framework": source.framework,
            "kind": source.kind,
            "runtime": name,
            "device": device,
            "versions": runtimes.versions(name),
            "signature": signature.to_json() if signature is not None else None,
            "recorded": source.record is not None,
            "input_names": list(self.runner.input_names),
            "load_seconds": time.perf_counter() - start,
        }
        self.prepared: Any = None
        self.calling = False
        self.kept: list[str] = []
        self.initial: dict[str, np.ndarray] | None = None
        self.history: list[dict[str, np.ndarray]] = []

    def keep(self, names: list[str]) -> dict[str, np.ndarray]:
        """Remember what the model holds now, and give ``names`` with the outputs of every run.

        Returns:
            What it holds under these names, as far as it shows them.
        """
        with _quiet():
            held = self.runner.held(names)
        if self.initial is None:
            self.initial = held
        self.kept = [name for name in names if name in self.initial]
        return {name: self.initial[name] for name in self.kept}

    def reset(self) -> None:
        """Put back what the model held when `keep` was first called."""
        self.history = []
        with _quiet():
            self.runner.put(self.initial or {})

    def changed(self) -> list[str]:
        """Return the names of what the model holds otherwise than when `keep` was first called."""
        import numpy as np

        initial = self.initial or {}
        with _quiet():
            held = self.runner.held(list(initial))
        return [
            n for n, array in held.items() if array.tobytes() != np.asarray(initial[n]).tobytes()
        ]

    def run(self, inputs: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Run once.

        Returns:
            The outputs by name, and what is known of the run: its seconds, whether the names are
            the model's own.
        """
        with _quiet():
            self.calling = False
            self.prepared = self.runner.prepare(inputs)
            self.calling = True
            start = time.perf_counter()
            result = self.runner.call(self.prepared)
            seconds = time.perf_counter() - start
            self.calling = False
            outputs = self.runner.fetch(result)
            if self.kept:
                self.history.append(inputs)
                held = self.runner.held(self.kept)
                outputs |= {shown(name): held[name] for name in self.kept}
        return outputs, {"seconds": seconds, "named": self.runner.named_outputs}

    def time(self, count: int) -> list[float]:
        """Repeat the last run and return the seconds of each."""
        seconds = []
        with _quiet():
            for _ in range(count):
                start = time.perf_counter()
                self.runner.call(self.prepared)
                seconds.append(time.perf_counter() - start)
        return seconds

    def graph(self, signature: Signature | None) -> ir.Model:
        """Return the model as an ONNX graph.

        Args:
            signature: the inputs, for a model that does not say itself what they look like.

        Raises:
            EquiportError: the model cannot be traced.
        """
        with _quiet():
            return self._traced(signature, {})

    def _traced(self, signature: Signature | None, examples: dict[str, Any]) -> ir.Model:
        """Trace; inputs of a callable that go by other names in ``signature`` are its, in order.

        The graph's inputs have the signature's names.
        """
        from converter.graph.names import rename_inputs
        from converter.pipeline import Options, trace
        from verify.binding import by_position

        if self.source.signature is not None or signature is None:
            return trace(self.source, None, examples, Options(to="onnx"))
        given = [spec.name for spec in signature.inputs]
        own = by_position(given, self.runner.input_names)
        specs = tuple(replace(s, name=own.get(s.name, s.name)) for s in signature.inputs)
        examples = {own.get(name, name): value for name, value in examples.items()}
        graph = trace(self.source, replace(signature, inputs=specs), examples, Options(to="onnx"))
        rename_inputs(graph, {name: shown for shown, name in own.items()})
        return graph

    def frozen(self, signature: Signature) -> list[Frozen]:
        """Return what tracing takes for a constant although it is none.

        Raises:
            EquiportError: the model cannot be traced.
        """
        from verify.frozen import of_source

        with _quiet():
            return of_source(
                self.source,
                self.runner,
                lambda examples: self._traced(signature, examples),
                signature,
            )

    def weights(self) -> Holding:
        """Return what the model holds; nothing is run."""
        from verify.proof.held import held

        with _quiet():
            return held(self.source)

    def in_float64(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run a copy of the model whose weights and inputs are float64.

        Raises:
            ConversionError: it is no `nn.Module`, which alone can be turned into one of float64.
        """
        from verify.runtimes import torch_float64

        with _quiet():
            return torch_float64.run(self, inputs)

    def recorded(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return what the model computes on its way, in float64, under any names.

        Raises:
            EquiportError: the source is no `nn.Module`.
        """
        from converter.errors import ConversionError

        if self.source.framework != "torch":
            raise ConversionError(f"what a model of {self.source.framework} computes on its way "
                                  "is not recorded")  # fmt: skip
        from verify.runtimes import torch_recording

        with _quiet():
            return torch_recording.run(self, inputs)

    def ability(self) -> Ability:
        """Tell whether the model trains; see `verify.training.plan.Ability`."""
        from verify.training.side import ability

        with _quiet():
            return ability(self)

    def learn(
        self,
        plan: Plan,
        inputs: dict[str, np.ndarray],
        targets: dict[str, np.ndarray],
        signature: Signature | None,
    ) -> Learned:
        """Carry out a plan of training; see `verify.training.side.learn`."""
        from verify.training.side import learn

        with _quiet():
            return learn(self, plan, inputs, targets, signature)

    def close(self) -> None:
        """Put back what was changed on a live model."""
        if self.kept and self.source.path is None:
            self.reset()
        self.runner.close()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the frameworks' warnings off the user's screen."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def loader(path: str, *, trust: bool, factory: str | None) -> Callable[[], Source]:
    """Return what loads a file."""

    def load() -> Source:
        from converter import formats

        return formats.load(Path(path), trust=trust, factory=factory)

    return load


def peak_bytes() -> int:
    """Return the most memory that this process has had resident, in bytes."""
    try:  # on Linux, getrusage also counts what the parent had at the time of the fork
        with open("/proc/self/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if os.uname().sysname == "Darwin" else peak * 1024


def out_of_memory(error: BaseException) -> bool:
    """Tell whether an exception says that memory ran out, in any framework's words."""
    text = str(error).lower()
    signs = ("can't allocate memory", "out of memory", "failed to allocate", "oom when allocating")
    return isinstance(error, MemoryError) or any(sign in text for sign in signs)


def first_line(error: BaseException) -> str:
    """Return what an exception says, in one line; a typed error's own message."""
    if isinstance(error, EquiportError):
        return error.message
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    name = type(error).__name__
    return f"{name}: {lines[0][:400]}" if lines else name

"""A side of a comparison in a process of its own, behind the face of `verify.sides.LiveSide`."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.errors import UsageError
from converter.stages.packages import environment as worker_environment
from converter.stages.told import from_data
from verify.limits import with_threads
from verify.report.result import Stage
from verify.sides import Failure, Outputs

if TYPE_CHECKING:
    import numpy as np
    import onnx_ir as ir

    from converter.signature import Signature
    from verify.frozen import Frozen
    from verify.proof.held import Holding
    from verify.training.plan import Ability, Learned, Plan

MEMORY_EXIT = 77
"""Exit status by which a worker says that it ran out of memory (`verify.worker`)."""


class WorkerSide:
    """A model in a process of its own; whatever happens there ends in an answer or a `Failure`."""

    live = False

    def __init__(
        self,
        label: str,
        path: Path,
        wanted: list[str],
        device: str,
        *,
        folder: Path,
        python: str | None = None,
        trust: bool = False,
        factory: str | None = None,
        timeout: float = 600.0,
        threads: int | None = None,
        memory_limit: int | None = None,
    ) -> None:
        self.threads = threads
        self.label, self.path, self.name = label, path, str(path)
        self.load_message = {
            "command": "load",
            "path": str(path),
            "trust": trust,
            "factory": factory,
            "runtimes": wanted,
            "device": device,
            "memory_limit": memory_limit,
        }
        self.device, self.timeout, self.folder = device, timeout, folder
        self.python = python or sys.executable
        self.process: subprocess.Popen[bytes] | None = None
        self.peak_bytes = 0
        self.crashes = 0
        self._buffer = b""
        self._deadline = 0.0
        self._trainings = 0
        self._kept: tuple[list[str], Path] | None = None
        self._loading: Mapping[str, Any] | None = None
        self.log = folder / f"{label}.log"

    def start(self) -> None:
        """Start the process.

        Raises:
            UsageError: the interpreter cannot be started.
        """
        environment = with_threads(worker_environment(self.folder), self.threads)
        # Two sides take turns on the same cores: a thread of OpenMP that spins while it waits keeps
        # the one it waits for from running, for 50 ms and more where 0.5 ms are right.
        environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        if self.device == "cpu":
            environment["CUDA_VISIBLE_DEVICES"] = "-1"
        else:  # TensorFlow would take all of the GPU's memory, and the other side needs some
            environment.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
        try:
            with self.log.open("ab") as log:
                self.process = subprocess.Popen(
                    [self.python, "-m", "verify.worker"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=environment,
                    start_new_session=True,  # Ctrl-C reaches the parent, which ends it
                )
        except OSError as error:
            raise UsageError(
                f"the interpreter {self.python} cannot be started: {error.strerror}",
                hint="Give the path of a Python that has NumPy and the framework.",
            ) from error
        self._buffer, self._loading = b"", None

    def warm(self, runtime: str, packages: Sequence[str] = ()) -> None:
        """Let the process import what a model will need before it is known which model."""
        self._send({"command": "warm", "runtime": runtime, "packages": list(packages)})

    def begin_load(self) -> None:
        """Start the process, where it does not run yet, and tell it what to load, once.

        Raises:
            UsageError: the interpreter cannot be started.
        """
        if self.process is None:
            self.start()
        if self._loading == self.load_message:  # begun early
            self._deadline = time.monotonic() + self.timeout
            return
        self._loading = self.load_message
        self._send(self.load_message)

    def become(self, other: WorkerSide) -> bool:
        """Take over what another side, which has not started, is to run.

        Returns:
            Whether it can: the process was started as the other's would be, and loads nothing else.
        """
        started = [(side.python, side.device, side.threads) for side in (self, other)]
        free = self._loading in (None, other.load_message)
        if started[0] != started[1] or not free or self.process is None:
            return False
        self.path, self.name, self.timeout = other.path, other.name, other.timeout
        self.load_message = other.load_message
        return True

    def load_another(self, path: Path, wanted: list[str]) -> None:
        """Tell the running process to load another model in the place of the one it has."""
        self.load_message = {**self.load_message, "path": str(path), "runtimes": wanted}
        self.begin_load()

    def end_load(self) -> dict[str, Any]:
        """Wait until the model is loaded and return its description (`verify.engine.Engine`)."""
        try:
            return self._receive(Stage.LOAD)
        finally:
            self._loading = None

    def recorded(self, inputs: dict[str, np.ndarray], folder: Path) -> Outputs:
        """Return what the model computes on its way; see `verify.engine.Engine.recorded`."""
        shutil.rmtree(folder, ignore_errors=True)
        self.begin_run(inputs, folder, "recorded")
        return self.end_run()[0]

    def in_float64(self, inputs: dict[str, np.ndarray], folder: Path) -> Outputs:
        """Return the outputs of the model in float64; see `verify.engine.Engine.in_float64`."""
        shutil.rmtree(folder, ignore_errors=True)
        self.begin_run(inputs, folder, "in_float64")
        return self.end_run()[0]

    def begin_run(self, inputs: dict[str, np.ndarray], folder: Path, command: str = "run") -> None:
        """Hand the inputs over, as files, and start; outputs go to ``folder``."""
        from verify.arrays import write

        place = folder / self.label
        place.mkdir(parents=True)
        told = {
            name: write(array, place / f"in{index}.npy")
            for index, (name, array) in enumerate(inputs.items())
        }
        self._send({"command": command, "inputs": told, "folder": str(place)})

    def end_run(self) -> tuple[Outputs, dict[str, Any]]:
        """Wait for the outputs, mapped from their files, and facts of the run."""
        from verify.arrays import read

        facts = self._receive(Stage.RUN)
        return {name: read(told) for name, told in facts.pop("outputs").items()}, facts

    def keep(self, names: list[str], folder: Path) -> Outputs:
        """Remember what the model holds; see `verify.engine.Engine.keep`."""
        place = folder / self.label
        place.mkdir(parents=True, exist_ok=True)
        self._kept = (list(names), folder)
        self._send({"command": "keep", "names": list(names), "folder": str(place)})
        return self.end_run()[0]

    def reset(self) -> None:
        """Put back what the model held at first."""
        self._send({"command": "reset"})
        self._receive(Stage.RUN)

    def changed(self) -> list[str]:
        """Return what the model holds otherwise than at first."""
        self._send({"command": "changed"})
        return self._receive(Stage.RUN)["names"]

    def weights(self) -> Holding:
        """Return what the model holds, mapped from a file."""
        from verify.proof.held import read

        path = self.folder / f"{self.label}.weights"
        self._send({"command": "weights", "path": str(path)})
        return read(self._receive(Stage.LOAD)["weights"])

    def ability(self) -> Ability:
        """Tell whether the model trains."""
        from verify.training.plan import Ability

        self._send({"command": "ability"})
        return Ability(**self._receive(Stage.LOAD)["ability"])

    def learn(
        self, plan: Plan, inputs: Outputs, targets: Outputs, signature: Signature | None
    ) -> Learned:
        """Carry out a plan of training; arrays go both ways as files."""
        from verify.training.plan import Learned, written

        # A folder for each: what is read is mapped, and must not be written again.
        self._trainings += 1
        place = self.folder / f"{self.label}.training{self._trainings}"
        place.mkdir(parents=True)
        self._send(
            {
                "command": "train",
                "plan": plan.to_data(),
                "inputs": written(inputs, place, "given"),
                "targets": written(targets, place, "target"),
                "signature": signature.to_json() if signature is not None else None,
                "folder": str(place),
            }
        )
        return Learned.read(self._receive(Stage.RUN)["learned"])

    def graph(self, signature: Signature | None) -> ir.Model:
        """Return the model as an ONNX graph, its weights mapped from a file."""
        import onnx_ir as ir

        path = self.folder / f"{self.label}.onnx"
        told = signature.to_json() if signature is not None else None
        self._send({"command": "graph", "signature": told, "path": str(path)})
        self._receive(Stage.TRACE)
        return ir.load(path)

    def frozen(self, signature: Signature) -> list[Frozen]:
        """Return what tracing freezes; see `verify.engine.Engine.frozen`."""
        from verify.frozen import Frozen

        self._send({"command": "frozen", "signature": signature.to_json()})
        return [Frozen(**told) for told in self._receive(Stage.TRACE)["frozen"]]

    def time(self, count: int) -> list[float]:
        """Repeat the last run and return the seconds of each."""
        self._send({"command": "time", "count": count})
        return self._receive(Stage.RUN)["seconds"]

    @property
    def usable(self) -> bool:
        """Whether another run can be tried: a worker that ended is started again, once."""
        return self.process is not None or self.crashes < 2

    def restart(self) -> None:
        """Start again after a crash; does nothing while the process runs."""
        if self.process is None:
            self.begin_load()
            self.end_load()
            if self._kept is not None:
                names, folder = self._kept
                self.keep(names, folder / f"again{self.crashes}")

    def close(self) -> None:
        """End the process and everything that it started."""
        process, self.process = self.process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def _send(self, message: Mapping[str, Any]) -> None:
        self._deadline = time.monotonic() + self.timeout
        assert self.process is not None
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended; `_receive` says how
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()

    def _receive(self, step: Stage) -> dict[str, Any]:
        line = self._read_line()
        if line is None:
            # A run of another size may end, so it is tried once; loading would hang as long again.
            self.crashes += 1 if step is Stage.RUN else 2
            self.close()
            raise Failure(Stage.TIMEOUT, f"no answer within {self.timeout:g} s")
        if not line:
            raise Failure(Stage.CRASH, self._how_it_ended())
        message = json.loads(line)
        self.peak_bytes = max(self.peak_bytes, message.pop("peak_bytes", 0))
        if message.pop("ok"):
            return message
        if message["error"] is not None:
            raise from_data(message["error"])
        stage = Stage.CRASH if message["out_of_memory"] else step
        raise Failure(stage, message["message"], message["refused"])

    def _read_line(self) -> bytes | None:
        """Return the next line, nothing at the end of the process, ``None`` when time is up."""
        assert self.process is not None
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._buffer:
                # What came while the other side was waited for counts, however late it is read.
                if not selector.select(max(0.0, self._deadline - time.monotonic())):
                    return None
                chunk = os.read(self.process.stdout.fileno(), 1 << 16)
                if not chunk:
                    return b""
                self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _how_it_ended(self) -> str:
        assert self.process is not None
        process = self.process
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        status = process.returncode
        self.crashes += 1
        self.close()
        if status is not None and status < 0:
            name = signal.Signals(-status).name
            text = f"the process was ended by {name}"
            if name == "SIGKILL":
                text += " (the system does that when memory runs out)"
        elif status == MEMORY_EXIT:
            text = "the process ran out of memory"
        else:
            text = f"the process ended with status {status}"
        tail = self._tail()
        return f"{text}; it said: {tail}" if tail else text

    def _tail(self) -> str:
        """Return the last line that the worker or its framework printed."""
        with contextlib.suppress(OSError):
            lines = self.log.read_text(errors="replace").strip().splitlines()
            return lines[-1].strip()[:300] if lines else ""
        return ""

"""The workers of a comparison, and starting them before there is something to compare.

To start an interpreter and import a framework takes longer than many a comparison. `convert` starts
the workers when it begins: they import, and the source loads, while the target is being made.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.errors import EquiportError
from converter.temporary import TemporaryFolder
from verify import runtimes
from verify.arguments import wanted_devices, wanted_runtimes
from verify.aside import Aside
from verify.limits import memory_size, with_threads
from verify.worker_side import WorkerSide

TARGETS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "tf": ("tensorflow", "saved_model", ()),
    "keras": ("tensorflow", "keras_archive", ("converter.formats.keras_model",)),
    "tflite": ("tensorflow", "tflite", ()),
    "torch": ("torch", "torch_artifact", ("torch.export", "torch._dynamo")),
    "onnx": ("onnx", "onnx_file", ("onnx_ir.passes.common",)),
}
"""Framework, format, and what loading it imports beside its runtime, of each target."""

OWN_FLOAT64 = runtimes.KINDS["torch"].kinds
"""Formats whose own run in float64 is the reference: they need no witness (`verify.measuring`)."""


@dataclass(frozen=True)
class Arrangement:
    """How the workers of a comparison are started.

    Attributes:
        wanted: runtimes that each side prefers, by label.
        devices: device of each side, by label.
        pythons: interpreter by label, and by framework where the label has none.
        common: what holds for both sides: trust, factory, timeout, threads, memory limit.
    """

    wanted: Mapping[str, list[str]]
    devices: Mapping[str, str]
    pythons: Mapping[str, str | None]
    common: Mapping[str, Any]

    def side(self, label: str, path: Path, framework: str, folder: Path) -> WorkerSide:
        """Return a side that has not started yet."""
        python = self.pythons[label] or self.pythons.get(framework)
        return WorkerSide(
            label, path.absolute(), self.wanted[label], self.devices[label], folder=folder,
            python=python, **self.common,
        )  # fmt: skip

    def aside(self) -> Aside:
        """Return the process for witnesses, which has not started yet."""
        names = ("timeout", "threads", "memory_limit")
        return Aside(**{name: self.common[name] for name in names})


def arrange(
    *, runtime: Any = None, device: Any = "cpu", trust: bool = False, factory: str | None = None,
    python_a: str | None = None, python_b: str | None = None, python_torch: str | None = None,
    python_tf: str | None = None, timeout: float = 600.0, threads: int | None = None,
    memory_limit: str | int | None = None,
) -> Arrangement:  # fmt: skip
    """Read the arguments of `verify` that say how workers start; see there.

    Raises:
        UsageError: one of them makes no sense.
    """
    with_threads({}, threads)
    return Arrangement(
        wanted_runtimes(runtime), wanted_devices(device),
        {"a": python_a, "b": python_b, "torch": python_torch, "tensorflow": python_tf},
        {"trust": trust, "factory": factory, "timeout": timeout, "threads": threads,
         "memory_limit": memory_size(memory_limit)},
    )  # fmt: skip


class Early:
    """Workers that have started; `take` hands each to the comparison, the others end with it."""

    def __init__(self, arrangement: Arrangement, a: Path | None, to: str) -> None:
        """Start.

        Args:
            a: the source, which begins to load; ``None``: it is live, and needs no worker.
            to: target of the conversion.
        """
        self._folder = TemporaryFolder()
        self.sides: dict[str, WorkerSide] = {}
        self.aside = arrangement.aside()
        try:
            if a is not None:
                self._load(arrangement, a)
            self._warm(arrangement, to)
        except BaseException:
            self.close()
            raise

    def _load(self, arrangement: Arrangement, a: Path) -> None:
        from converter.formats import recognise

        module = recognise(a)
        side = arrangement.side("a", a, module.FRAMEWORK, self._folder.path)
        self.sides["a"] = side
        side.begin_load()
        if module.NAME not in OWN_FLOAT64:
            self.aside.start()

    def _warm(self, arrangement: Arrangement, to: str) -> None:
        framework, kind, packages = TARGETS[to]
        self.sides["b"] = side = arrangement.side("b", Path(), framework, self._folder.path)
        side.start()
        with contextlib.suppress(EquiportError):  # not here; perhaps in the one that is used
            side.warm(runtimes.choose(framework, kind, arrangement.wanted["b"]), packages)

    def take(self, fresh: WorkerSide) -> WorkerSide:
        """Return the started worker for a side where it fits, else the side as it is."""
        side = self.sides.get(fresh.label)
        return side if side is not None and side.become(fresh) else fresh

    def close(self) -> None:
        """End all that has started."""
        for side in self.sides.values():
            side.close()
        self.aside.close()
        self._folder.cleanup()

"""Run graphs in the runtimes for ONNX as witnesses, in a process of its own.

They are asked about graphs that nobody chose to run in them, and ONNX Runtime ends with a
segmentation fault on some (a GRU in float16, for one). Here that is an answer like any other.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from converter.errors import EquiportError
from converter.temporary import TemporaryFolder
from verify.worker_side import WorkerSide

if TYPE_CHECKING:
    import numpy as np
    import onnx_ir as ir


class Aside:
    """A process that is started when it is first needed, and again after it has ended."""

    def __init__(
        self, *, timeout: float = 600.0, threads: int | None = None,
        memory_limit: int | None = None,
    ) -> None:  # fmt: skip
        """Start nothing yet.

        Args:
            timeout: seconds after which a load or a run counts as hung.
            threads: of the runtime; its own choice by default.
            memory_limit: bytes past which allocations fail.
        """
        self.timeout, self.threads, self.memory_limit = timeout, threads, memory_limit
        self.folder: TemporaryFolder | None = None
        self.side: WorkerSide | None = None
        self._held: tuple[str, ir.Model] | None = None

    def start(self) -> None:
        """Start the process and let it import ONNX Runtime, so that the first answer comes sooner.

        It is not waited for.
        """
        side = self._new(Path(), "onnxruntime")
        side.start()
        side.warm("onnxruntime", ("onnx_ir.passes.common",))
        self.side = side

    def run(
        self,
        runtime: str,
        model: ir.Model,
        inputs: Mapping[str, np.ndarray],
        *,
        again: bool = False,
    ) -> dict[str, np.ndarray]:
        """Run a graph, which is left as it is, and return its outputs by name.

        Args:
            runtime: ``onnxruntime``, ``onnxruntime_unoptimised`` or ``onnx_reference``.
            inputs: arrays by the names of the graph's inputs.
            again: the graph will be asked again and stays as it is: it is loaded once.

        Raises:
            EquiportError: the runtime does not take the graph.
            Failure: it raised something else, crashed, hung or ran out of memory.
        """
        import onnx_ir as ir

        with tempfile.TemporaryDirectory(dir=self._place()) as place:
            if not self._holds(runtime, model):
                self._held = None
                path = Path(place) / "model.onnx"
                ir.save(model.clone(), path, external_data=path.name + ".data")
                try:
                    self._loading(path, runtime).end_load()
                except EquiportError as error:  # the file is ours, and gone
                    error.args = (error.message.replace(str(path), "the graph"),)
                    error.message = error.args[0]
                    raise
            assert self.side is not None
            self.side.begin_run(dict(inputs), Path(place))
            results = self.side.end_run()[0]  # mapped: they outlive the files' names
        self._held = (runtime, model) if again else None
        return results

    def _holds(self, runtime: str, model: ir.Model) -> bool:
        """Tell whether the process runs and has loaded this very graph to keep it."""
        running = self.side is not None and self.side.process is not None
        held = self._held
        return running and held is not None and held[0] == runtime and held[1] is model

    def _place(self) -> Path:
        if self.folder is None:
            self.folder = TemporaryFolder()
        return self.folder.path

    def _new(self, path: Path, runtime: str) -> WorkerSide:
        return WorkerSide(
            "aside", path, [runtime], "cpu", folder=self._place(), timeout=self.timeout,
            threads=self.threads, memory_limit=self.memory_limit,
        )  # fmt: skip

    def _loading(self, path: Path, runtime: str) -> WorkerSide:
        """Return the process, started or running, that has been told to load a graph."""
        if self.side is None or self.side.process is None:
            self.side = self._new(path, runtime)
            self.side.begin_load()
        else:
            self.side.load_another(path, [runtime])
        return self.side

    def close(self) -> None:
        """End the process and remove what it left."""
        if self.side is not None:
            self.side.close()
        if self.folder is not None:
            self.folder.cleanup()
        self.side = self.folder = self._held = None

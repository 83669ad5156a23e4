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

    def run(
        self, runtime: str, model: ir.Model, inputs: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Run a graph, which is left as it is, and return its outputs by name.

        Args:
            runtime: ``onnxruntime``, ``onnxruntime_unoptimised`` or ``onnx_reference``.
            inputs: arrays by the names of the graph's inputs.

        Raises:
            EquiportError: the runtime does not take the graph.
            Failure: it raised something else, crashed, hung or ran out of memory.
        """
        import onnx_ir as ir

        if self.folder is None:
            self.folder = TemporaryFolder()
        with tempfile.TemporaryDirectory(dir=self.folder.path) as place:
            path = Path(place) / "model.onnx"
            ir.save(model.clone(), path, external_data=path.name + ".data")
            side = self._loading(path, runtime)
            try:
                side.end_load()
            except EquiportError as error:  # the file is ours, and gone
                error.args = (error.message.replace(str(path), "the graph"),)
                error.message = error.args[0]
                raise
            side.begin_run(dict(inputs), Path(place))
            return side.end_run()[0]  # mapped: they outlive the files' names

    def _loading(self, path: Path, runtime: str) -> WorkerSide:
        """Return the process, started or running, that has been told to load a graph."""
        if self.side is None or self.side.process is None:
            assert self.folder is not None
            self.side = WorkerSide(
                "aside", path, [runtime], "cpu", folder=self.folder.path,
                timeout=self.timeout, threads=self.threads, memory_limit=self.memory_limit,
            )  # fmt: skip
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
        self.side = self.folder = None

"""A process that holds one side: JSON lines come in, JSON lines go out, tensors lie in files.

Runs as ``python -m verify.worker``, in any interpreter that has NumPy and the side's framework.
Commands: ``load``, ``run``, ``graph``, ``time``, ``close``; see `Server`.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, TextIO

MEMORY_EXIT = 77
"""Exit status of a worker that found no memory even for its answer."""


class Server:
    """Answers commands with plain data."""

    def __init__(self) -> None:
        self.engine: Any = None

    def load(self, message: dict[str, Any]) -> dict[str, Any]:
        """Load a file: ``path``, ``trust``, ``factory``, ``runtimes``, ``device``."""
        from verify.engine import Engine, loader

        load = loader(message["path"], trust=message["trust"], factory=message["factory"])
        self.engine = Engine(load, message["runtimes"], message["device"])
        return self.engine.description

    def run(self, message: dict[str, Any]) -> dict[str, Any]:
        """Run on ``inputs``, what `verify.arrays.write` told of each; outputs go to ``folder``."""
        from verify.arrays import read, write

        inputs = {name: read(told) for name, told in message["inputs"].items()}
        outputs, facts = self.engine.run(inputs)
        folder = Path(message["folder"])
        told = {
            name: write(array, folder / f"{index}.npy")
            for index, (name, array) in enumerate(outputs.items())
        }
        return {**facts, "outputs": told}

    def graph(self, message: dict[str, Any]) -> dict[str, Any]:
        """Trace with ``signature``, plain data or null; the ONNX file goes to ``path``."""
        import onnx_ir as ir

        from converter.signature import Signature

        told = message["signature"]
        model = self.engine.graph(Signature.from_json(told) if told is not None else None)
        path = Path(message["path"])
        ir.save(model, path, external_data=path.name + ".data")
        return {}

    def time(self, message: dict[str, Any]) -> dict[str, Any]:
        """Repeat the last run ``count`` times."""
        return {"seconds": self.engine.time(message["count"])}


def answer(server: Server, message: dict[str, Any]) -> dict[str, Any]:
    """Carry out a command; whatever goes wrong becomes an answer."""
    from converter.errors import EquiportError
    from verify.engine import first_line, out_of_memory, peak_bytes

    try:
        result = getattr(server, message["command"])(message)
        return {"ok": True, "peak_bytes": peak_bytes(), **result}
    except EquiportError as error:
        known = {"class": type(error).__name__, "message": error.message, "hint": error.hint}
        return {"ok": False, **known, "peak_bytes": peak_bytes()}
    except Exception as error:
        traceback.print_exc()  # into the file that takes the frameworks' messages
        return {
            "ok": False,
            "class": None,
            "message": first_line(error),
            "out_of_memory": out_of_memory(error),
            "refused": server.engine is not None and server.engine.calling,
            "peak_bytes": peak_bytes(),
        }


def serve(commands: TextIO, answers: TextIO) -> None:
    """Answer until the commands end or say ``close``."""
    server = Server()
    for line in commands:
        message = json.loads(line)
        if message["command"] == "close":
            return
        answers.write(json.dumps(answer(server, message)) + "\n")
        answers.flush()


PR_SET_PDEATHSIG = 1
"""From Linux's ``sys/prctl.h``."""


def volunteer() -> None:
    """Ask Linux to end this process with its parent, and first of all when memory runs out."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    with contextlib.suppress(OSError, AttributeError):  # another system, where we go without
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    """Keep the two channels to ourselves: what a framework prints must not end up in an answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    volunteer()
    commands = os.fdopen(os.dup(0), "r", encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    sys.stdin, sys.stdout = open(0, closefd=False), open(1, "w", closefd=False)  # noqa: SIM115
    try:
        serve(commands, answers)
    except MemoryError:
        os._exit(MEMORY_EXIT)
    except BrokenPipeError:
        pass  # the parent is gone
    sys.stderr.flush()
    os._exit(0)  # some frameworks take seconds, or crash, in tidying up


if __name__ == "__main__":
    main()

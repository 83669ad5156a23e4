"""A process that holds one side: JSON lines come in, JSON lines go out, tensors lie in files.

Runs as ``python -m verify.worker``, in any interpreter that has NumPy and the side's framework.
Commands: ``warm``, ``load``, ``run``, ``keep``, ``reset``, ``changed``, ``recorded``, ``graph``,
``frozen``, ``weights``, ``ability``, ``train``, ``time``, ``close``; see `Server`.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    import numpy as np

from converter.stages.child import channels, volunteer
from converter.stages.told import to_data

MEMORY_EXIT = 77
"""Exit status of a worker that found no memory even for its answer."""


class Server:
    """Answers commands with plain data."""

    def __init__(self) -> None:
        self.engine: Any = None

    def load(self, message: dict[str, Any]) -> dict[str, Any]:
        """Load a file: ``path``, ``trust``, ``factory``, ``runtimes``, ``device``.

        ``memory_limit``: bytes past which allocations fail, or null.
        """
        from verify.engine import Engine, loader
        from verify.limits import limit_memory

        limit_memory(message["memory_limit"])
        load = loader(message["path"], trust=message["trust"], factory=message["factory"])
        self.engine = Engine(load, message["runtimes"], message["device"])
        return self.engine.description

    def warm(self, message: dict[str, Any]) -> None:
        """Import ``runtime`` and ``packages``; what is missing, `load` tells."""
        import contextlib
        from importlib import import_module

        from converter.errors import EquiportError
        from verify import arrays, engine, runtimes  # noqa: F401

        with contextlib.suppress(EquiportError, ImportError, OSError):
            runtimes.load(message["runtime"])
            for name in message["packages"]:
                import_module(name)

    def run(self, message: dict[str, Any]) -> dict[str, Any]:
        """Run on ``inputs``, what `verify.arrays.write` told of each; outputs go to ``folder``."""
        from verify.arrays import read

        inputs = {name: read(told) for name, told in message["inputs"].items()}
        outputs, facts = self.engine.run(inputs)
        return {**facts, "outputs": _written(outputs, Path(message["folder"]))}

    def keep(self, message: dict[str, Any]) -> dict[str, Any]:
        """Remember what the model holds; what it holds under ``names`` goes to ``folder``."""
        held = self.engine.keep(message["names"])
        return {"outputs": _written(held, Path(message["folder"]))}

    def reset(self, message: dict[str, Any]) -> dict[str, Any]:
        """Put back what the model held at first."""
        self.engine.reset()
        return {}

    def changed(self, message: dict[str, Any]) -> dict[str, Any]:
        """Tell the names of what the model holds otherwise than at first."""
        return {"names": self.engine.changed()}

    def in_float64(self, message: dict[str, Any]) -> dict[str, Any]:
        """Run a copy in float64, as `run` does."""
        from verify.arrays import read

        inputs = {name: read(told) for name, told in message["inputs"].items()}
        outputs = self.engine.in_float64(inputs)
        return {"outputs": _written(outputs, Path(message["folder"]))}

    def recorded(self, message: dict[str, Any]) -> dict[str, Any]:
        """Run, and tell what the model computes on its way, as `run` tells of outputs."""
        from verify.arrays import read

        inputs = {name: read(told) for name, told in message["inputs"].items()}
        return {"outputs": _written(self.engine.recorded(inputs), Path(message["folder"]))}

    def graph(self, message: dict[str, Any]) -> dict[str, Any]:
        """Trace with ``signature``, plain data or null; the ONNX file goes to ``path``."""
        import onnx_ir as ir

        from converter.signature import Signature

        told = message["signature"]
        model = self.engine.graph(Signature.from_json(told) if told is not None else None)
        path = Path(message["path"])
        ir.save(model, path, external_data=path.name + ".data")
        return {}

    def frozen(self, message: dict[str, Any]) -> dict[str, Any]:
        """Trace twice with inputs of ``signature``; tells `verify.frozen.Frozen` of each place."""
        from dataclasses import asdict

        from converter.signature import Signature

        found = self.engine.frozen(Signature.from_json(message["signature"]))
        return {"frozen": [asdict(item) for item in found]}

    def weights(self, message: dict[str, Any]) -> dict[str, Any]:
        """Write all weights to the file ``path``; what `verify.proof.held.write` tells of them."""
        from verify.proof.held import write

        return {"weights": write(self.engine.weights(), Path(message["path"]))}

    def ability(self, message: dict[str, Any]) -> dict[str, Any]:
        """Tell whether the model trains, as `verify.training.plan.Ability` has it."""
        from dataclasses import asdict

        return {"ability": asdict(self.engine.ability())}

    def train(self, message: dict[str, Any]) -> dict[str, Any]:
        """Carry out ``plan`` on ``inputs`` with ``targets``; arrays go to ``folder``."""
        from converter.signature import Signature
        from verify.arrays import read
        from verify.training.plan import Plan

        given = [
            {name: read(told) for name, told in message[kind].items()}
            for kind in ("inputs", "targets")
        ]
        told = message["signature"]
        signature = Signature.from_json(told) if told is not None else None
        learned = self.engine.learn(Plan.from_data(message["plan"]), *given, signature)
        return {"learned": learned.write(Path(message["folder"]))}

    def time(self, message: dict[str, Any]) -> dict[str, Any]:
        """Repeat the last run ``count`` times."""
        return {"seconds": self.engine.time(message["count"])}


def _written(outputs: dict[str, np.ndarray], folder: Path) -> dict[str, Any]:
    from verify.arrays import write

    return {
        name: write(array, folder / f"{index}.npy")
        for index, (name, array) in enumerate(outputs.items())
    }


def answer(server: Server, message: dict[str, Any]) -> dict[str, Any]:
    """Carry out a command; whatever goes wrong becomes an answer."""
    from converter.errors import EquiportError
    from verify.engine import first_line, out_of_memory, peak_bytes

    try:
        result = getattr(server, message["command"])(message)
        return {"ok": True, "peak_bytes": peak_bytes(), **result}
    except EquiportError as error:
        return {"ok": False, "error": to_data(error), "peak_bytes": peak_bytes()}
    except Exception as error:
        traceback.print_exc()  # into the file that takes the frameworks' messages
        return {
            "ok": False,
            "error": None,
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
        if message["command"] == "warm":  # nobody waits for an answer
            server.warm(message)
            continue
        answers.write(json.dumps(answer(server, message)) + "\n")
        answers.flush()


def main() -> None:
    """Answer until the parent has enough."""
    volunteer()
    commands, answers = channels()
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

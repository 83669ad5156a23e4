"""A side of a comparison that lives in this process; the other kind is `verify.worker_side`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.errors import EquiportError
from verify.limits import torch_threads
from verify.report.result import Stage

if TYPE_CHECKING:
    import numpy as np
    import onnx_ir as ir

    from converter.signature import Signature
    from verify.frozen import Frozen
    from verify.proof.held import Holding
    from verify.training.plan import Ability, Learned, Plan

Outputs = dict[str, "np.ndarray"]


class Failure(Exception):
    """One side did not get through a step; becomes a row of the report.

    ``refused`` says that the model itself raised an exception while it ran.
    """

    def __init__(self, stage: Stage, reason: str, refused: bool = False) -> None:
        super().__init__(reason)
        self.stage, self.reason, self.refused = stage, reason, refused


@contextmanager
def _failing(stage: Stage) -> Iterator[None]:
    """Turn whatever a framework raises into a failure at a stage; what is typed stays so."""
    from verify.engine import first_line

    try:
        yield
    except EquiportError:
        raise
    except Exception as error:
        raise Failure(stage, first_line(error)) from error


class LiveSide:
    """A model that runs where it lives; it can neither crash alone nor be stopped."""

    live = True

    def __init__(
        self, label: str, model: Any, wanted: list[str], device: str, threads: int | None = None
    ) -> None:
        self.threads = threads
        self.label, self.model, self.wanted, self.device = label, model, wanted, device
        self.name = name_of(model)
        self.engine: Any = None
        self.peak_bytes = 0
        self._inputs: dict[str, np.ndarray] = {}

    def begin_load(self) -> None:
        """Nothing to start."""

    def end_load(self) -> dict[str, Any]:
        """Get the model ready and return its description (`verify.engine.Engine`)."""
        from converter.formats import from_live
        from verify.engine import Engine

        with _failing(Stage.LOAD):
            self.engine = Engine(lambda: from_live(self.model), self.wanted, self.device)
        return self.engine.description

    def begin_run(self, inputs: dict[str, np.ndarray], folder: Path) -> None:
        """Remember the inputs."""
        self._inputs = inputs

    def end_run(self) -> tuple[Outputs, dict[str, Any]]:
        """Run and return outputs and facts."""
        from verify.engine import first_line, out_of_memory, peak_bytes

        try:
            return self.engine.run(self._inputs)
        except EquiportError:
            raise
        except Exception as error:
            stage = Stage.CRASH if out_of_memory(error) else Stage.RUN
            raise Failure(stage, first_line(error), self.engine.calling) from error
        finally:
            self.peak_bytes = peak_bytes()

    def keep(self, names: list[str], folder: Path) -> Outputs:
        """Remember what the model holds; see `verify.engine.Engine.keep`."""
        with _failing(Stage.RUN):
            return self.engine.keep(names)

    def reset(self) -> None:
        """Put back what the model held at first."""
        with _failing(Stage.RUN):
            self.engine.reset()

    def changed(self) -> list[str]:
        """Return what the model holds otherwise than at first."""
        with _failing(Stage.RUN):
            return self.engine.changed()

    def weights(self) -> Holding:
        """Return what the model holds."""
        with _failing(Stage.LOAD):
            return self.engine.weights()

    def ability(self) -> Ability:
        """Tell whether the model trains."""
        return self.engine.ability()

    def learn(
        self, plan: Plan, inputs: Outputs, targets: Outputs, signature: Signature | None
    ) -> Learned:
        """Carry out a plan of training; see `verify.engine.Engine.learn`."""
        with _failing(Stage.RUN):
            return self.engine.learn(plan, inputs, targets, signature)

    def graph(self, signature: Signature | None) -> ir.Model:
        """Return the model as an ONNX graph; see `verify.engine.Engine.graph`."""
        with _failing(Stage.TRACE):
            return self.engine.graph(signature)

    def frozen(self, signature: Signature) -> list[Frozen]:
        """Return what tracing freezes; see `verify.engine.Engine.frozen`."""
        with _failing(Stage.TRACE):
            return self.engine.frozen(signature)

    def recorded(self, inputs: dict[str, np.ndarray], folder: Path) -> Outputs:
        """Return what the model computes on its way; see `verify.engine.Engine.recorded`."""
        with _failing(Stage.RUN):
            return self.engine.recorded(inputs)

    def in_float64(self, inputs: dict[str, np.ndarray], folder: Path) -> Outputs:
        """Return the outputs of the model in float64; see `verify.engine.Engine.in_float64`."""
        with _failing(Stage.RUN):
            return self.engine.in_float64(inputs)

    def time(self, count: int) -> list[float]:
        """Repeat the last run and return the seconds of each."""
        torch = self.engine.source.framework == "torch"
        with torch_threads(self.threads if torch else None):
            return self.engine.time(count)

    @property
    def usable(self) -> bool:
        """Whether another run can be tried."""
        return True

    def close(self) -> None:
        """Leave the model as it was."""
        if self.engine is not None:
            self.engine.close()


def name_of(model: Any) -> str:
    """Return how the report calls a live model: its own name or its class."""
    name = getattr(model, "name", None) or getattr(model, "__name__", None)
    kind = type(model).__name__
    return f"{kind} {name}" if isinstance(name, str) and name else kind

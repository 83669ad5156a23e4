"""One cell of the sweep, run in a process of its own: convert one model in one direction."""

from __future__ import annotations

import json
import math
import resource
import sys
import time
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from zoo.entry import Entry

KIB = 1024


@dataclass
class Outcome:
    """What came of one conversion.

    Attributes:
        name: the entry.
        source, target: frameworks, ``"torch"`` or ``"tf"``.
        passed: verified within the entry's tolerance, with all parameters.
        max_rel: largest difference, relative to the largest element of its output.
        tolerance: the entry's.
        parameters: number of trainable parameters of the source.
        problems: what failed, one line each.
        score: metric, and its value before and after, where the model was trained.
        seconds: wall time of the conversion with its verification.
        peak_mib: most memory resident in the process, in MiB.
    """

    name: str
    source: str
    target: str
    passed: bool = False
    max_rel: float | None = None
    tolerance: float = 0.0
    parameters: int = 0
    problems: list[str] = field(default_factory=list)
    score: tuple[str, float, float] | None = None
    seconds: float = 0.0
    peak_mib: float = 0.0

    @property
    def label(self) -> str:
        """Name and direction, ``unet:torch->tf``."""
        return f"{self.name}:{self.source}->{self.target}"

    def to_json(self) -> dict[str, Any]:
        """Return plain data that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Outcome:
        """Read what `to_json` wrote; `TypeError` or `KeyError` if it is something else."""
        score = data.get("score")
        return cls(**{**data, "score": tuple(score) if score else None})


def run(name: str, source: str) -> Outcome:
    """Convert, verify, compare the parameters, and score the trained models on both sides."""
    import converter
    from converter.errors import EquiportError
    from converter.temporary import TemporaryFolder
    from zoo.loading import load
    from zoo.registry import get

    entry = get(name)
    target = dict(entry.directions)[source]
    outcome = Outcome(name, source, target, tolerance=entry.tolerance)
    model = load(name, source)
    start = time.monotonic()
    try:
        with TemporaryFolder() as folder:
            conversion = converter.convert(
                model,
                to=target,
                inputs=entry.side(source).inputs,
                output=folder / name,
                verify=True,
                keep_failed=True,
                verifier_options={"sizes": entry.sizes, "latency": False},
            )
    except EquiportError as error:
        outcome.problems.append(f"{type(error).__name__}: {error}")
    else:
        judge(outcome, entry, model, conversion)
    outcome.seconds = round(time.monotonic() - start, 2)
    outcome.peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB
    outcome.passed = not outcome.problems
    return outcome


def judge(outcome: Outcome, entry: Entry, model: Any, conversion: Any) -> None:
    """Fill in the outcome of a conversion that came to its end."""
    from zoo.parameters import arrived, differences, trainable

    report = conversion.report
    if not report.passed:
        outcome.problems += report.failures or ["the report says that it failed"]
    if report.outputs:
        outcome.max_rel = worst(report)
        if not outcome.max_rel <= outcome.tolerance:
            outcome.problems.append(f"off by {outcome.max_rel:.1e}, not {outcome.tolerance:.1e}")
    parameters = trainable(model, outcome.source)
    outcome.parameters = len(parameters)
    outcome.problems += differences(parameters, arrived(conversion.model, outcome.target))
    steps(outcome, entry, model, conversion.model)
    if entry.score:
        scored(outcome, entry, model, conversion.model)


def worst(report: Any) -> float:
    """Return the largest relative difference over the runs on ordinary inputs.

    At other scales (`verify.scales`) an output may be nothing but rounding; the report judges those
    by their noise.
    """
    ordinary = [run for run in report.runs if run.label == f"seed {run.seed}"]
    return max(
        (item.max_rel for run in ordinary for item in run.outputs.values()), default=math.nan
    )


def steps(outcome: Outcome, entry: Entry, model: Any, converted: Any) -> None:
    """Check that a step of the optimiser moves what it moves in the source."""
    from zoo.parameters import moved_by_a_step
    from zoo.sampling import sample

    sizes = {dim: tried[-1] for dim, tried in entry.sizes.items()}
    inputs = sample(entry, outcome.source, sizes, entry.seed)
    wanted = moved_by_a_step(model, outcome.source, inputs, converted=False)
    got = moved_by_a_step(converted, outcome.target, inputs, converted=True)
    outcome.problems += [f"{name} does not train any more" for name in sorted(wanted - got)]


def scored(outcome: Outcome, entry: Entry, model: Any, converted: Any) -> None:
    """Measure a trained model before and after."""
    from zoo.loading import function

    assert entry.score is not None
    score = function(entry.score)
    metric, before = score(partial(predict, entry, outcome.source, outcome.source, model))
    after = score(partial(predict, entry, outcome.source, outcome.target, converted))[1]
    outcome.score = metric, before, after
    if metric == "accuracy" and after < before:
        outcome.problems.append(f"accuracy fell from {before:.4f} to {after:.4f}")


def predict(entry: Entry, source: str, framework: str, model: Any, x: Any) -> Any:
    """Run a one-input model of either framework; arrays are in PyTorch's layout.

    Args:
        source: framework that the model was converted from: its inputs have that one's layout.
        framework: framework that the model is of now.
    """
    import numpy as np

    from zoo.sampling import to_tf, to_torch

    name = entry.side(source).signature.inputs[0].name
    x = to_tf(entry, name, x) if source == "tf" else x
    if framework == "torch":
        import torch

        with torch.no_grad():
            y = model(torch.from_numpy(x)).numpy()
    else:
        y = np.asarray(model(x))
    return to_torch(entry, "output", y) if source == "tf" else y


def main() -> None:
    """``python -m zoo.case NAME FRAMEWORK RESULT``: write the outcome to a file."""
    name, source, result = sys.argv[1:]
    Path(result).write_text(json.dumps(run(name, source).to_json()))


if __name__ == "__main__":
    main()

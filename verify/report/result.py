"""What a comparison found; every report is a view of this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from verify.report.location import Depth, Location
from verify.report.outline import OutlineNode
from verify.report.proof import WeightProof
from verify.report.randomness import Randomness
from verify.report.training import TrainingParity


class Stage(StrEnum):
    """How far a run came.

    ``OK`` compared and equal within the limit; ``REFUSED`` a side refuses the inputs where it may,
    or the source's noise decides nothing there; ``NOTHING`` both sides ran, and there was no finite
    element to compare: `Run.uncompared` says why of both. The others are failures, called by where
    they happened.
    """

    OK = "ok"
    REFUSED = "refused"
    NOTHING = "nothing"
    LOAD = "load"
    TRACE = "trace"
    REBUILD = "rebuild"
    RUN = "run"
    MISMATCH = "mismatch"
    TIMEOUT = "timeout"
    CRASH = "crash"

    @property
    def failed(self) -> bool:
        """Whether this is a failure."""
        return self not in (Stage.OK, Stage.REFUSED, Stage.NOTHING)


class Uncompared(StrEnum):
    """Why a run that did not fail compared nothing."""

    BOTH_REFUSE = "both-refuse"
    A_REFUSES = "a-refuses"
    B_REFUSES = "b-refuses"
    NOISE = "noise"
    OVERFLOW = "overflow"
    EMPTY = "empty"
    NOT_FINITE = "not-finite"
    SHAPE = "shape"
    RANDOM = "random"

    @property
    def words(self) -> str:
        """The same in words, as every report has them."""
        return _WORDS[self]


_WORDS = {
    Uncompared.BOTH_REFUSE: "both refuse the inputs",
    Uncompared.A_REFUSES: "a refuses the inputs",
    Uncompared.B_REFUSES: "b refuses the inputs",
    Uncompared.NOISE: "a decides nothing there",
    Uncompared.OVERFLOW: "a overflows there",
    Uncompared.EMPTY: "the outputs have no elements",
    Uncompared.NOT_FINITE: "both sides gave NaN or infinity alone",
    Uncompared.RANDOM: "all outputs are random, and are compared in distribution",
    Uncompared.SHAPE: "without rows, which nobody declared, the shapes differ",
}


class Criterion(StrEnum):
    """What decides how far b may be from a.

    ``NOISE`` the source's own rounding noise, measured against float64; ``FALLBACK`` the fixed
    table per dtype, because the noise could not be measured; ``FIXED`` the table, as was asked for;
    ``NUMBERS`` rtol and atol, as were given; ``NONE`` nothing came so far as to be judged.
    """

    NOISE = "noise"
    FALLBACK = "fallback"
    FIXED = "fixed"
    NUMBERS = "numbers"
    NONE = "none"


@dataclass(frozen=True)
class Limits:
    """What decided, and why.

    Attributes:
        criterion: what decides.
        reason: why the noise could not be measured.
        hint: what to type so that it can.
    """

    criterion: Criterion = Criterion.NONE
    reason: str = ""
    hint: str = ""

    @property
    def warning(self) -> str:
        """What a reader must know: the fixed table decided although nobody asked for it."""
        if self.criterion is not Criterion.FALLBACK:
            return ""
        return (
            "FIXED LIMITS per dtype decide, which let far larger errors pass than the noise would: "
            f"{self.reason}" + (f". {self.hint}" if self.hint else "")
        )


@dataclass(frozen=True)
class OutputComparison:
    """One output of one run, b against a.

    Attributes:
        name: name of the output, a's.
        dtype: dtype in a.
        shape: shape in a.
        max_abs: largest absolute difference. Booleans and strings count 1 where they differ.
        mean_abs: mean absolute difference.
        max_rel: ``max_abs`` relative to the largest absolute value in a.
        cosine: cosine of the angle between the two; 1 for two zeros.
        snr_db: signal-to-noise ratio in dB, a as the signal; infinite where there is no difference.
        mismatches: how many elements differ by more than the limit.
        count: how many elements there are.
        limit: largest ``max_abs`` that passes; with rtol and atol, the smallest over all elements;
            where the noise was measured, the largest ``error`` that passes.
        limit_reason: where the limit comes from.
        passed: the verdict.
        reason: why it failed; empty where it passed.
        noise: the source's own error relative to its largest value, where it was measured.
        rms: root mean square of the difference; where the noise was measured, of b's from the exact
            result.
        rms_limit: largest ``rms`` that passes; ``None``: it is not judged.
        noise_rms: root mean square of the source's own error, in units of the output, where it was
            measured.
        ties: elements that differ where the reference's own margin is inside the noise, and pass.
        histogram: number of elements whose difference relative to the largest value of a is zero,
            below 1e-12, then by decades up to 10, and above (`HISTOGRAM_EDGES`).
        error: b's difference from the exact result, of the element that comes closest to its limit;
            ``None`` where the noise was not measured.
        noise_max: the source's own largest error, in units of the output, where it was measured.
        overflow: elements that are NaN or infinite in a alone, or in runs of it that round more,
            the exact result being finite, where nothing else is wrong.
        compared: elements that are finite on both sides, or exact (integers, booleans, strings); 0:
            the verdict rests on nothing.
        other_shape: the shape in b, where it is another.
        random: the values are random: shape and dtype alone were compared here, the rest in
            distribution (`Report.random`).
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    max_abs: float = 0.0
    mean_abs: float = 0.0
    max_rel: float = 0.0
    cosine: float = 1.0
    snr_db: float = float("inf")
    mismatches: int = 0
    count: int = 0
    limit: float = 0.0
    limit_reason: str = ""
    passed: bool = True
    reason: str = ""
    noise: float | None = None
    rms: float = 0.0
    rms_limit: float | None = None
    noise_rms: float | None = None
    ties: int = 0
    histogram: tuple[int, ...] = ()
    error: float | None = None
    noise_max: float | None = None
    overflow: int = 0
    compared: int = 0
    other_shape: tuple[int, ...] | None = None
    random: bool = False

    @property
    def verdict(self) -> str:
        """The verdict in a word."""
        if not self.passed:
            return "FAIL"
        if self.random:
            return "random"
        return "ok" if self.compared else "nothing"


HISTOGRAM_EDGES = tuple(10.0**exponent for exponent in range(-12, 2))
"""Upper edges of the bins of `OutputComparison.histogram` after the first, which counts zeros."""


@dataclass(frozen=True)
class Run:
    """One set of inputs on both sides.

    Attributes:
        label: e.g. ``seed 0`` or ``data``.
        seed: of the random inputs, ``None`` for the user's own.
        sizes: size of each dynamic dimension.
        stage: how far it came.
        side: ``"a"`` or ``"b"`` where one of them is to blame, else ``""``.
        reason: what happened, where it failed.
        outputs: comparison of each output, by name.
        seconds: seconds that each side took, first run included.
        digest: first digits of the SHA-256 of the inputs (`verify.digest.of_inputs`).
        uncompared: why nothing was compared, where the run did not fail.
    """

    label: str
    seed: int | None
    sizes: Mapping[str, int]
    stage: Stage
    side: str = ""
    reason: str = ""
    outputs: Mapping[str, OutputComparison] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    digest: str = ""
    uncompared: Uncompared | None = None

    @property
    def title(self) -> str:
        """Label and sizes in one line."""
        sizes = ", ".join(f"{name}={size}" for name, size in self.sizes.items())
        return f"{self.label}, {sizes}" if sizes else self.label


@dataclass
class Side:
    """One of the two things compared.

    Attributes:
        label: ``"a"`` or ``"b"``.
        name: file name, or the class of a live model.
        framework: ``"torch"``, ``"tensorflow"`` or ``"onnx"``.
        kind: format or kind of live object.
        runtime: what ran it (`verify.runtimes.KINDS`).
        device: ``"cpu"`` or ``"cuda"``.
        versions: version of each package that matters.
        live: ran in this process rather than in a worker.
        load_seconds: seconds to load it.
        peak_bytes: most memory resident in its process; for a live model that is everything here.
    """

    label: str
    name: str
    framework: str = ""
    kind: str = ""
    runtime: str = ""
    device: str = "cpu"
    versions: Mapping[str, str] = field(default_factory=dict)
    live: bool = False
    load_seconds: float = 0.0
    peak_bytes: int = 0


@dataclass(frozen=True)
class Timing:
    """Seconds of one side's repeated runs.

    Attributes:
        median: of all runs.
        p90: 90th percentile.
        runs: how many there were.
        p99: 99th percentile.
        samples: the durations in order, thinned evenly where there are many.
    """

    median: float
    p90: float
    runs: int
    p99: float = 0.0
    samples: tuple[float, ...] = ()


@dataclass(frozen=True)
class SizeTiming:
    """Timing at one size of a dynamic dimension.

    Attributes:
        name: the dimension.
        size: its size.
        a, b: each side's timing.
        ratio: how many times as long as a b takes.
        interval: of the ratio, at 95 %.
    """

    name: str
    size: int
    a: Timing
    b: Timing
    ratio: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Latency:
    """Interleaved timing of both sides on the same inputs.

    Attributes:
        a, b: each side's timing.
        ratio: how many times as long as a b takes: the median over all pairs of measurements.
        max_slowdown: the largest ratio that passes, ``None``: no gate.
        inputs: title of the run whose inputs were used.
        interval: 95 % interval of the ratio (`verify.intervals`).
        pairs: how many pairs of measurements there were.
        settled: whether both sides' warm-up ended because they became no faster.
        threads: how many a framework computed on, ``None``: as many as there are.
        sweep: over sizes of the first dynamic dimension, where it was asked for.
    """

    a: Timing
    b: Timing
    ratio: float
    max_slowdown: float | None = None
    inputs: str = ""
    interval: tuple[float, float] | None = None
    pairs: int = 0
    settled: bool = True
    threads: int | None = None
    sweep: tuple[SizeTiming, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether b is not slower than the gate allows: some of the interval lies within it.

        So b fails only if it is too slow at 95 %; without an interval the ratio alone decides.
        """
        low = self.ratio if self.interval is None else self.interval[0]
        return self.max_slowdown is None or low <= self.max_slowdown


@dataclass(frozen=True)
class TimeBudget:
    """The time that the comparison had.

    Attributes:
        seconds: how long it was to take; ``None``: as long as it takes.
        spent: seconds that it took.
        left_out: what there was no time for: titles of runs, and other things in words. None of it
            counts as passed.
    """

    seconds: float | None
    spent: float
    left_out: tuple[str, ...] = ()


@dataclass
class Report:
    """The outcome of a comparison.

    Attributes:
        a, b: what was compared.
        runs: every set of inputs, in order.
        findings: what the user should know beside the verdict.
        latency: timing, where it was asked for.
        weights: the weight proof, where it could be made.
        depth: node by node, with ``deep`` and after a mismatch.
        location: where a mismatch comes from.
        training: training parity, where it was asked for.
        random: the outputs that depend on random numbers, compared in distribution; where there
            are some.
        limits: what decided how far b may be from a.
        inputs: dtype and shape of each input, as in ``--input``.
        graphs: nodes of either side's ONNX graph, by label, where they were asked for; for
            pictures, not in the JSON.
        budget: the time that there was, and what was left out for want of it.
    """

    a: Side
    b: Side
    runs: list[Run] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    latency: Latency | None = None
    weights: WeightProof | None = None
    depth: Depth | None = None
    location: Location | None = None
    training: TrainingParity | None = None
    random: Randomness | None = None
    limits: Limits = field(default_factory=Limits)
    inputs: Mapping[str, str] = field(default_factory=dict)
    graphs: Mapping[str, tuple[OutlineNode, ...]] = field(
        default_factory=dict, metadata={"published": False}
    )
    budget: TimeBudget | None = None

    @property
    def passed(self) -> bool:
        """At least one run was compared, and nothing that was looked at failed."""
        failed = any(run.stage.failed for run in self.runs)
        # Every part that has a verdict counts, so that a new one cannot be forgotten here.
        parts = (getattr(getattr(self, part.name), "passed", True) for part in fields(self))
        return self.compared and not failed and all(parts)

    @property
    def compared(self) -> bool:
        """Whether a run compared at least one finite element, or random outputs were compared."""
        if self.random is not None and self.random.outputs:
            return True
        return any(run.stage in (Stage.OK, Stage.MISMATCH) for run in self.runs)

    @property
    def outputs(self) -> dict[str, OutputComparison]:
        """Each output's worst comparison over all runs: failed ones first, then by ``max_rel``."""
        worst: dict[str, OutputComparison] = {}
        for run in self.runs:
            for name, item in run.outputs.items():
                if name not in worst or _badness(item) > _badness(worst[name]):
                    worst[name] = item
        return worst

    @property
    def failures(self) -> list[str]:
        """What failed, one line each; `verify.report.failures` has more of each."""
        from verify.report.failures import failed

        return [item.text for item in failed(self)]

    def __str__(self) -> str:
        from verify.report.terminal import render

        return render(self)

    def to_data(self) -> dict[str, Any]:
        """Return plain data for JSON; `verify.report.json` has the schema."""
        from verify.report import json

        return json.to_data(self)

    def to_json(self, path: str | Path | None = None) -> str:
        """Return the JSON text, and write it to ``path`` if there is one."""
        from verify.report import json

        return json.write(self, path)

    def to_junit(self, path: str | Path | None = None) -> str:
        """Return JUnit XML, and write it to ``path`` if there is one."""
        from verify.report import junit

        return junit.write(self, path)

    def to_html(self, path: str | Path | None = None) -> str:
        """Return one self-contained page, and write it to ``path`` if there is one.

        Raises:
            MissingFrameworkError: jinja2 is not installed.
        """
        from verify.report import html

        return html.write(self, path)

    def to_sarif(self, path: str | Path | None = None) -> str:
        """Return SARIF 2.1.0 text, and write it to ``path`` if there is one."""
        from verify.report import sarif

        return sarif.write(self, path)

    def to_tensorboard(self, folder: str | Path) -> None:
        """Write TensorBoard event files to a folder.

        Raises:
            MissingFrameworkError: tensorboard is not installed.
        """
        from verify.report import tensorboard

        tensorboard.write(self, folder)

    def to_markdown(self, path: str | Path | None = None) -> str:
        """Return Markdown (for a job's summary), and write it to ``path`` if there is one."""
        from verify.report import markdown

        return markdown.write(self, path)


def _badness(item: OutputComparison) -> tuple[bool, bool, float]:
    relative = item.max_rel
    return not item.passed, item.compared > 0, float("inf") if relative != relative else relative

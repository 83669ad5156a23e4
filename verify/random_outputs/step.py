"""The step of a comparison that draws from random outputs and compares them in distribution."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from verify.arrays import dtype_name
from verify.inputs import Case
from verify.matching import under_one_name
from verify.random_outputs.two_samples import compared, repeats, spread_of_square, thinned
from verify.report.randomness import Randomness, RandomOutput
from verify.report.result import Report
from verify.sides import Failure
from verify.sizes import elements

if TYPE_CHECKING:
    from verify.job import Job
    from verify.matching import Feed, View

STAGE = 0.01
"""Significance of one test. Whoever fails it is tested again on twice as many new draws, so a right
output fails once in ``1 / STAGE**2`` comparisons."""

FIRST, MOST = 48, 4096
"""Draws of each side: at first, and at most."""

WANTED = 0.10
"""A standard deviation off by this part is to be found."""

SURE = 5.9
"""Deviations of a statistic's difference that are found in 99 of 100 cases: 3.5 is the limit of the
largest of some fifteen at `STAGE`, and 2.4 more are needed."""

MOST_SECONDS = 60.0

ROWS = 64
"""Size of an open batch in the draws: more elements, fewer calls."""

MOST_ELEMENTS = 1 << 18

REPEATED = 0.05
"""Part of b's draws that may be repeats where a repeats none."""

Draws = dict[str, list[np.ndarray]]


def in_distribution(
    job: Job, report: Report, cases: list[Case], feeds: list[Feed], views: list[View]
) -> Randomness:
    """Compare the random outputs of a job on one of the inputs that both sides could run."""
    ran = [
        case
        for case, run in zip(cases, report.runs, strict=False)
        if len(run.seconds) == 2 and 0 not in case.sizes.values()
    ]
    if not ran:
        return Randomness(note="there is no run that both sides did")
    usual = [case for case in ran if not case.scale] or ran
    source = _Source(job, feeds, views)
    job.options.progress("comparing random outputs in distribution")
    for case in (_with_many_rows(job, usual[-1]), usual[-1]):
        try:
            source.begin(case)
            return _compare(source)
        except Failure as failure:
            why = failure.reason
    return Randomness(note=f"a side failed when it was run again: {why}")


def _with_many_rows(job: Job, case: Case) -> Case:
    """Return the case with more rows, where the batch is open."""
    signature = job.signature
    assert signature is not None
    word = next((spec.shape[0] for spec in signature.inputs if spec.shape), 0)
    if case.data is not None or not isinstance(word, str) or word not in case.sizes:
        return case
    allowed = signature.dims.get(word)
    most = ROWS if allowed is None or allowed.maximum is None else min(ROWS, allowed.maximum)
    sizes = {**case.sizes, word: max(most, case.sizes[word])}
    large = elements(signature, sizes) > MOST_ELEMENTS
    return case if large else replace(case, sizes=sizes)


class _Source:
    """Draws of both sides on one set of inputs."""

    def __init__(self, job: Job, feeds: list[Feed], views: list[View]) -> None:
        self.job, self.feeds, self.views = job, feeds, views
        self.case = Case("")
        self.inputs: Mapping[str, np.ndarray] = {}
        self.dtypes: dict[str, str] = {}
        self.sizes: dict[str, int] = {}
        self.places: dict[str, dict[int, np.ndarray]] = {}
        self.end = time.monotonic() + MOST_SECONDS

    def begin(self, case: Case) -> None:
        assert self.job.signature is not None
        self.case, self.inputs = case, case.inputs(self.job.signature)
        self.sizes, self.places = {}, {}
        self.draw(1)

    def draw(self, count: int) -> tuple[Draws, Draws]:
        """Call both sides so often, or until the time is up, and at least `FIRST` times.

        Raises:
            Failure: a side failed.
        """
        drawn: tuple[Draws, Draws] = ({}, {})
        assert self.job.signature is not None
        for index in range(count):
            if index >= FIRST and time.monotonic() > self.end:
                break
            results, failures = self.job.run_both(self.inputs, self.feeds)
            if failures:
                raise next(iter(failures.values()))
            values = under_one_name(
                self.job.signature, self.views, results, self.job.options.rename
            )
            for side, found in zip(drawn, values, strict=True):
                for name in self.job.random.names:
                    if name in found:
                        side.setdefault(name, []).append(self._flat(name, found[name]))
        return drawn

    def _flat(self, name: str, array: np.ndarray) -> np.ndarray:
        self.dtypes.setdefault(name, dtype_name(array))
        self.sizes.setdefault(name, array.size)
        flat, kept = array.reshape(-1), thinned(2 * FIRST, array.size)
        if array.size and name not in self.places:
            along = np.unravel_index(kept, array.shape)
            axes = sorted({1, array.ndim - 1}) if array.ndim > 1 else []
            self.places[name] = {axis: along[axis] for axis in axes}
        flat = flat[kept] if array.size else flat
        return np.asarray(flat).astype(np.float64)


def _compare(source: _Source) -> Randomness:
    drawn = source.draw(FIRST)
    needed = FIRST
    for name, draws in drawn[0].items():
        if _even(draws):
            _, square = spread_of_square(np.stack(draws), source.dtypes[name])
            needed = max(needed, int(np.ceil(2 * (SURE * square / (2 * WANTED)) ** 2)))
    if needed > FIRST:
        more = source.draw(min(needed, MOST) - FIRST)
        for side, new in zip(drawn, more, strict=True):
            for name, draws in new.items():
                side[name] += draws
    rows = [_row(source, name, *drawn) for name in source.job.random.names if name in drawn[0]]
    if any(row.passed and row.p <= STAGE for row in rows):
        again = source.draw(min(2 * needed, 2 * MOST))
        rows = [
            _row(source, row.name, *again) if row.passed and row.p <= STAGE else row for row in rows
        ]
        rows = [_decided(row) for row in rows]
    return Randomness(tuple(rows), _title(source.case))


def _even(draws: list[np.ndarray]) -> bool:
    return len({draw.shape for draw in draws}) == 1 and draws[0].size > 0


def _decided(row: RandomOutput) -> RandomOutput:
    """Fail what failed twice."""
    if not row.passed or row.p > STAGE:
        return row
    reason = f"the sides differ in distribution, most in {row.reason}: p {row.p:.2g} on new draws"
    return replace(row, passed=False, reason=reason)


def _row(source: _Source, name: str, drawn_a: Draws, drawn_b: Draws) -> RandomOutput:
    """Compare one output; a row below `STAGE` has the statistic's name as its reason, for now."""
    row = RandomOutput(name, source.job.random.names[name], len(drawn_a[name]), source.sizes[name],
                       significance=STAGE**2)  # fmt: skip
    if name not in drawn_b:
        return replace(row, passed=False, reason="b has no such output")
    if not _even(drawn_a[name]) or not _even(drawn_b[name]):
        reason = "its number of elements differs from call to call, or is 0: it was not compared"
        return replace(row, passed=False, reason=reason)
    a, b = np.stack(drawn_a[name]), np.stack(drawn_b[name])
    if a.shape[1] != b.shape[1]:
        return replace(row, passed=False, reason=f"{b.shape[1]} elements instead of {a.shape[1]}")
    mean, square = spread_of_square(a, source.dtypes[name])
    unit = SURE * np.sqrt(2 / len(a))
    row = replace(
        row, mean_a=_mean(a), mean_b=_mean(b), std_a=_std(a), std_b=_std(b),
        finds_std=float(unit * square / 2), finds_mean=float(unit * mean),
    )  # fmt: skip
    still = [not np.ptp(side, axis=0).any() for side in (a, b)]
    if still[0] != still[1]:
        who = "ab"[still.index(True)]
        reason = f"{who} gives the same numbers at every call, the other side does not"
        return replace(row, passed=False, p=0.0, reason=reason)
    again = repeats(b)
    if not still[0] and not repeats(a) and again > REPEATED * len(b):
        reason = f"{again} of b's {len(b)} draws are repeats of others, none of a's"
        return replace(row, passed=False, p=0.0, reason=reason)
    outcome = compared(a, b, source.dtypes[name], source.places.get(name))
    told = outcome.statistic if outcome.p <= STAGE else ""
    return replace(row, p=outcome.p, reason=told)


def _mean(draws: np.ndarray) -> float:
    finite = draws[np.isfinite(draws)]
    return float(finite.mean()) if finite.size else float("nan")


def _std(draws: np.ndarray) -> float:
    numbers = np.where(np.isfinite(draws), draws, 0.0)
    return float(np.sqrt(numbers.var(axis=0).mean()))


def _title(case: Case) -> str:
    from verify.report.result import Run, Stage

    return Run(case.label, case.seed, case.sizes, Stage.OK).title

"""What has changed since a record was written, in plain words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from verify.lock import Record
from verify.report.numbers import number

GROWTH = 4.0
"""An error has grown beyond noise where it is more than so many times as large as before.

Right targets' largest errors lie between 0.53 and 2.1 times the source's own (15 architectures in
ONNX Runtime, four seeds), so two that are both right can differ by 2.1 / 0.53.
"""

EPSILON = {"float64": 2.0**-52, "float16": 2.0**-10, "bfloat16": 2.0**-7}
"""Relative spacing of the values of a dtype; that of float32 where it is not named."""


class What(StrEnum):
    """What sort of change it is."""

    VERDICT = "verdict"
    FILE = "file"
    ERROR = "error"
    INPUTS = "inputs"
    VERSION = "version"
    LIMIT = "limit"

    @property
    def failed(self) -> bool:
        """Whether this alone makes a comparison against a record fail."""
        return self in (What.VERDICT, What.FILE)


@dataclass(frozen=True)
class Change:
    """One change, and a line that tells it."""

    what: What
    text: str


def drift(old: Record, new: Record) -> list[Change]:
    """Return what has changed, the worst first."""
    changes = [
        *_verdict(old, new), *_files(old, new), *_errors(old, new), *_inputs(old, new),
        *_versions(old, new), *_limits(old, new),
    ]  # fmt: skip
    return sorted(changes, key=lambda change: list(What).index(change.what))


def _verdict(old: Record, new: Record) -> Iterator[Change]:
    words = {True: "passed", False: "failed"}
    if old.passed != new.passed:
        why = f": {new.failures[0]}" if new.failures else ""
        yield Change(What.VERDICT, f"it {words[old.passed]} then and {words[new.passed]} now{why}")
    for line in new.failures if not old.passed and not new.passed else ():
        if line not in old.failures:
            yield Change(What.ERROR, f"it failed then, too, but not so: {line}")


def _files(old: Record, new: Record) -> Iterator[Change]:
    titles = {"a": "the source", "b": "the target", "data": "the data"}
    for name, before in old.digests.items():
        now = new.digests.get(name)
        title = titles.get(name, name)
        if now is None:
            yield Change(What.FILE, f"{title} is gone")
        elif now.sha256 != before.sha256:
            parts = _parts(before.files, now.files)
            yield Change(What.FILE, f"{title} {new.paths[name]} is another one: {parts}")


def _parts(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    changed = [name for name in before if name in now and before[name] != now[name]]
    gone = [name for name in before if name not in now]
    added = [name for name in now if name not in before]
    groups = (("changed", changed), ("gone", gone), ("new", added))
    return "; ".join(f"{word} {_few(names)}" for word, names in groups if names)


def _few(names: list[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _errors(old: Record, new: Record) -> Iterator[Change]:
    """Find outputs whose error, in the worst run, has grown by more than noise explains."""
    before, now = _worst(old), _worst(new)
    for name in before.keys() - now.keys():
        yield Change(What.ERROR, f"output {name} is no longer compared")
    for name in now.keys() - before.keys():
        yield Change(What.ERROR, f"output {name} was not compared then")
    for name in sorted(before.keys() & now.keys()):
        then, today = _error(before[name]), _error(now[name])
        floor = _noise(before[name], now[name])
        if math.isnan(today) and not math.isnan(then) or today > GROWTH * max(then, floor):
            text = (f"output {name}: the error has grown beyond noise, from {number(then)} to "
                    f"{number(today)}; the source's own is {number(floor)}, the limit "
                    f"{number(_float(now[name]['limit']))}")  # fmt: skip
            yield Change(What.ERROR, text)


def _worst(record: Record) -> dict[str, Mapping[str, Any]]:
    """Return each output's figures in the run in which its error was largest."""
    worst: dict[str, Mapping[str, Any]] = {}
    for run in record.runs:
        for name, figures in run["outputs"].items():
            if name not in worst or not _error(figures) <= _error(worst[name]):
                worst[name] = figures
    return worst


def _error(figures: Mapping[str, Any]) -> float:
    exact = figures.get("error")
    return _float(figures["max_abs"] if exact is None else exact)


def _noise(then: Mapping[str, Any], now: Mapping[str, Any]) -> float:
    """Return the source's own error in units of the output, or some spacings of its dtype."""
    for figures in (now, then):
        relative, largest = _float(figures["max_rel"]), _float(figures["max_abs"])
        if relative > 0 and math.isfinite(relative):
            spacing = 8 * EPSILON.get(figures["dtype"], 2.0**-23)
            noise = figures["noise"]
            return largest / relative * (spacing if noise is None else _float(noise))
    return 0.0


def _float(value: Any) -> float:
    return float(value)  # also "nan" and "inf"


def _inputs(old: Record, new: Record) -> Iterator[Change]:
    if old.inputs != new.inputs:
        told = [f"{name} {old.inputs.get(name, 'absent')} -> {new.inputs.get(name, 'absent')}"
                for name in {**old.inputs, **new.inputs}
                if old.inputs.get(name) != new.inputs.get(name)]  # fmt: skip
        yield Change(What.INPUTS, f"inputs: {', '.join(told)}")
    before = {run["title"]: run["inputs"] for run in old.runs}
    now = {run["title"]: run["inputs"] for run in new.runs}
    other = [title for title in before if title in now and before[title] != now[title]]
    groups = (
        ("other values", other), ("no longer run", [t for t in before if t not in now]),
        ("not run then", [title for title in now if title not in before]),
    )  # fmt: skip
    for words, titles in groups:
        if titles:
            yield Change(What.INPUTS, f"inputs, {words}: {_few(titles)}")


def _versions(old: Record, new: Record) -> Iterator[Change]:
    for where, before in old.versions.items():
        now = new.versions.get(where, {})
        side = "" if where == "here" else f" of {where}"
        for name in {**before, **now}:
            then, today = before.get(name, "absent"), now.get(name, "absent")
            if then != today:
                yield Change(What.VERSION, f"{name}{side}: {then} -> {today}")


def _limits(old: Record, new: Record) -> Iterator[Change]:
    """Tell where a limit has moved by more than the noise that it is made of does."""
    before, now = _worst(old), _worst(new)
    for name in sorted(before.keys() & now.keys()):
        then, today = _float(before[name]["limit"]), _float(now[name]["limit"])
        if not (then / GROWTH <= today <= then * GROWTH):
            yield Change(What.LIMIT, f"output {name}: limit {number(then)} -> {number(today)}")

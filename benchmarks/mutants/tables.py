"""The exam's figures, as text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from benchmarks.mutants.allclose import TOLERANCES
from benchmarks.mutants.judge import Verdict


def tables(verdicts: list[Verdict], about: dict[str, dict[str, Any]]) -> str:
    """Return totals, a table by kind, one by model, and every miss with its reason."""
    alive = [verdict for verdict in verdicts if verdict.runs]
    parts = [
        "\n".join(_totals(verdicts, alive)),
        "\n".join(_by("kind", alive, lambda verdict: verdict.kind)),
        "\n".join(_by("model", alive, lambda verdict: verdict.model)),
        "\n".join(_misses(alive)),
        "\n".join(_misplaced(alive)),
        "\n".join(_unclean(about)),
    ]
    return "\n\n".join(part for part in parts if part)


def _totals(verdicts: list[Verdict], alive: list[Verdict]) -> Iterator[str]:
    changed = [verdict for verdict in alive if verdict.changed]
    same = [verdict for verdict in alive if not verdict.changed]
    kinds = {verdict.kind for verdict in alive}
    models = {verdict.model for verdict in alive}
    yield f"{len(verdicts)} faults of {len(kinds)} kinds planted in {len(models)} models"
    yield f"{len(verdicts) - len(alive)} give a graph that does not run, which nobody can miss"
    yield f"{len(alive)} run; {_rate(verdict.caught for verdict in alive)} of them caught"
    equal = [verdict for verdict in same if not verdict.bits]
    yield (
        f"{len(same)} of those change nothing on any input tried: {len(equal)} give the same bits "
        f"in float32 and float64, {len(same) - len(equal)} differ by float64's own rounding "
        f"({sum(verdict.caught for verdict in same)} of all are caught all the same)"
    )
    yield f"{len(changed)} change something; {_rate(v.caught for v in changed)} of them caught:"
    yield f"  end to end, by the measured tolerance   {_rate(v.end_to_end for v in changed)}"
    yield f"  weight proof                            {_rate(v.proof for v in changed)}"
    yield f"  node by node, in float64                {_rate(v.depth for v in changed)}"
    for name in TOLERANCES:
        yield f"  numpy.allclose, {name:<24}{_rate(v.allclose[name] for v in changed)}"
    named = [verdict for verdict in changed if verdict.right is not None]
    yield f"the right node named first: {_rate(bool(v.right) for v in named)}"


def _by(title: str, alive: list[Verdict], key: Callable[[Verdict], str]) -> Iterator[str]:
    short = ["1e-3", "1e-2", "1e-1"]
    width = max((len(key(verdict)) for verdict in alive), default=0)
    yield (
        f"{title:<{width}}  planted changed  caught  e2e proof depth  first  "
        + " ".join(f"{name:>6}" for name in short)
    )
    groups: dict[str, list[Verdict]] = {}
    for verdict in alive:
        groups.setdefault(key(verdict), []).append(verdict)
    for name, group in sorted(groups.items()):
        changed = [verdict for verdict in group if verdict.changed]
        first = [verdict for verdict in changed if verdict.right]
        counts = [sum(v.allclose[key] for v in changed) for key in TOLERANCES]
        yield (
            f"{name:<{width}} {len(group):8} {len(changed):7} {sum(v.caught for v in changed):7} "
            f"{sum(v.end_to_end for v in changed):4} {sum(v.proof for v in changed):5} "
            f"{sum(v.depth for v in changed):5} {len(first):6}  "
            + " ".join(f"{count:6}" for count in counts)
        )


def _misses(alive: list[Verdict]) -> Iterator[str]:
    missed = [verdict for verdict in alive if verdict.changed and not verdict.caught]
    if missed:
        yield f"{len(missed)} not caught:"
    for verdict in missed:
        yield f"  {_where(verdict)}: {_why(verdict)}"
    same = [verdict for verdict in alive if not verdict.changed and not verdict.caught]
    if same:
        yield f"{len(same)} that change nothing on the inputs tried and are not caught:"
    for verdict in same:
        bits = "" if verdict.bits else ", the same bits"
        yield f"  {_where(verdict)}{bits}: {verdict.why}"


def _why(verdict: Verdict) -> str:
    if verdict.closest:
        return (
            f"its difference is {verdict.closest:.2g} of what the source's own noise allows, "
            "and no node differs in float64 by more than its weights' rounding"
        )
    return verdict.reason or "outputs are within the limit and no node differs"


def _misplaced(alive: list[Verdict]) -> Iterator[str]:
    wrong = [verdict for verdict in alive if verdict.changed and verdict.right is False]
    if wrong:
        yield f"{len(wrong)} at which another node is named first:"
    for verdict in wrong:
        yield f"  {_where(verdict)}: {', '.join(verdict.found[:3])}"


def _unclean(about: dict[str, dict[str, Any]]) -> Iterator[str]:
    for name, facts in about.items():
        if not facts.get("clean", True):
            yield f"FALSE ALARM: {name} without a fault: {'; '.join(facts['failures'])}"


def _where(verdict: Verdict) -> str:
    return f"{verdict.model}, {verdict.kind}, node {verdict.node} ({verdict.operator})"


def _rate(values: Iterable[bool]) -> str:
    values = list(values)
    if not values:
        return "none"
    return f"{sum(values)} of {len(values)} ({100 * sum(values) / len(values):.2f} %)"

"""Entries and outcomes as text for the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zoo.entry import Entry

if TYPE_CHECKING:
    from zoo.case import Outcome

SHOWN_RULES = 6


def describe(entry: Entry) -> str:
    """Return all that is known of an entry, several lines."""
    rows = [("name", entry.name), ("summary", entry.summary)]
    for framework in entry.frameworks:
        side = entry.side(framework)
        weights = f"trained by {side.train}" if side.train else "random"
        rows.append((framework, side.build))
        rows += [("  input", text) for text in side.inputs]
        rows.append(("  weights", f"{weights}, seed {entry.seed}"))
    rows += [("sizes", f"{dim}: {', '.join(map(str, s))}") for dim, s in entry.sizes.items()]
    rows += [("bounds", f"{name}: {low}..{high}") for name, (low, high) in entry.bounds.items()]
    layouts = entry.permutations.items()
    rows += [("layout", f"{name}: tf = torch.transpose{axes}") for name, axes in layouts]
    note = f" ({entry.tolerance_note})" if entry.tolerance_note else ""
    rows.append(("tolerance", f"{entry.tolerance:g}{note}"))
    shown = [f"{' + '.join(rule.torch)} -> {rule.keras}" for rule in entry.name_map[:SHOWN_RULES]]
    if more := len(entry.name_map) - len(shown):
        shown.append(f"and {more} more")
    rows += [("name map", text) for text in shown]
    return "".join(f"{title:<11}{text}\n" for title, text in rows)


def line(outcome: Outcome) -> str:
    """Return an outcome in one line."""
    verdict = "passed" if outcome.passed else "FAILED"
    return f"{outcome.label} {verdict} in {outcome.seconds:.1f} s"


def table(outcomes: Sequence[Outcome]) -> str:
    """Return all outcomes as a table, and how many passed."""
    rows = [("model", "direction", "result", "max rel", "params", "seconds", "MiB", "note")]
    for item in outcomes:
        rows.append(
            (
                item.name,
                f"{item.source}->{item.target}",
                "passed" if item.passed else "FAILED",
                "-" if item.max_rel is None else f"{item.max_rel:.1e}",
                str(item.parameters),
                f"{item.seconds:.1f}",
                f"{item.peak_mib:.0f}",
                note(item),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    lines = []
    for *cells, last in rows:
        padded = [f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)]
        lines.append("  ".join([*padded, last]).rstrip())
    passed = sum(item.passed for item in outcomes)
    return "\n".join(lines) + f"\n{passed} of {len(outcomes)} passed\n"


def note(outcome: Outcome) -> str:
    """Return the first problem, or the score before and after."""
    if outcome.problems:
        first = outcome.problems[0].splitlines()[0]
        more = f" (and {len(outcome.problems) - 1} more)" if len(outcome.problems) > 1 else ""
        return first + more
    if outcome.score:
        metric, before, after = outcome.score
        return f"{metric} {before:.4g} -> {after:.4g}"
    return ""

"""Outcomes by direction and kind, and failures by cause, each with its smallest case."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from benchmarks.fuzz.kinds import BAD, INVALID, NO_RUNTIME, OK, REFUSED

KINDS = (OK, REFUSED, *BAD, NO_RUNTIME, INVALID)


def table(outcomes: list[dict[str, Any]]) -> tuple[str, int]:
    """Return the text, and how many cases went wrong."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for outcome in outcomes:
        counts[f"{outcome['framework']} to {outcome.get('to', '?')}"][outcome["kind"]] += 1
        counts["all"][outcome["kind"]] += 1
    lines = ["| direction | " + " | ".join(KINDS) + " |", "|---" * (len(KINDS) + 1) + "|"]
    for direction in sorted(counts, key=lambda d: (d == "all", d)):
        cells = " | ".join(str(counts[direction][kind]) for kind in KINDS)
        lines.append(f"| {direction} | {cells} |")
    bad = [o for o in outcomes if o["kind"] in BAD]
    refused = [o for o in outcomes if o["kind"] == REFUSED]
    lines += ["", f"refusals without a hint: {sum(not o['hint'] for o in refused)}"]
    for title, some in (("refused", refused), ("failed", bad)):
        lines += ["", title]
        causes: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for outcome in some:
            causes[f"{outcome['kind']}: {outcome['cause']}"].append(outcome)
        for cause, group in sorted(causes.items(), key=lambda item: -len(item[1])):
            lines.append(f"{len(group):5} {cause}  [{group[0].get('case')}]")
    for outcome in bad:
        lines += ["", "=" * 80, outcome.get("text", ""), f"{outcome['kind']}: {outcome['cause']}",
                  outcome["detail"][-1500:]]  # fmt: skip
    return "\n".join(lines), len(bad)

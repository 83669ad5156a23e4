"""``python -m benchmarks.aten.arguments``: arguments of ATen calls that no translation reads.

Printed by operator, with what becomes of a call that gives one: it changes no value, our own
decomposition reads it, or the call is refused by name. ``--all`` prints the harmless ones, too.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter


def main(arguments: list[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.aten.arguments", description=__doc__
    )
    parser.add_argument("--all", action="store_true", help="the harmless ones, too")
    options = parser.parse_args(arguments)
    from converter.trace.pytorch.decompositions import table as decompositions
    from converter.trace.pytorch.registry import registry
    from converter.trace.pytorch.unread import chosen, table

    ours = {operator.name() for operator in decompositions()}
    counts: Counter[str] = Counter()
    for item in sorted(table(registry()), key=lambda item: (item.operator, item.argument)):
        fate = "harmless" if item.why_harmless else "refused"
        if fate == "refused" and item.operator in ours:
            fate = "decomposed"
        counts[fate] += 1
        if options.all or fate != "harmless":
            print(f"{item.operator:45} {item.argument:20} {fate:10} {item.why_harmless}".rstrip())
    operators = len({operator.name() for operator, _ in chosen(registry())})
    print(f"{operators} operators; arguments not read: {dict(counts)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

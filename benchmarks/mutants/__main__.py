"""``python -m benchmarks.mutants``: the verifier's own exam.

Faults of many kinds are planted in many models, and the verifier has to catch them; beside it
stands what `numpy.allclose` catches. ``--resume`` takes a run up where it was interrupted.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
import time
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Run the exam and print its tables; 0 if at least 99.5 % of the faults are caught."""
    options = _parser().parse_args(arguments)
    from benchmarks.mutants.exam import read, run_model, say
    from benchmarks.mutants.models import names
    from benchmarks.mutants.plant import KINDS
    from benchmarks.mutants.processes import side_by_side
    from benchmarks.mutants.tables import tables

    known = names()
    unknown = [name for name in options.models or () if name not in known]
    unknown += [name for name in options.kinds or () if name not in KINDS]
    if unknown:
        print(f"there is no {unknown[0]!r}; --list prints models and kinds", file=sys.stderr)
        return 2
    if options.list:
        print("\n".join([*known, "", *(f"{k.name}: {k.summary}" for k in KINDS.values())]))
        return 0
    seed = options.seed if options.seed is not None else secrets.randbelow(1 << 31)
    if options.model:
        run_model(options.model, options.json, options.kinds, options.limit, seed)
        return 0
    print(f"seed {seed}", flush=True)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="equiport-exam-") as folder:
        file = options.json or Path(folder) / "exam.jsonl"
        told = ["--seed", str(seed)]
        if options.limit is not None:
            told += ["--limit", str(options.limit)]
        if options.kinds:
            told += ["--kinds", *options.kinds]
        side_by_side("benchmarks.mutants", options.models or known, told, file, options.jobs,
                     options.resume, say)  # fmt: skip
        verdicts, about = read(file)
    print("\n" + tables(verdicts, about))
    print(f"\n{time.perf_counter() - start:.0f} seconds")
    changed = [verdict for verdict in verdicts if verdict.runs and verdict.changed]
    caught = sum(verdict.caught for verdict in changed)
    return 0 if changed and caught >= 0.995 * len(changed) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=__doc__)
    parser.add_argument("--models", nargs="+", metavar="NAME", help="models to plant in (all)")
    parser.add_argument("--kinds", nargs="+", metavar="KIND", help="kinds of fault (all)")
    parser.add_argument("--limit", type=int, help="most places of a kind in one model")
    parser.add_argument("--jobs", type=int, default=2, help="models judged side by side (2)")
    parser.add_argument("--seed", type=int, help="of the draw of places (random, printed)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write verdicts as JSON lines")
    parser.add_argument("--resume", action="store_true", help="go on with an interrupted --json")
    parser.add_argument("--list", action="store_true", help="print models and kinds")
    parser.add_argument("--model", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""A process that draws, runs and shrinks cases, one line of JSON each; a crash ends it alone."""

from __future__ import annotations

import json
import logging
import os
import random
import sys
import time
import warnings
from dataclasses import replace
from typing import Any

from benchmarks.fuzz import plant
from benchmarks.fuzz.grow import draw_case
from benchmarks.fuzz.kinds import BAD
from benchmarks.fuzz.loading import framework_of
from benchmarks.fuzz.run import run_case
from benchmarks.fuzz.shrink import shrink
from benchmarks.fuzz.text import script_of

RELOADED = 10
"""Every tenth case is written to a file and loaded again."""


def main() -> None:
    """Answer lines ``framework seed index shrink(0|1)``."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # frameworks write to standard output, too
    if fault := os.environ.get("FUZZ_PLANT"):
        plant.PLANTS[fault]()
    known: set[str] = set()
    for line in sys.stdin:
        name, seed, index, wanted = line.split()
        began = time.monotonic()
        number = f"seed {seed}, {name} case {index}"
        case = draw_case(framework_of(name), random.Random(f"{seed}:{name}:{index}"), number)
        case = replace(case, written=int(index) % RELOADED == 0)

        def tell(**answer: Any) -> None:
            answers.write(json.dumps(answer) + "\n")
            answers.flush()

        tell(case=number, text=script_of(case), to=case.to, form=case.form)
        outcome = run_case(case, lambda: tell(ran=True))
        answer = {
            "kind": outcome.kind, "cause": outcome.cause, "detail": outcome.detail,
            "hint": outcome.hint, "operators": case.operators(),
            "seconds": time.monotonic() - began,
        }  # fmt: skip
        if outcome.kind in BAD and wanted == "1":
            key = f"{outcome.kind} {outcome.cause}"
            if key not in known or outcome.kind not in ("untyped error",):
                known.add(key)
                small, last = shrink(case, outcome)
                answer |= {
                    "text": script_of(small),
                    "detail": last.detail,
                    "small": small.operators(),
                }
        tell(**answer)


if __name__ == "__main__":
    main()

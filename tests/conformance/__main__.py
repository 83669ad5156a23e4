"""Run the suite by hand: ``python -m tests.conformance --framework pytorch --filter attention``."""

from __future__ import annotations

import argparse
import collections
import os
import re
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tests.conformance.expected import expected_failure
from tests.conformance.suite import Case, all_cases, altered, compare, judge, run


def run_case(backend, case: Case, expect=lambda value: value) -> str | None:
    """Return ``None`` if the case passes, else why it does not."""
    try:
        for got, want in run(backend, case):
            compare(got, expect(want), case)
    except Exception as error:  # a table of outcomes is what this command is for
        return f"{type(error).__name__}: {error}"
    return None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--framework", choices=("pytorch", "tensorflow"), required=True)
    parser.add_argument("--filter", default=".", help="regular expression on the case's name")
    parser.add_argument("--kind", default=".", help="regular expression on the case's kind")
    parser.add_argument("--no-expanded", action="store_true", help="leave the expanded cases out")
    parser.add_argument("--altered", action="store_true", help="with every expectation altered")
    parser.add_argument("--traceback", action="store_true", help="show where the first one fails")
    options = parser.parse_args()
    from converter import onnx_backend

    backend = {
        "pytorch": onnx_backend.PyTorchBackend,
        "tensorflow": onnx_backend.TensorFlowBackend,
    }[options.framework]
    cases = [
        case
        for case in all_cases()
        if re.search(options.filter, case.name)
        and re.search(options.kind, case.kind)
        and not (options.no_expanded and "_expanded" in case.name)
    ]
    start, failures = time.perf_counter(), collections.Counter()
    for case in cases:
        reason = run_case(backend, case, altered if options.altered else lambda value: value)
        if options.altered and reason is None:
            print(f"PASS {case.name}, although its expectation is altered", flush=True)
        elif reason and not options.altered:
            known = expected_failure(case.name, options.framework)
            reason = known.reason if known else reason
            label = "EXPECTED" if known else "FAIL"
            print(f"{label} {case.name}: {' '.join(reason.split())[:300]}", flush=True)
            if options.traceback and not known:
                judge(run(backend, case), case)
        failures[case.kind] += bool(reason)
    failed = failures.total()
    print(f"{len(cases) - failed} of {len(cases)} pass, {time.perf_counter() - start:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

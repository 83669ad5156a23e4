"""Run the suite by hand: ``python -m tests.conformance --framework pytorch --filter attention``."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from importlib import import_module

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tests.conformance.expected import expected_failure
from tests.conformance.suite import Case, all_cases, altered, compare, judge, run

SECOND = {"pytorch": "tests.conformance.exported", "tensorflow": "tests.conformance.reloaded"}
"""The module of each framework with ``run(case) -> (pairs, fixed)`` and ``reason_not_exported``."""


def run_case(backend, case: Case, expect=lambda value: value) -> str | None:
    """Return ``None`` if the case passes, else why it does not."""
    try:
        for got, want in run(backend, case):
            compare(got, expect(want), case)
    except Exception as error:  # a table of outcomes is what this command is for
        return f"{type(error).__name__}: {error}"
    return None


def run_second(framework: str, case: Case) -> tuple[str | None, bool]:
    """Run a case the second way; tell why it fails, if so, and whether inputs were fixed."""
    second = import_module(SECOND[framework])
    if reason := second.reason_not_exported(case.name):
        return reason, False
    try:
        pairs, fixed = second.run(case)
        judge(pairs, case)
    except Exception as error:  # as above
        return f"UNEXPECTED {type(error).__name__}: {error}", False
    return None, bool(fixed)


def report_second(framework: str, cases: list[Case]) -> int:
    """Print how many of the cases that pass first also pass the second way."""
    cases = [case for case in cases if not expected_failure(case.name, framework)]
    passed = fixed = unexpected = 0
    for case in cases:
        reason, with_fixed = run_second(framework, case)
        if reason:
            print(f"FAIL {case.name}: {' '.join(reason.split())[:200]}", flush=True)
            unexpected += reason.startswith("UNEXPECTED")
        passed += reason is None
        fixed += with_fixed
    print(f"second runs: {passed} of {len(cases)} pass, {fixed} of them with inputs fixed")
    return 1 if unexpected else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--framework", choices=("pytorch", "tensorflow"), required=True)
    parser.add_argument("--filter", default=".", help="regular expression on the case's name")
    parser.add_argument("--kind", default=".", help="regular expression on the case's kind")
    parser.add_argument("--no-expanded", action="store_true", help="leave the expanded cases out")
    parser.add_argument("--altered", action="store_true", help="with every expectation altered")
    parser.add_argument("--second", action="store_true", help="exported or saved, then run")
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
    if options.second:
        return report_second(options.framework, cases)
    start, failed, unexpected = time.perf_counter(), 0, 0
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
            unexpected += known is None
        failed += bool(reason)
    print(f"{len(cases) - failed} of {len(cases)} pass, {time.perf_counter() - start:.0f} s")
    return 1 if unexpected or (options.altered and failed < len(cases)) else 0


if __name__ == "__main__":
    sys.exit(main())

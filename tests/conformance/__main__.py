"""Run the suite by hand: ``python -m tests.conformance --framework pytorch --filter attention``."""

from __future__ import annotations

import argparse
import collections
import os
import re
import sys
import time
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from tests.conformance.suite import Case, all_cases, compare, load


def run_case(backend, case: Case) -> str | None:
    """Return ``None`` if the case passes, else why it does not."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model, data = load(case)
            prepared = backend.prepare(model)
            for inputs, expected in data:
                for got, want in zip(prepared.run(inputs), expected, strict=True):
                    compare(got, want, case)
    except Exception as error:  # a table of outcomes is what this command is for
        return f"{type(error).__name__}: {error}"
    return None


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--framework", choices=("pytorch", "tensorflow"), required=True)
    parser.add_argument("--filter", default=".", help="regular expression on the case's name")
    parser.add_argument("--kind", default=".", help="regular expression on the case's kind")
    parser.add_argument("--no-expanded", action="store_true", help="leave the expanded cases out")
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
        reason = run_case(backend, case)
        if reason:
            print(f"FAIL {case.name}: {' '.join(reason.split())[:300]}", flush=True)
            failures[case.kind] += 1
            if options.traceback:
                model, data = load(case)
                for inputs, expected in data:
                    for got, want in zip(backend.run_model(model, inputs), expected, strict=True):
                        compare(got, want, case)
    failed = failures.total()
    print(f"{len(cases) - failed} of {len(cases)} pass, {time.perf_counter() - start:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""ONNX's conformance suite against the rebuild in PyTorch."""

from __future__ import annotations

import pytest

from converter.onnx_backend import PyTorchBackend
from tests.conformance.expected import FAILURES, expected_failure
from tests.conformance.suite import Case, all_cases, altered, compare, judge, judge_form, run

CASES = {case.name: case for case in all_cases()}


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    case, failure = CASES[name], expected_failure(name, "pytorch")
    pairs = run(PyTorchBackend, case)
    if failure is None:
        judge(pairs, case)
        refuse_altered(pairs, case)
    elif failure.random:
        judge_form(pairs)
    else:
        with pytest.raises(AssertionError):
            judge(pairs, case)


def refuse_altered(pairs: list, case: Case) -> None:
    """The planted fault: no altered expectation may be met."""
    for got, want in pairs:
        with pytest.raises(AssertionError):
            compare(got, altered(want), case)


def test_at_least_2010_of_2024_pass() -> None:
    expected = [name for name in CASES if expected_failure(name, "pytorch")]
    assert len(CASES) - len(expected) >= 2010
    assert len(CASES) >= 2024


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.pattern)
def test_every_entry_of_the_table_names_a_case(failure) -> None:
    assert any(expected_failure(name, failure.frameworks[0]) is failure for name in CASES)

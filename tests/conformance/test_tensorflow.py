"""ONNX's conformance suite against the rebuild in TensorFlow, each case as a `tf.function`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from converter.onnx_backend import TensorFlowBackend
from tests.conformance.expected import expected_failure
from tests.conformance.suite import Case, all_cases, altered, compare, judge, judge_form, run

CASES = {case.name: case for case in all_cases()}


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    case, failure = CASES[name], expected_failure(name, "tensorflow")
    if failure is not None and failure.rtol is not None:
        case, failure = replace(case, rtol=failure.rtol), None
    if failure is not None and not failure.random:
        with pytest.raises((AssertionError, NotImplementedError)):
            judge(run(TensorFlowBackend, case), case)
        return
    pairs = run(TensorFlowBackend, case)
    if failure is None:
        judge(pairs, case)
        refuse_altered(pairs, case)
    else:
        judge_form(pairs)


def refuse_altered(pairs: list, case: Case) -> None:
    """The planted fault: no altered expectation may be met."""
    for got, want in pairs:
        with pytest.raises(AssertionError):
            compare(got, altered(want), case)


def test_at_least_2010_of_2024_pass() -> None:
    expected = [name for name in CASES if expected_failure(name, "tensorflow")]
    assert len(CASES) >= 2024
    assert len(CASES) - len(expected) >= 2010


def test_a_case_runs_as_a_function_with_the_declared_signature() -> None:
    import onnx_ir as ir

    case = CASES["test_add"]
    rep = TensorFlowBackend.prepare(ir.serde.deserialize_model(case.model))
    function = rep.module._function
    rep.run(case.data_sets[0][0])
    assert [spec.shape.as_list() for spec in function.input_signature] == [[3, 4, 5], [3, 4, 5]]
    assert function.experimental_get_tracing_count() == 1

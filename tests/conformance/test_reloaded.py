"""Second runs in TensorFlow: one case of each operator from a SavedModel, and sequences."""

from __future__ import annotations

import onnx_ir as ir
import pytest

from converter.errors import RebuildError
from converter.onnx_backend import TensorFlowBackend
from tests.conformance import reloaded
from tests.conformance.expected import expected_failure
from tests.conformance.suite import all_cases, altered, compare, generated, judge

CASES = {case.name: case for case in all_cases()}
SEQUENCES = ["test_loop13_seq", "test_loop16_seq_none", "test_split_to_sequence_1"]


def one_of_each() -> list[str]:
    """Return the first case of every operator that passes."""
    found: dict[tuple[str, str], str] = {}
    for case in generated():
        node = case.model.graph.node[-1]
        if not expected_failure(case.name, "tensorflow"):
            found.setdefault((node.domain, node.op_type), case.name)
    return list(found.values())


@pytest.mark.parametrize("name", [*one_of_each(), *SEQUENCES])
def test_reloaded(name: str) -> None:
    pairs, _ = reloaded.run(CASES[name])
    judge(pairs, CASES[name])
    for got, want in pairs:
        with pytest.raises(AssertionError):
            compare(got, altered(want), CASES[name])


def test_a_sequence_has_no_place_in_a_signature() -> None:
    case = CASES["test_sequence_insert_at_back"]
    module = TensorFlowBackend.prepare(ir.serde.deserialize_model(case.model)).module
    with pytest.raises(RebuildError, match="sequence"):
        module.signatures()

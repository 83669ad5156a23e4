"""Second runs in PyTorch: one case of each operator through `torch.export`, and what cannot go."""

from __future__ import annotations

import pytest

from tests.conformance import exported
from tests.conformance.expected import expected_failure
from tests.conformance.suite import all_cases, altered, compare, generated, judge

CASES = {case.name: case for case in all_cases()}


def one_of_each() -> list[str]:
    """Return the first case of every operator that has to be exported."""
    found: dict[tuple[str, str], str] = {}
    for case in generated():
        node = case.model.graph.node[-1]
        left_out = expected_failure(case.name, "pytorch")
        if not left_out and not exported.reason_not_exported(case.name):
            found.setdefault((node.domain, node.op_type), case.name)
    return list(found.values())


@pytest.mark.parametrize("name", one_of_each())
def test_exported(name: str) -> None:
    pairs, _ = exported.run(CASES[name])
    judge(pairs, CASES[name])
    for got, want in pairs:
        with pytest.raises(AssertionError):
            compare(got, altered(want), CASES[name])


def test_weights_axes_and_shapes_as_inputs_are_fixed_only_where_torch_needs_them() -> None:
    assert exported.run(CASES["test_conv_with_strides_padding"])[1] == []
    assert exported.run(CASES["test_reduce_sum_keepdims_example"])[1] == ["axes"]


@pytest.mark.parametrize("name", ["test_string_concat", "test_image_decoder_decode_png_rgb"])
def test_what_the_table_calls_impossible_is_refused(name: str) -> None:
    with pytest.raises((ValueError, RuntimeError, TypeError)):
        exported.run(CASES[name])


@pytest.mark.parametrize("pattern", [pattern for pattern, _ in exported.EXPORT_FAILURES])
def test_every_reason_names_cases(pattern: str) -> None:
    named = {name for name in CASES if exported.reason_not_exported(name)}
    assert any(exported.re.fullmatch(pattern, name) for name in named)

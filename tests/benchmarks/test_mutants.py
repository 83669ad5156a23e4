"""A sample of the verifier's exam: faults in one small graph, and right conversions of it."""

from __future__ import annotations

import secrets

import numpy as np
import onnx_ir as ir
import pytest

from benchmarks.mutants.allclose import TOLERANCES, same_bits, tells
from benchmarks.mutants.facts import Facts
from benchmarks.mutants.judge import Judge, Verdict
from benchmarks.mutants.kind import KINDS
from benchmarks.mutants.models import Subject, names, subject
from benchmarks.mutants.narrow import narrowed
from benchmarks.mutants.plant import Mutant, Place, drawn, places, plant
from benchmarks.mutants.tables import tables

SAMPLE = (
    "padding: on the other side",
    "convolution: dilation ignored",
    "convolution: order of groups",
    "pooling: padding counted",
    "weight: stored in float16",
    "weight: an element moved by a tenth of the deviation",
    "bias: an element zeroed",
    "precision: bfloat16 in the middle",
)


@pytest.fixture(scope="module")
def pools() -> Subject:
    return subject("pools graph")


@pytest.fixture(scope="module")
def judge(pools: Subject) -> Judge:
    return Judge(pools, seeds=1)


@pytest.fixture(scope="module")
def seed() -> int:
    value = secrets.randbelow(1 << 31)
    print(f"seed {value}")
    return value


def first(subject: Subject, kind: str) -> Place:
    return places(subject.graph, subject.facts, [kind])[0]


def text(model: ir.Model) -> bytes:
    return ir.serde.serialize_model(model).SerializeToString(deterministic=True)


def test_there_are_kinds_and_models_enough() -> None:
    assert len(KINDS) >= 40
    assert len(names()) >= 15
    assert all(kind.summary for kind in KINDS.values())


@pytest.mark.parametrize("kind", SAMPLE)
def test_a_planted_fault_is_caught_and_its_node_named(
    pools: Subject, judge: Judge, seed: int, kind: str
) -> None:
    mutant = plant(pools.graph, pools.facts, first(pools, kind), seed)
    verdict = judge.judge(mutant)
    assert verdict.runs
    assert verdict.changed
    assert verdict.end_to_end
    assert verdict.depth
    assert verdict.right, (verdict.found, mutant.truth)


def test_the_graph_itself_is_not_called_wrong(pools: Subject, judge: Judge) -> None:
    """Scrambled names and nothing else: the exam would mean nothing if this failed."""
    from benchmarks.mutants.scramble import scramble

    copy = pools.graph.clone()
    scramble(copy, np.random.default_rng(0))
    verdict = judge.judge(Mutant(copy, Place("none", 0, 0), "", frozenset()))
    assert judge.report.passed
    assert verdict.runs
    assert not verdict.caught
    assert not verdict.changed


def test_allclose_misses_what_the_verifier_catches(pools: Subject, judge: Judge, seed: int) -> None:
    place = first(pools, "weight: stored in float16")
    verdict = judge.judge(plant(pools.graph, pools.facts, place, seed))
    assert verdict.caught
    assert not verdict.allclose["rtol 1e-2, atol 1e-4"]


def test_planting_leaves_the_graph_as_it_was(pools: Subject, seed: int) -> None:
    before = text(pools.graph)
    for place in drawn(places(pools.graph, pools.facts), 1, seed):
        plant(pools.graph, pools.facts, place, seed)
    assert text(pools.graph) == before


def test_a_mutant_keeps_no_name_but_those_of_inputs_and_outputs(pools: Subject, seed: int) -> None:
    place = first(pools, "bias: dropped")
    graph = plant(pools.graph, pools.facts, place, seed).model.graph
    original = pools.graph.graph
    kept = {value.name for value in (*original.inputs, *original.outputs)}
    theirs = {value.name for node in graph for value in (*node.inputs, *node.outputs) if value}
    mine = {value.name for node in original for value in (*node.inputs, *node.outputs) if value}
    assert theirs & mine == kept
    assert not {node.name for node in graph} & {node.name for node in original}


def test_the_same_seed_plants_the_same(pools: Subject, seed: int) -> None:
    place = first(pools, "weight: an element moved by a tenth of the deviation")
    once, again = (plant(pools.graph, pools.facts, place, seed).model for _ in range(2))
    assert text(once) == text(again)
    other = plant(pools.graph, pools.facts, place, seed + 1).model
    assert text(once) != text(other)


def test_the_draw_is_capped_by_kind(pools: Subject, seed: int) -> None:
    every = places(pools.graph, pools.facts)
    few = drawn(every, 1, seed)
    assert len(few) == len({place.kind for place in every})
    assert set(few) <= set(every)


@pytest.mark.parametrize(
    ("change", "found"),
    [(0.0, (False, False, False)), (5e-3, (True, False, False)), (0.5, (True, True, True))],
)
def test_allclose_at_each_tolerance(change: float, found: tuple[bool, ...]) -> None:
    a = {"run": {"y": np.ones(3, np.float32)}}
    b = {"run": {"y": np.ones(3, np.float32) + np.float32(change)}}
    assert tuple(tells(*pair, a, b) for pair in TOLERANCES.values()) == found
    assert same_bits(a, b) == (change == 0)


def test_a_run_that_fails_is_found_by_allclose() -> None:
    assert tells(1.0, 1.0, {"run": {"y": np.ones(1)}}, {"run": None})


@pytest.mark.parametrize("dtype", [ir.DataType.FLOAT16, ir.DataType.BFLOAT16])
def test_a_narrow_graph_has_no_float32_left(pools: Subject, dtype: ir.DataType) -> None:
    graph = narrowed(pools.graph, dtype).graph
    kinds = {value.dtype for value in (*graph.inputs, *graph.outputs)}
    kinds |= {value.dtype for value in graph.initializers.values()}
    assert dtype in kinds
    assert ir.DataType.FLOAT not in kinds


def test_the_tables_list_every_miss() -> None:
    caught = Verdict(
        "m", "k", 0, 0, "Conv", end_to_end=True, allclose=dict.fromkeys(TOLERANCES, True)
    )
    missed = Verdict(
        "m", "other", 1, 0, "Relu", closest=0.5, allclose=dict.fromkeys(TOLERANCES, False)
    )
    shown = tables([caught, missed], {"m": {"clean": False, "failures": ["y differs"]}})
    assert "1 of 2 (50.00 %)" in shown
    assert "m, other, node 1 (Relu): its difference is 0.5 of what" in shown
    assert "FALSE ALARM: m without a fault: y differs" in shown


def test_facts_tell_constants_from_what_inputs_reach(pools: Subject) -> None:
    facts: Facts = pools.facts
    graph = pools.graph.graph
    assert all(facts.constant(value) is None for value in graph.inputs)
    weight = next(node for node in graph if node.op_type == "Conv").inputs[1]
    assert facts.constant(weight) is not None

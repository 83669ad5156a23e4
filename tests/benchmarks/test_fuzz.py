"""The fuzzer finds what is planted, says nothing of what is right, and prints what it ran."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest

from benchmarks.fuzz import plant
from benchmarks.fuzz.case import Case, Input, Step
from benchmarks.fuzz.grow import draw_case
from benchmarks.fuzz.judge import difference
from benchmarks.fuzz.kinds import FAILS, NUMBERS, OK, UNTYPED
from benchmarks.fuzz.loading import framework_of
from benchmarks.fuzz.run import run_case
from benchmarks.fuzz.shrink import shrink
from benchmarks.fuzz.text import script_of

FRAMEWORKS = ("torch", "tensorflow")


def chain(framework: str, *codes: str, dims: tuple[int | str, ...] = (2, 3, 2)) -> Case:
    """Return a case whose steps follow each other."""
    steps = tuple(
        Step(f"v{number}", code.format(x=f"v{number - 1}" if number else "in0"))
        for number, code in enumerate(codes)
    )
    form, to = ("module", "tf") if framework == "torch" else ("function", "torch")
    item = Input("in0", "größe", "float32", dims)
    return Case(framework, form, to, (item,), steps, (steps[-1].token,))


CODES = {
    "torch": ("torch.sin({x})", "{x}*2", "torch.sigmoid({x})", "{x}.transpose(0,1)", "{x}+1"),
    "tensorflow": (
        "tf.sin({x})", "{x}*2", "tf.sigmoid({x})", "tf.transpose({x},[1,0,2])", "{x}+1",
    ),
}  # fmt: skip


@pytest.fixture
def planted(request: pytest.FixtureRequest) -> Iterator[None]:
    """Put a fault in; take it out again."""
    undo = plant.PLANTS[request.param]()
    yield
    undo()


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_what_is_right_is_ok(framework: str) -> None:
    outcome = run_case(chain(framework, *CODES[framework]))
    assert outcome.kind == OK, outcome


@pytest.mark.parametrize(
    ("framework", "planted", "kinds", "operator"),
    [
        ("torch", "tensorflow-sigmoid-off", (NUMBERS,), "sigmoid"),
        ("torch", "tensorflow-transpose-raises", (FAILS, UNTYPED), "transpose"),
        ("tensorflow", "pytorch-sigmoid-off", (NUMBERS,), "sigmoid"),
        ("tensorflow", "pytorch-transpose-raises", (FAILS, UNTYPED), "transpose"),
    ],
    indirect=["planted"],
)
def test_a_planted_fault_is_found_and_made_small(
    framework: str, planted: None, kinds: tuple[str, ...], operator: str
) -> None:
    case = chain(framework, *CODES[framework])
    outcome = run_case(case)
    assert outcome.kind in kinds, outcome
    small, last = shrink(case, outcome)
    assert [operator in name for name in small.operators()] == [True], script_of(small)
    assert last.kind == outcome.kind


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_case_comes_from_its_seed_alone_and_is_a_script(name: str) -> None:
    framework = framework_of(name)
    first, again = (draw_case(framework, random.Random("5:3"), "case 3") for _ in range(2))
    assert script_of(first) == script_of(again)
    compile(script_of(first), "case", "exec")
    texts = {script_of(draw_case(framework, random.Random(f"5:{i}"))) for i in range(10)}
    assert len(texts) > 8


FACTOR = {"float64": 1e-7, "float32": 1e-3, "float16": 0.05}


@pytest.mark.parametrize("dtype", FACTOR)
def test_the_judge_takes_rounding_and_nothing_more(dtype: str) -> None:
    seed = int(np.random.SeedSequence().generate_state(1)[0])
    print(f"seed {seed}")
    yours = np.random.default_rng(seed).normal(1, 0.1, (3, 4)).astype(dtype)
    unit = np.finfo(dtype).eps
    assert difference(yours * np.array(1 + 2 * unit, dtype), yours, dtype, []) is None
    off = yours.copy()
    off[1, 2] *= np.array(1 + FACTOR[dtype], dtype)
    found = difference(off, yours, dtype, [yours.copy() for _ in range(3)])
    assert found is not None
    assert "1 of 12" in found.text
    gone = yours.copy()
    gone[0, 0] = np.nan
    assert difference(gone, yours, dtype, [yours.copy()]) is not None


def test_an_integer_may_differ_only_where_noise_moves_it() -> None:
    yours, other = np.array([1, 2, 3]), np.array([1, 2, 4])
    assert difference(other, yours, "int64", []) is not None
    assert difference(other, yours, "int64", [yours, other]) is None
    assert difference(np.array([1, 9, 4]), yours, "int64", [yours, other]) is not None

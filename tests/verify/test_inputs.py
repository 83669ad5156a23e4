"""Random inputs: valid, repeatable, every dynamic dimension swept."""

from __future__ import annotations

import numpy as np
import pytest

from converter.errors import InputSpecError, UsageError
from converter.expressions import holds, size_of
from converter.signature import DTYPES, DimRange, Signature, TensorSpec, parse_inputs
from verify.arrays import dtype_name
from verify.inputs import cases, random_inputs, unbounded
from verify.scales import SCALES
from verify.sizes import sweep

SPECS = ["ids:int64[batch,seq<=50]", "image:float32[batch,3,8<=h,w]"]


def test_every_dimension_takes_four_sizes_and_two_differ() -> None:
    combinations = sweep(parse_inputs(SPECS))
    for name in ("batch", "seq", "h", "w"):
        assert len({sizes[name] for sizes in combinations}) >= 4
    for sizes in combinations[:4]:
        assert len(set(sizes.values())) > 1
    assert {sizes["batch"] for sizes in combinations} >= {1, 2, 3}


def test_the_corners_are_among_the_sizes() -> None:
    combinations = sweep(parse_inputs(SPECS))
    low = {"batch": 1, "seq": 1, "h": 8, "w": 1}
    high = {name: max(c[name] for c in combinations[:4]) for name in low}
    assert low in combinations
    assert high in combinations
    assert {**low, "seq": 50} in combinations  # the largest that was declared
    assert {**high, "batch": 1} in combinations
    assert len(combinations) <= 12
    assert len({tuple(c.items()) for c in combinations}) == len(combinations)
    huge = sweep(parse_inputs(["image:float32[3,h<=100000]"]))
    assert 3 < max(c["h"] for c in huge) < 100


def test_large_inputs_are_not_made_larger() -> None:
    sizes = [c["batch"] for c in sweep(parse_inputs(["image:float32[batch,3,224,224]"]))]
    assert sizes == [1, 2, 3]
    assert max(c["batch"] for c in sweep(parse_inputs(["image:float32[batch,3,32,32]"]))) > 3


def test_many_dimensions_stay_few_runs() -> None:
    assert len(sweep(parse_inputs([f"x:float32[{','.join('abcdefghijk')}]"]))) == 12


@pytest.mark.parametrize(
    ("allowed", "count"), [((1, None), 4), ((8, 512), 5), ((2, 3), 2), ((5, 5), 1), ((4, 6), 3)]
)
def test_sizes_stay_inside_the_range(allowed, count: int) -> None:
    signature = Signature((TensorSpec("x", shape=("n",)),), (), {"n": DimRange(*allowed)})
    sizes = {combination["n"] for combination in sweep(signature)}
    assert len(sizes) == count
    assert min(sizes) == allowed[0]
    assert allowed[1] is None or max(sizes) <= allowed[1]


@pytest.mark.parametrize(
    ("spec", "sizes", "tried"),
    [
        ("x[batch,4]", {}, "ab"), ("x[0<=batch,4]", {}, "a"), ("x[batch<=8,4]", {}, None),
        ("x[batch,4]", {"batch": [2]}, None), ("x[4,n]", {}, None),
    ],
)  # fmt: skip
def test_no_rows_are_tried_where_nothing_says_otherwise(spec, sizes, tried: str | None) -> None:
    empty = [case for case in cases(parse_inputs([spec]), 2, sizes) if case.optional]
    assert [case.optional for case in empty] == ([] if tried is None else [tried])
    assert all(case.sizes["batch"] == 0 for case in empty)


def test_dimensions_may_be_expressions() -> None:
    assert size_of("2*seq + 1", {"seq": 5}) == 11
    assert size_of("(a+b)//2", {"a": 3, "b": 4}) == 3
    for text in ("import os", "f(seq)", "seq.real", "other"):
        with pytest.raises(InputSpecError):
            size_of(text, {"seq": 1})
    signature = Signature((TensorSpec("x", shape=("n", "n + 1")),))
    for case in cases(signature, 2):
        rows, columns = case.inputs(signature)["x"].shape
        assert columns == rows + 1


def test_sizes_obey_what_the_model_demands_of_them() -> None:
    specs = parse_inputs(["x[batch,h,8<=w]", "y[w-3,2*k]", "z[(h+1)//2]", "in[in]"])
    signature = Signature(specs.inputs, (), specs.dims, ("h % 8 == 0", "k < batch"))
    combinations = sweep(signature)
    assert len(combinations) >= 4
    for sizes in combinations:
        assert set(sizes) == {"batch", "h", "w", "k", "in"}
        assert all(holds(text, sizes) for text in signature.conditions)
        assert sizes["w"] >= 8
        assert size_of("2*k", sizes) == 2 * sizes["k"] >= 2
    assert len({sizes["h"] for sizes in combinations}) > 1
    with pytest.raises(InputSpecError, match="no sizes"):
        sweep(Signature(specs.inputs, (), specs.dims, ("w < 8",)))
    with pytest.raises(InputSpecError, match="no sizes"):
        sweep(signature, {"h": [3]})


def test_runs_cover_sizes_and_seeds() -> None:
    signature = parse_inputs(SPECS)
    runs = cases(signature, 4)
    assert {run.seed for run in runs} == {0, 1, 2, 3}
    assert len(runs) == len(sweep(signature)) + len(SCALES) + 1
    assert len(cases(signature, 30)) == 30 + len(SCALES) + 1
    assert len({run.label for run in runs}) == 4 + len(SCALES) + 1
    later = cases(signature, 4, first=7)
    assert {run.seed for run in later} == {7, 8, 9, 10}
    assert [run.sizes for run in later] == [run.sizes for run in runs]
    assert "seed 7, small" in [run.label for run in later]
    with pytest.raises(UsageError):
        cases(signature, 0)
    with pytest.raises(UsageError, match="negative"):
        cases(signature, 1, first=-1)
    with pytest.raises(InputSpecError, match="width"):
        cases(signature, 1, {"width": [3]})


def test_the_same_seed_gives_the_same_arrays_and_another_does_not() -> None:
    signature = parse_inputs(SPECS)
    sizes = {"batch": 3, "seq": 4, "h": 8, "w": 5}
    first, again = (random_inputs(signature, sizes, 5) for _ in range(2))
    other = random_inputs(signature, sizes, 6)
    for name in first:
        assert np.array_equal(first[name], again[name])
    assert not np.array_equal(first["image"], other["image"])
    assert first["ids"].shape == (3, 4)
    assert first["image"].shape == (3, 3, 8, 5)


@pytest.mark.parametrize("dtype", sorted(DTYPES))
def test_every_dtype_can_be_made(dtype: str) -> None:
    spec = TensorSpec("x", dtype, ("n", 64))
    array = random_inputs(Signature((spec,)), {"n": 3}, 0)["x"]
    assert dtype_name(array) == dtype
    assert array.shape == (3, 64)
    assert len(set(array.reshape(-1).tolist())) > 1


def test_integers_stay_within_their_bounds_and_reach_them() -> None:
    spec = TensorSpec("ids", "int64", (2000,), bounds=(3, 9))
    array = random_inputs(Signature((spec,)), {}, 1)["ids"]
    assert (array.min(), array.max()) == (3, 9)
    assert unbounded(Signature((spec, TensorSpec("n", "uint8", (1,)), TensorSpec("x")))) == ["n"]


def test_bounds_may_be_sizes() -> None:
    spec = TensorSpec("lengths", "int64", (500,), bounds=(1, "seq - 1"))
    array = random_inputs(Signature((spec,)), {"seq": 7}, 1)["lengths"]
    assert (array.min(), array.max()) == (1, 6)
    assert set(random_inputs(Signature((spec,)), {"other": 7}, 1)["lengths"]) == {1}


def test_an_unknown_rank_is_refused_with_what_to_write() -> None:
    with pytest.raises(InputSpecError, match="no shape") as caught:
        random_inputs(Signature((TensorSpec("x"),)), {}, 0)
    assert "--input" in caught.value.hint


def test_no_rows_a_wrong_answer_fails_a_refusal_only_where_zero_is_declared() -> None:
    torch = pytest.importorskip("torch")
    from verify import verify

    class Net(torch.nn.Module):
        def __init__(self, empty: str = "") -> None:
            super().__init__()
            self.empty = empty

        def forward(self, x):
            if len(x) == 0 and self.empty == "refused":
                raise ValueError("there are no rows")
            return x[:, :2] if len(x) == 0 and self.empty == "wrong" else 2 * x

    def run(a: str, b: str, batch: str):
        return verify(Net(a), Net(b), inputs=f"x:float32[{batch},4]", tolerance="fixed")

    for batch in ("batch", "0<=batch"):
        assert run("", "", batch).passed
        assert run("refused", "", batch).passed
        wrong = [item.label for item in run("", "wrong", batch).runs if item.stage.failed]
        assert wrong == (["no rows"] if batch == "0<=batch" else [])  # undeclared: a note
    taken = run("", "refused", "batch")
    assert taken.passed
    assert any("b refuses the inputs: no rows" in note for note in taken.findings)
    assert not run("", "refused", "0<=batch").passed

"""Outputs that are sets of rows: any order passes, anything else that is wrong does not."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from converter.errors import UsageError
from verify import unordered
from verify.unordered import aligned, assignment, check, groups, pair

Arrays = dict[str, np.ndarray]


def detections(generator: np.random.Generator, count: int = 40, lead: tuple = ()) -> Arrays:
    return {
        "boxes": (600 * generator.random((*lead, count, 4))).astype(np.float32),
        "scores": generator.random((*lead, count)).astype(np.float32),
        "labels": generator.integers(0, 5, (*lead, count)),
    }


def shuffled(arrays: Arrays, generator: np.random.Generator) -> Arrays:
    order = generator.permutation(len(arrays["scores"]))
    return {name: array[order] for name, array in arrays.items()}


def noisy(arrays: Arrays, generator: np.random.Generator) -> Arrays:
    noise = 1 + 1e-6 * generator.standard_normal(arrays["boxes"].shape)
    return {**arrays, "boxes": (arrays["boxes"] * noise).astype(np.float32)}


TOGETHER = groups(["boxes+scores+labels"])


def test_rows_are_put_into_order(generator) -> None:
    a = detections(generator)
    b = aligned(a, shuffled(noisy(a, generator), generator), TOGETHER)
    assert np.array_equal(a["labels"], b["labels"])
    assert np.array_equal(a["scores"], b["scores"])
    assert np.allclose(a["boxes"], b["boxes"], rtol=1e-4)


def test_each_place_before_the_axis_has_a_set_of_its_own(generator) -> None:
    a = detections(generator, 12, (3,))
    orders = [generator.permutation(12) for _ in range(3)]
    b = {name: np.stack([array[i][orders[i]] for i in range(3)]) for name, array in a.items()}
    found = aligned(a, b, groups(["boxes+scores+labels:1"]))
    assert all(np.array_equal(a[name], found[name]) for name in a)
    crossed = {name: array[[1, 0, 2]] for name, array in a.items()}  # rows of another picture
    found = aligned(a, crossed, groups(["boxes+scores+labels:1"]))
    assert not np.array_equal(a["scores"], found["scores"])


def test_equal_rows_missing_numbers_and_nothing_at_all(generator) -> None:
    a = {"y": np.array([[1, np.nan], [2, 2], [2, 2], [np.inf, 0]], np.float32)}
    for order in itertools.permutations(range(4)):
        found = aligned(a, {"y": a["y"][list(order)]}, groups(["y"]))
        assert np.array_equal(found["y"], a["y"], equal_nan=True)
    empty = {"y": np.zeros((0, 4), np.float32)}
    assert aligned(empty, empty, groups(["y"]))["y"].shape == (0, 4)
    texts = {"t": np.array(["a", "b", "a"], object)}
    found = aligned(texts, {"t": texts["t"][[1, 0, 2]]}, groups(["t"]))
    assert found["t"].tolist() == ["a", "b", "a"]


def _moved(b: Arrays) -> None:
    b["boxes"][5, 2] += 0.5


def _swapped(b: Arrays) -> None:
    b["scores"][[3, 7]] = b["scores"][[7, 3]]


def _duplicated(b: Arrays) -> None:
    for array in b.values():
        array[4] = array[9]


def _relabelled(b: Arrays) -> None:
    b["labels"][0] += 1


FAULTS = {
    "a box moved": _moved,
    "scores swapped between two rows": _swapped,
    "a row twice and another missing": _duplicated,
    "another label": _relabelled,
}


class Returned:
    """Returns arrays as a live model does, those of the inputs' sign, whatever the input."""

    @staticmethod
    def build(arrays: Arrays):
        import torch

        class Detector(torch.nn.Module):
            def __init__(self):
                super().__init__()
                for name, array in arrays.items():
                    self.register_buffer(name, torch.from_numpy(array.copy()))

            def forward(self, x):
                return {
                    "boxes": self.boxes + 0 * x.sum(), "scores": self.scores + 0 * x.sum(),
                    "labels": self.labels + 0,
                }  # fmt: skip

        return Detector()


def report(a: Arrays, b: Arrays, **options: object):
    from verify import verify

    options = {"unordered": ["boxes+scores+labels"], "weights": False, "frozen": False, **options}
    return verify(
        Returned.build(a), Returned.build(b), inputs=(np.ones((2, 3), np.float32),),
        tolerance="fixed", **options,
    )  # fmt: skip


@pytest.mark.parametrize("fault", [None, *FAULTS])
def test_planted_faults(fault: str | None, generator) -> None:
    pytest.importorskip("torch")
    a = detections(generator)
    b = {name: array.copy() for name, array in a.items()}
    spoil: Callable[[Arrays], None] = FAULTS.get(fault, lambda arrays: None)
    spoil(b)
    assert report(a, shuffled(b, generator)).passed == (fault is None)


def test_nothing_is_reordered_that_was_not_declared(generator) -> None:
    pytest.importorskip("torch")
    a = detections(generator)
    b = shuffled(a, generator)
    assert not report(a, b, unordered=[]).passed
    assert not report(a, b, unordered=["boxes+scores"]).passed  # the labels stay behind
    shorter = {name: array[:-1] for name, array in a.items()}
    assert not report(a, shorter).passed


def test_the_exact_result_may_come_in_another_order(generator) -> None:
    """With measured tolerance the float64 reference sorts by its own scores."""
    torch = pytest.importorskip("torch")
    from verify import verify

    class Best(torch.nn.Module):
        def __init__(self, turned: bool, factor: float = 1.0) -> None:
            super().__init__()
            self.turned, self.factor = turned, factor

        def forward(self, x):
            scores, indices = torch.topk(x.sum(2), 4, dim=1)
            if self.turned:
                scores, indices = scores.flip(1), indices.flip(1)
            return {"scores": scores * self.factor, "indices": indices}

    arguments = {"inputs": "x:float32[batch,9,3]", "frozen": False}
    sets = {"unordered": ["scores+indices:1"]}
    assert verify(Best(False), Best(True), **arguments, **sets, seeds=1).passed
    assert not verify(Best(False), Best(True), **arguments, seeds=1).passed
    assert not verify(Best(False), Best(True, 1.001), **arguments, **sets, seeds=1).passed


def test_the_assignment_is_the_cheapest(generator) -> None:
    for count in (1, 2, 3, 5, 6):
        for ties in (False, True):
            cost = generator.random((count, count))
            cost = np.round(3 * cost) if ties else cost
            chosen = assignment(cost)
            assert sorted(chosen) == list(range(count))
            best = min(
                sum(cost[row, column] for row, column in enumerate(order))
                for order in itertools.permutations(range(count))
            )
            assert cost[np.arange(count), chosen].sum() == pytest.approx(best)


def test_near_rows_do_not_take_each_others_counterparts() -> None:
    a, b = np.array([[0.0], [1.0], [2.0]]), np.array([[0.9], [1.9], [2.9]])
    assert pair([a], [b], [2.0]).tolist() == [0, 1, 2]


def test_too_many_rows_are_refused(monkeypatch, generator) -> None:
    monkeypatch.setattr(unordered, "MOST_ROWS", 3)
    zeros = np.zeros((9, 1))
    with pytest.raises(UsageError, match="rows have no nearest counterpart"):
        pair([zeros], [zeros + generator.random((9, 1))], [1.0])


@pytest.mark.parametrize("text", ["", "a+", "a:x", "a:-1", "+b"])
def test_texts_that_cannot_be_read(text: str) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        groups([text])


def test_groups_that_do_not_fit_are_refused(generator) -> None:
    a = detections(generator)
    for texts, words in (
        (["boxes+depths"], "no output 'depths'"), (["scores:1"], "no axis 1"),
        (["boxes+few"], "other numbers of rows"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=words):
            check(groups(texts), {**a, "few": a["scores"][:3]})
    with pytest.raises(UsageError, match="twice"):
        groups(["boxes+scores", "labels+scores"])

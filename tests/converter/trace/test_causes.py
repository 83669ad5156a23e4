"""What stops a trace is said with its own cause, its own hint and its place: never another's."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import converter
from converter.errors import ConversionError, TraceError
from converter.trace.pytorch.causes import CAUSES, as_trace_error, chain_of, known_cause


class Calls(nn.Module):
    """Does what it is told, inside of a module called ``inner``."""

    def __init__(self, function: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.inner = Inner(function)

    def forward(self, x: torch.Tensor) -> Any:
        return self.inner(x)


class Inner(nn.Module):
    def __init__(self, function: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(x)


def branch(x: torch.Tensor) -> torch.Tensor:
    return x if x.sum() > 0 else -x


def loop(x: torch.Tensor) -> torch.Tensor:
    while x.norm() < 10:
        x = x * 2
    return x


def slice_by_value(x: torch.Tensor) -> torch.Tensor:
    return x[: int(x[0, 0].item())]


def through_numpy(x: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(np.sin(x.numpy()))


def mismatch(x: torch.Tensor) -> torch.Tensor:
    return x @ torch.ones(7, 2)


def own_error(x: torch.Tensor) -> torch.Tensor:
    raise ValueError("the configuration is bad")


def nested(x: torch.Tensor) -> torch.Tensor:
    rows = torch.nested.nested_tensor([x[0], x[1]])
    return rows.to_padded_tensor(0.0)


@torch.library.custom_op("equiport_tests::opaque", mutates_args=())
def opaque(x: torch.Tensor) -> torch.Tensor:
    return x + 1


FAILURES: list[Any] = [
    # what the model does, what is said, what the hint names (None: there is no hint)
    ("branch", branch, "Python decides by a tensor's value", "torch.where or torch.cond"),
    ("loop", loop, "Python decides by a tensor's value", "torch.while_loop"),
    ("slice", slice_by_value, "a Python number is made of a tensor's value", ".item()"),
    ("numpy", through_numpy, "reads a tensor's memory", "PyTorch's operators only"),
    ("custom operator", opaque, "equiport_tests::opaque does not say", "equiport_tests::opaque"),
    ("sparse", lambda x: x.to_sparse().to_dense(), "sparse tensors", "dense"),
    ("nested", nested, "nested tensors", "pad the rows"),
    ("output", lambda x: object(), "returns a object, which is no tensor", "Return tensors"),
    ("sizes", mismatch, "the model raised RuntimeError: ", "called with x:float32[3,4]"),
    ("own error", own_error, "ValueError: the configuration is bad", "called with x:float32[3,4]"),
]

PLACED = {"branch", "loop", "numpy", "sizes", "own error", "slice", "nested"}
"""Those whose line and module torch lets us know."""


@cache
def failure(name: str) -> TraceError:
    """Return what a conversion of one of `FAILURES` raises."""
    function = next(function for known, function, _, _ in FAILURES if known == name)
    with pytest.raises(TraceError) as caught:
        converter.convert(Calls(function).eval(), "onnx", inputs=["x[batch,4]"], verify=False)
    return caught.value


@pytest.mark.parametrize(
    ("name", "said", "hint"), [(name, said, hint) for name, _, said, hint in FAILURES]
)
def test_a_failure_has_its_own_words_hint_and_place(name: str, said: str, hint: str | None) -> None:
    error = failure(name)
    assert said in error.message
    assert (hint in (error.hint or "")) if hint else error.hint is None
    others = [other for _, _, _, other in FAILURES if other and other not in (hint or "")]
    same = {"torch.where or torch.cond", "torch.while_loop"}  # of one cause each
    assert not [other for other in others if other in (error.hint or "") and other not in same]
    if name in PLACED:
        assert (error.source_line or "").rpartition(":")[0].endswith("test_causes.py")
        assert error.module_path == "inner"


class Fails(Exception):
    """Nothing that is known."""


def test_what_is_not_known_has_its_own_words_and_no_hint() -> None:
    error = as_trace_error(Fails("something else\nand more"))
    assert "something else" in error.message
    assert error.hint is None


def raised(name: str, text: str) -> Exception:
    """Return an error of a class of that name."""
    made: Exception = type(name, (Exception,), {})(text)
    return made


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.pattern[:30] or cause.kinds[0])
def test_every_cause_is_reached_and_none_takes_anothers_errors(cause: Any) -> None:
    texts = {
        r"Could not extract specialized integer": "Could not extract specialized integer from u0",
        r"ScriptObject|torchbind|__torch__": "unsupported __torch__.torch.classes.own.Thing",
    }
    if cause.pattern in texts:
        error = raised(cause.kinds[0] if cause.kinds else "RuntimeError", texts[cause.pattern])
        found = known_cause(error)
        assert found is not None
        assert found[0] is cause
        return
    found_causes = [known_cause(chain_of(failure(name))[-1]) for name, *_ in FAILURES]
    reached = [found[0] for found in found_causes if found is not None]
    general = "UnsupportedOperatorException" in cause.kinds and r"[\w.:]+" in cause.pattern
    assert cause in reached or general


def test_an_operator_that_cannot_be_written_is_named_with_its_line() -> None:
    model = Calls(lambda x: torch.linalg.eigvals(x @ x.T).real).eval()
    with pytest.raises(ConversionError, match="linalg_eig") as caught:
        converter.convert(model, "onnx", inputs=["x[4,4]"], verify=False)
    assert "test_causes.py" in str(caught.value)


class Loops(nn.Module):
    """Three rounds of a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(3):
            x = x + self.layer(x)
        return x


def rounds(x: torch.Tensor) -> torch.Tensor:
    for index in range(3):
        x = x + x * index
    return x


def test_a_scripted_part_is_named_and_a_scripted_function_is_traced() -> None:
    model = Calls(torch.jit.script(Loops())).eval()
    with pytest.raises(TraceError, match="a part of the model is TorchScript") as caught:
        converter.convert(model, "onnx", inputs=["x[batch,4]"], verify=False)
    assert caught.value.module_path == "inner.function"
    assert "torch.jit.script(model)" in (caught.value.hint or "")
    model = Calls(torch.jit.script(rounds)).eval()
    result = converter.convert(model, "torch", inputs=["x[batch,4]"], verify=False)
    x = torch.randn(2, 4)
    np.testing.assert_allclose(result.model(x), rounds(x), rtol=1e-6)

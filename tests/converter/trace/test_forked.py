"""A run that ends the process costs only the answer to one question."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest
import torch
from torch import nn

from converter.formats import Source
from converter.graph.signatures import signature_of
from converter.signature import parse_inputs
from converter.trace.pytorch import forked
from converter.trace.pytorch.trace import trace


def _crash() -> bool:
    os.kill(os.getpid(), signal.SIGSEGV)
    return True


def _fail() -> bool:
    raise RuntimeError("planted")


def test_an_answer_comes_back() -> None:
    assert forked.holds(lambda: True)
    assert not forked.holds(lambda: False)


@pytest.mark.parametrize("question", [_crash, _fail])
def test_no_answer_is_a_no(question, capfd) -> None:
    assert not forked.holds(question)
    assert capfd.readouterr() == ("", "")


def test_an_answer_that_never_comes_is_a_no(monkeypatch) -> None:
    monkeypatch.setattr(forked, "SECONDS", 0.2)
    begin = time.monotonic()
    assert not forked.holds(lambda: time.sleep(60) is None)
    assert time.monotonic() - begin < 30


def test_pytorch_runs_in_a_copy_of_a_process_whose_threads_have_worked() -> None:
    assert torch.get_num_threads() >= 1
    torch.randn(300, 300) @ torch.randn(300, 300)
    other = threading.Thread(target=time.sleep, args=(1.0,))
    other.start()
    assert forked.holds(lambda: bool((torch.ones(300, 300) @ torch.ones(300, 300) == 300).all()))
    other.join()


class Highest(nn.Module):
    """PyTorch's kernel reads past its memory where there are ids and no bags."""

    def __init__(self, last: bool) -> None:
        super().__init__()
        self.most = nn.EmbeddingBag(9, 4, mode="max", include_last_offset=last)

    def forward(self, ids: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        return self.most(ids, offsets)


@pytest.mark.parametrize("last", [False, True])
def test_a_model_that_crashes_at_a_size_of_nothing_is_traced(last: bool) -> None:
    words = ["ids:int64[n]", "offsets:int64[bags]"]
    for _ in range(10):  # what lies past the memory is not always forbidden
        graph = trace(Source("torch", "module", Highest(last).eval()), parse_inputs(words))
    assert signature_of(graph).dynamic_dims() == ("n", "bags")

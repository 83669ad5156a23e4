"""TorchScript: scripts, traces and frozen ones, in either mode, with loops, under any path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import converter
from converter.errors import TraceError
from tests.converter.scripted import Counts, Lists, Repeats, Until
from verify import verify


def network() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.5))
    model(torch.randn(8, 3, 5, 5))
    return model.eval()


ARCHIVES: dict[str, Callable[[nn.Module], torch.jit.ScriptModule]] = {
    "script": torch.jit.script,
    "trace": lambda model: torch.jit.trace(model, torch.randn(2, 3, 5, 5)),
    "frozen": lambda model: torch.jit.freeze(torch.jit.script(model)),
    "script in training": lambda model: torch.jit.script(model.train()),
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_an_archive_with_batch_normalisation_arrives_with_all_weights(
    kind: str, tmp_path: Path
) -> None:
    """`num_batches_tracked` is read by nothing; a frozen archive has no mode and no weights."""
    folder = tmp_path / "mein Modell (v2)"
    folder.mkdir()
    path = folder / "größe.ts"
    ARCHIVES[kind](network()).save(str(path))
    result = converter.convert(path, "torch", inputs=["x[batch,3,5,5]"], verify=False)
    saved = torch.jit.load(str(path))
    named = {k: v for k, v in result.model.state_dict().items() if "equiport" not in k}
    assert list(named) == list(saved.state_dict())
    assert result.signature.state == ()
    seed = int(np.random.default_rng().integers(1 << 30))
    print(f"seed {seed}")
    x = torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(seed))
    assert torch.allclose(result.model(x), network()(x), atol=1e-6)
    report = verify(saved, result.model, data={"x": x.numpy()}, signature=result.signature)
    assert report.passed, str(report)
    if kind == "script in training":
        assert saved.training, "verifying leaves the mode as it was"
    if named:
        with torch.no_grad():
            result.model.get_parameter("0.weight")[0, 0, 0, 0] += 1e-2
        assert not verify(saved, result.model, data={"x": x.numpy()}, locate=False).passed


LOOPS = {
    "for": (Repeats, ["x[batch,3]"], lambda size: (torch.randn(size, 3),)),
    "while": (Until, ["x[2,3]"], lambda size: (torch.rand(2, 3) * size,)),
    "count": (Counts, ["x[2,3]", "n:int64[]"], lambda size: (torch.randn(2, 3), size)),
}


@pytest.mark.parametrize("to", ["torch", "tf"])
@pytest.mark.parametrize("kind", LOOPS)
def test_loops_of_a_script_stay_loops(kind: str, to: str) -> None:
    make, inputs, arguments = LOOPS[kind]
    script = torch.jit.script(make().eval())
    result = converter.convert(script, to, inputs=inputs, verify=False)
    assert [name for name in result.graph.graph.initializers if "linear" in name] == [
        "linear.weight", "linear.bias",
    ]  # fmt: skip
    for size in (1, 2, 5):
        given = arguments(size)
        fed = [torch.as_tensor(value) for value in given]
        got = result.model(*fed) if to == "torch" else result.model(*[v.numpy() for v in fed])
        wanted = script(*given).detach().numpy()
        assert np.abs(np.asarray(got.detach() if to == "torch" else got) - wanted).max() < 1e-6


def test_a_loop_that_cannot_be_translated_is_said_to_be_one(capsys) -> None:
    script = torch.jit.script(Lists().eval())
    with pytest.raises(TraceError, match="has a loop") as raised:
        converter.convert(script, "tf", inputs=["x[steps,2,3]"], verify=False)
    assert "control flow" not in (raised.value.hint or "")
    assert capsys.readouterr().out == ""

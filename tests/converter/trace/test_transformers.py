"""Models of the library transformers as they are: keywords, output classes, caches, attention."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import converter
from converter.errors import UsageError
from converter.trace.pytorch.eager_attention import configurations

transformers = pytest.importorskip("transformers")

SIZES = {
    "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24,
}  # fmt: skip
TOKENS = {0: "batch", 1: "t"}


def t5() -> nn.Module:
    """An encoder and a decoder, whose caches cannot be exported."""
    config = transformers.T5Config(
        vocab_size=40, d_model=16, d_kv=8, d_ff=24, num_layers=1, num_heads=2,
        decoder_start_token_id=0,
    )  # fmt: skip
    return transformers.T5ForConditionalGeneration(config).eval()


def llama() -> nn.Module:
    config = transformers.LlamaConfig(
        vocab_size=40, num_key_value_heads=1, max_position_embeddings=32, **SIZES
    )
    return transformers.LlamaForCausalLM(config).eval()


def bert() -> nn.Module:
    config = transformers.BertConfig(vocab_size=40, max_position_embeddings=16, **SIZES)
    return transformers.BertForSequenceClassification(config).eval()


def tokens(batch: int, length: int) -> torch.Tensor:
    return torch.randint(1, 40, (batch, length))


def mask(batch: int, length: int) -> torch.Tensor:
    ones = torch.ones(batch, length, dtype=torch.int64)
    ones[0, length // 2 :] = 0
    return ones


def t5_inputs(batch: int, source: int, target: int) -> dict[str, torch.Tensor]:
    return {
        "input_ids": tokens(batch, source),
        "attention_mask": mask(batch, source),
        "decoder_input_ids": tokens(batch, target),
    }


def state(module: nn.Module) -> list[Any]:
    """Return everything of a model that a conversion might leave changed."""
    configs = [dict(vars(config)) for config in configurations(module)]
    return [configs, dict(vars(module)), [child.training for child in module.modules()]]


def outputs(result: converter.Conversion, inputs: dict[str, torch.Tensor]) -> dict[str, Any]:
    """Run what came out; returns its outputs by name."""
    with torch.no_grad():
        got = result.model(**inputs)
    values = got if isinstance(got, tuple | list) else [got]
    names = [spec.name for spec in result.signature.outputs]
    return dict(zip(names, values, strict=True))


def compare(
    source: nn.Module, result: converter.Conversion, inputs: dict[str, torch.Tensor],
    names: list[str],
) -> None:  # fmt: skip
    with torch.no_grad():
        expected = source(**inputs)
    got = outputs(result, inputs)
    assert list(got) == names
    for name in names:
        np.testing.assert_allclose(got[name], expected[name], rtol=2e-4, atol=2e-4, err_msg=name)


def test_an_encoder_and_decoder_whose_caches_do_not_export() -> None:
    source = t5()
    before = state(source)
    dynamic = {
        "input_ids": {0: "batch", 1: "src"}, "attention_mask": {0: "batch", 1: "src"},
        "decoder_input_ids": {0: "batch", 1: "tgt"},
    }  # fmt: skip
    inputs = t5_inputs(2, 9, 5)
    result = converter.convert(source, "torch", inputs=inputs, dynamic=dynamic, verify=False)
    assert state(source) == before
    assert "use_cache=False" in result.notes[0]
    assert not any("_assert_tensor_metadata" in note for note in result.notes)
    for sizes in ((2, 9, 5), (1, 4, 7), (3, 1, 1)):
        compare(source, result, t5_inputs(*sizes), ["logits", "encoder_last_hidden_state"])


@pytest.mark.parametrize("cached", [True, False, None])
def test_caches_are_left_out_or_tensors(cached: bool | None) -> None:
    source = llama()
    inputs: dict[str, Any] = {"input_ids": tokens(2, 6), "attention_mask": mask(2, 6)}
    if cached is not None:
        inputs["use_cache"] = cached
    dynamic = {"input_ids": TOKENS, "attention_mask": TOKENS}
    result = converter.convert(source, "torch", inputs=inputs, dynamic=dynamic, verify=False)
    assert [
        name for name in result.signature.to_json()["inputs"] if name["name"] == "use_cache"
    ] == []
    assert bool(result.notes) == (cached is None)
    x = {"input_ids": tokens(3, 4), "attention_mask": torch.ones(3, 4, dtype=torch.int64)}
    if not cached:
        compare(source, result, x, ["logits"])
        return
    with torch.no_grad():
        expected = source(**x)
    got = outputs(result, x)
    assert list(got) == ["logits", "past_key_values_0", "past_key_values_1"]  # one layer
    layer = expected.past_key_values.layers[0]
    for name, value in (("0", layer.keys), ("1", layer.values)):
        found = got[f"past_key_values_{name}"]
        np.testing.assert_allclose(found, value, rtol=1e-4, atol=1e-4)


def test_keywords_alone_and_a_bound_of_positions_verified() -> None:
    source = bert()
    before = state(source)
    inputs = {"attention_mask": torch.ones(2, 6, dtype=torch.int64), "input_ids": tokens(2, 6)}
    dynamic = {"input_ids": TOKENS, "attention_mask": TOKENS}
    result = converter.convert(source, "tf", inputs=inputs, dynamic=dynamic)
    assert result.report is not None
    assert result.report.passed
    assert state(source) == before
    assert any("t up to 16 (module bert.embeddings" in note for note in result.notes)
    assert max(run.sizes.get("t", 0) for run in result.report.runs) == 16


class Attends(nn.Module):
    """Has a configuration as in transformers; its fused attention cannot be exported."""

    def __init__(self) -> None:
        super().__init__()
        self.config = transformers.BertConfig(attn_implementation="sdpa", **SIZES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.config._attn_implementation == "sdpa":
            return torch.from_numpy(x.numpy() * 2)
        return x * 2


def test_attention_that_does_not_export_is_traced_in_its_plain_form() -> None:
    source = Attends()
    before = state(source)
    result = converter.convert(source, "torch", inputs=["x[batch,3]"], verify=False)
    assert state(source) == before
    (note,) = result.notes
    assert "attention (sdpa) cannot be exported" in note
    assert "NumPy" in note
    x = torch.randn(4, 3)
    np.testing.assert_allclose(result.model(x), source(x))


class Scaled(nn.Module):
    """Takes a number and a flag beside its tensor."""

    def forward(self, x: torch.Tensor, factor: float, *, twice: bool = False) -> torch.Tensor:
        return x * factor * (2 if twice else 1)


def test_arguments_that_are_no_tensors_are_the_same_in_every_call() -> None:
    source = Scaled()
    x = torch.randn(2, 3)
    inputs = {"x": x, "factor": 1.5, "twice": True}
    result = converter.convert(source, "tf", inputs=inputs, dynamic={"x": {0: "batch"}})
    assert result.report is not None
    assert result.report.passed
    assert [spec.name for spec in result.signature.inputs] == ["x"]
    np.testing.assert_allclose(result.model(x.numpy()), x * 3, rtol=1e-6)
    assert "forward" not in vars(source)
    with pytest.raises(UsageError, match="no argument called 'other'"):
        converter.convert(source, "tf", inputs={"x": x, "factor": 1.5, "other": 1})

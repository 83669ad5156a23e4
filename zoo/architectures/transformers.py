"""Architectures of `transformers` in small configurations, each with plain tensors as output.

Attention is the eager one: written in plain operators, it exports with dynamic lengths.
"""

from __future__ import annotations

from typing import Any

import transformers
from torch import Tensor, nn

VOCABULARY, WIDTH, HEADS, INNER, LAYERS, POSITIONS = 200, 64, 4, 128, 2, 64
EAGER: dict[str, Any] = {"attn_implementation": "eager"}
TRANSFORMER: dict[str, Any] = EAGER | {
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": INNER,
}


class Bert(nn.Module):
    """Token ids and mask ``[batch, sequence]`` int64 -> ``[batch, sequence, 64]`` float32."""

    def __init__(self) -> None:
        super().__init__()
        config = transformers.BertConfig(
            vocab_size=VOCABULARY, max_position_embeddings=POSITIONS, **TRANSFORMER
        )
        self.bert = transformers.BertModel(config, add_pooling_layer=False)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.bert(input_ids, attention_mask=attention_mask).last_hidden_state


class Gpt2(nn.Module):
    """Token ids ``[batch, sequence]`` int64 -> logits ``[batch, sequence, 200]`` float32."""

    def __init__(self) -> None:
        super().__init__()
        config = transformers.GPT2Config(
            vocab_size=VOCABULARY,
            n_positions=POSITIONS,
            n_embd=WIDTH,
            n_layer=LAYERS,
            n_head=HEADS,
            bos_token_id=None,
            eos_token_id=None,
            **EAGER,
        )
        self.gpt2 = transformers.GPT2LMHeadModel(config)

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.gpt2(input_ids, use_cache=False).logits


class Vit(nn.Module):
    """Images ``[batch, 3, 32, 32]`` float32 -> logits ``[batch, 10]``."""

    def __init__(self) -> None:
        super().__init__()
        options = TRANSFORMER | {"num_labels": 10}
        config = transformers.ViTConfig(image_size=32, patch_size=8, **options)
        self.vit = transformers.ViTForImageClassification(config)

    def forward(self, pixel_values: Tensor) -> Tensor:
        return self.vit(pixel_values).logits


class Wav2Vec2(nn.Module):
    """Waveform ``[batch, samples]`` float32 -> ``[batch, frames, 64]``."""

    def __init__(self) -> None:
        super().__init__()
        config = transformers.Wav2Vec2Config(
            conv_dim=(32,) * 7,
            num_conv_pos_embeddings=16,
            num_conv_pos_embedding_groups=4,
            **TRANSFORMER,
        )
        self.wav2vec2 = transformers.Wav2Vec2Model(config)

    def forward(self, input_values: Tensor) -> Tensor:
        return self.wav2vec2(input_values).last_hidden_state


class Llama(nn.Module):
    """Token ids ``[batch, sequence]`` int64 -> logits ``[batch, sequence, 200]`` float32."""

    def __init__(self) -> None:
        super().__init__()
        config = transformers.LlamaConfig(
            vocab_size=VOCABULARY,
            max_position_embeddings=POSITIONS,
            num_key_value_heads=HEADS // 2,
            **TRANSFORMER,
        )
        self.llama = transformers.LlamaForCausalLM(config)

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.llama(input_ids, use_cache=False).logits


bert, gpt2, vit, wav2vec2, llama = Bert, Gpt2, Vit, Wav2Vec2, Llama

"""Architectures that nobody here wrote, with seeded random weights; built on demand."""

from __future__ import annotations

from zoo.entry import Entry, Side

IMAGE_SIZES = {"batch": (1, 2, 3)}
TEXT_SIZES = {"batch": (1, 2, 3), "sequence": (1, 7, 16)}
MASK_BOUNDS = {"input_ids": (0, 199), "attention_mask": (0, 1)}


def _transformers(name: str, summary: str, *inputs: str, seed: int, **options) -> Entry:
    side = Side(inputs, f"zoo.architectures.transformers:{name}")
    return Entry(name, f"{summary} (transformers), small", torch=side, seed=seed, **options)


def _keras(name: str, summary: str, size: int, *, seed: int, **options) -> Entry:
    side = Side((f"x:float32[batch,{size},{size},3]",), f"zoo.architectures.keras:{name}")
    return Entry(
        f"keras_{name}",
        f"{summary} (keras.applications), {size}x{size}",
        tf=side,
        seed=seed,
        sizes=IMAGE_SIZES,
        **options,
    )


ARCHITECTURES = (
    _transformers(
        "bert",
        "BERT, hidden states",
        "input_ids:int64[batch,sequence<=64]",
        "attention_mask:int64[batch,sequence<=64]",
        seed=10,
        bounds=MASK_BOUNDS,
        sizes=TEXT_SIZES,
    ),
    _transformers(
        "gpt2",
        "GPT-2, logits of the next token",
        "input_ids:int64[batch,sequence<=64]",
        seed=11,
        bounds=MASK_BOUNDS,
        sizes=TEXT_SIZES,
    ),
    _transformers(
        "vit",
        "ViT, class logits",
        "pixel_values:float32[batch,3,32,32]",
        seed=12,
        sizes=IMAGE_SIZES,
    ),
    _transformers(
        "wav2vec2",
        "Wav2Vec2, hidden states of a waveform",
        "input_values:float32[batch,720<=samples<=16000]",
        seed=13,
        sizes={"batch": (1, 2, 3), "samples": (800, 1600, 2005)},
    ),
    _transformers(
        "llama",
        "LLaMA with grouped queries, logits of the next token",
        "input_ids:int64[batch,sequence<=64]",
        seed=14,
        bounds=MASK_BOUNDS,
        sizes=TEXT_SIZES,
    ),
    _keras("resnet50", "ResNet50", 64, seed=20, damped="_3_bn/gamma"),
    _keras("mobilenet_v3_small", "MobileNetV3Small", 64, seed=21),
    _keras("efficientnet_b0", "EfficientNetB0", 64, seed=22),
    _keras("densenet121", "DenseNet121", 64, seed=23),
    _keras("convnext_tiny", "ConvNeXtTiny", 64, seed=24),
)

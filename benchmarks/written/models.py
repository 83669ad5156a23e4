"""The architectures: the zoo's, and more of the libraries' own, small, with seeded weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import zoo


@dataclass(frozen=True)
class Model:
    """A model to write.

    Attributes:
        name: e.g. ``bert``.
        framework: ``torch`` or ``tf``.
        build: returns it, ready for inference.
        inputs: as ``--input`` takes them; empty where the model says them itself.
    """

    name: str
    framework: str
    build: Callable[[], Any]
    inputs: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What the command line calls it."""
        return f"{self.name} {self.framework}"


IDS = ("input_ids:int64[batch,length]",)
IMAGE = ("pixel_values:float32[batch,3,64,64]",)


def everything() -> list[Model]:
    """Return all models, PyTorch's first."""
    return [*_of_zoo("torch"), *_transformers(), *_of_zoo("tf"), *_applications(), *_layers()]


def _of_zoo(framework: str) -> list[Model]:
    found = []
    for name in zoo.names():
        entry = zoo.get(name)
        if framework in entry.frameworks:
            inputs = tuple(entry.side(framework).inputs)
            found.append(Model(name, framework, lambda n=name: zoo.load(n, framework), inputs))
    return found


def _transformers() -> list[Model]:
    small = {"hidden_size": 32, "intermediate_size": 64}
    text = {"vocab_size": 50, "num_hidden_layers": 3, "num_attention_heads": 4, **small}
    return [
        _model("t5_encoder", "T5EncoderModel", "T5Config", IDS, vocab_size=50, d_model=32, d_kv=8,
               d_ff=64, num_layers=3, num_heads=4),
        _model("distilbert", "DistilBertModel", "DistilBertConfig", IDS, vocab_size=50, dim=32,
               hidden_dim=64, n_layers=3, n_heads=4),
        _model("electra", "ElectraModel", "ElectraConfig", IDS, embedding_size=16, **text),
        _model("swin", "SwinModel", "SwinConfig", IMAGE, image_size=64, patch_size=4, embed_dim=16,
               depths=[2, 2], num_heads=[2, 4], window_size=4),
        _model("convnext", "ConvNextModel", "ConvNextConfig", IMAGE, hidden_sizes=[8, 16, 24, 32],
               depths=[2, 2, 3, 2]),
        _model("resnet", "ResNetModel", "ResNetConfig", IMAGE, embedding_size=8,
               hidden_sizes=[16, 32, 48, 64], depths=[2, 3, 2, 2]),
        _model("mobilenet_v2", "MobileNetV2Model", "MobileNetV2Config", IMAGE,
               depth_multiplier=0.35),
        _model("efficientnet", "EfficientNetModel", "EfficientNetConfig", IMAGE, image_size=64,
               width_coefficient=0.25, depth_coefficient=0.5, hidden_dim=320),
        _model("regnet", "RegNetModel", "RegNetConfig", IMAGE, embedding_size=8,
               hidden_sizes=[8, 16, 24, 32], depths=[1, 2, 3, 2], groups_width=4),
        _model("segformer", "SegformerModel", "SegformerConfig", IMAGE,
               hidden_sizes=[8, 16, 24, 32], num_attention_heads=[1, 2, 3, 4],
               decoder_hidden_size=32),
        _model("qwen2", "Qwen2Model", "Qwen2Config", IDS, num_key_value_heads=2, **text),
    ]  # fmt: skip


def _model(name: str, of: str, config: str, inputs: tuple[str, ...], **options: Any) -> Model:
    def build() -> Any:
        import torch
        import transformers

        torch.manual_seed(1)
        return getattr(transformers, of)(getattr(transformers, config)(**options)).eval()

    return Model(name, "torch", build, inputs)


_APPLICATIONS = {
    "VGG16": 32, "Xception": 71, "InceptionV3": 75, "MobileNet": 32, "MobileNetV2": 32,
    "ResNet50V2": 32, "EfficientNetV2B0": 32, "NASNetMobile": 32, "InceptionResNetV2": 75,
}  # fmt: skip
"""Families of `keras.applications` that the zoo has not, with their smallest images."""


def _applications() -> list[Model]:
    def build(name: str, size: int) -> Any:
        import keras

        keras.utils.set_random_seed(1)
        return getattr(keras.applications, name)(
            weights=None, input_shape=(size, size, 3), classes=10
        )

    return [Model(name.lower(), "tf", lambda n=name, s=size: build(n, s))
            for name, size in _APPLICATIONS.items()]  # fmt: skip


def _layers() -> list[Model]:
    from benchmarks.written import keras_models

    names = ("lstm", "bidirectional_gru", "conv_lstm", "transformer", "several", "subclassed")
    inputs = {"subclassed": ("x:float32[batch,16,16,3]",)}  # it does not say them itself
    return [Model(name, "tf", lambda n=name: keras_models.built(n), inputs.get(name, ()))
            for name in names]  # fmt: skip

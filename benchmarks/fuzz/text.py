"""The source text of a case, as a person would run it."""

from __future__ import annotations

from benchmarks.fuzz.case import Case, layer_lines, lines_of, returned_text

TORCH = """import torch
from torch import nn
import torch.nn.functional as F

torch.manual_seed(0)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
{layers}

    def forward(self, {arguments}):
{body}


model = Model().eval()
with torch.no_grad():  # statistics and scales that show
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and tensor.dim() == 1 and tensor.numel():
            tensor.add_(torch.linspace(0.1, 0.7, tensor.numel(), dtype=tensor.dtype))
"""

HEAD = """import numpy as np
import tensorflow as tf
import keras
from keras import layers, ops

keras.utils.set_random_seed(0)

"""

FUNCTION = """
@tf.function
def model({arguments}):
{body}
"""

TF_MODULE = """
class Model(tf.Module):
    def __init__(self):
        super().__init__()
{layers}

    @tf.function
    def __call__(self, {arguments}):
{body}


model = Model()
"""

SUBCLASSED = """
class Model(keras.Model):
    def __init__(self):
        super().__init__()
{layers}

    def call(self, inputs):
        {unpack}
{body}


model = Model()
model(inputs_of_model)
"""

FUNCTIONAL = """
{symbols}
{body}
model = keras.Model({inputs}, {outputs})
"""


def source_of(case: Case, noisy: bool = False) -> str:
    """Return the text that defines ``model``."""
    arguments = ", ".join(item.name for item in case.inputs)
    body = lines_of(case, "        ", noisy)
    layers = layer_lines(case, "        ") or "        pass"
    if case.form == "module":
        return TORCH.format(layers=layers, arguments=arguments, body=body)
    if case.form == "function":
        body = lines_of(case, "    ", noisy)
        return HEAD + FUNCTION.format(arguments=arguments, body=body)
    if case.form == "tf_module":
        return HEAD + TF_MODULE.format(layers=layers, arguments=arguments, body=body)
    if case.form == "subclassed":
        names = ", ".join(item.name for item in case.inputs)
        unpack = f"[{names}] = inputs" if len(case.inputs) > 1 else f"{names} = inputs"
        return (
            HEAD + example_lines(case) + SUBCLASSED.format(layers=layers, body=body, unpack=unpack)
        )
    return HEAD + functional(case)


def example_lines(case: Case) -> str:
    """Return the lines that give a subclassed model the shapes of its inputs."""
    zeros = [
        f"tf.zeros({tuple(item.shape(case.sizes[0]))}, tf.{item.dtype})" for item in case.inputs
    ]
    inner = zeros[0] if len(zeros) == 1 else f"[{', '.join(zeros)}]"
    return f"inputs_of_model = {inner}\n"


def functional(case: Case) -> str:
    """Return the lines of a functional Keras model."""
    symbols = []
    for item in case.inputs:
        shape = tuple(None if isinstance(dim, str) else dim for dim in item.dims[1:])
        symbols.append(
            f"{item.token} = keras.Input({shape}, dtype={item.dtype!r}, name={item.name!r})"
        )
    body = []
    for step in case.steps:
        layer = step.token.replace("v", "m")
        if step.layer:
            name = case.layers.get(layer)
            made = step.layer[:-1] + (", " if step.layer[-2] != "(" else "")
            body.append(f"{layer} = {made}name={name!r})" if name else f"{layer} = {step.layer}")
        body.append(f"{step.token} = {step.code}")
    inputs = ", ".join(item.token for item in case.inputs)
    return FUNCTIONAL.format(
        symbols="\n".join(symbols),
        body="\n".join(body),
        inputs=inputs if len(case.inputs) == 1 else f"[{inputs}]",
        outputs=returned_text(case),
    )


def script_of(case: Case) -> str:
    """Return the whole script: the model, the conversion, and one run of both."""
    return (
        f"# {case.number}\n"
        + source_of(case)
        + "\nimport converter\n\n"
        + f"inputs = {case.specs()!r}\n"
        + f"# sizes of the open dimensions: {[dict(one) for one in case.sizes]}\n"
        + f"result = converter.convert(model, {case.to!r}, inputs=inputs, verify=False)\n"
        + ("# written to a file and loaded from there\n" if case.written else "")
    )

"""Runs inside the interpreter that has onnx2tf; needs nothing of Equiport there.

``python onnx2tf_worker.py JOB.json``: converts the ONNX file that the job names, saves the result
with the source's names, and writes beside the job what onnx2tf did to the layouts.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
from pathlib import Path

IMAGE_RANKS = (3, 4, 5)
CALIBRATION = "calibration_image_sample_data_20x128x128x3_float32.npy"
"""onnx2tf would fetch this file from the network if it did not lie in the present folder."""

PR_SET_PDEATHSIG = 1
"""From Linux's ``sys/prctl.h``."""


def end_with(parent):
    """Ask Linux to end this process with the one that started it."""
    with contextlib.suppress(OSError, AttributeError):  # another system, where we go without
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == 1 and parent != 1:  # it ended before we asked
        os._exit(1)


def channels_last(rank):
    """Return the permutation that onnx2tf applies to images: 0,2,3,1 for rank 4."""
    return [0, *range(2, rank), 1]


def layouts(model, job):
    """Return input and output permutations, as onnx2tf itself declares them.

    onnx2tf puts the channels of every input of rank 3, 4 and 5 last (no option to keep one is
    given), and says of each output whether it did so.
    """
    inputs = {
        name: channels_last(len(shape)) if len(shape) in IMAGE_RANKS else None
        for name, shape in job["inputs"].items()
    }
    flags = model.onnx_output_layouts
    outputs = {
        name: channels_last(len(shape)) if flags[name] and len(shape) in IMAGE_RANKS else None
        for name, shape in job["outputs"].items()
    }
    return inputs, outputs


def check(tensor, shape, permutation, name):
    """Refuse a result whose static sizes contradict the declared permutation."""
    wanted = [shape[axis] for axis in permutation] if permutation else shape
    wanted = [size if isinstance(size, int) else None for size in wanted]
    if not tensor.shape.is_compatible_with(wanted):
        raise ValueError(f"{name}: onnx2tf declares {wanted}, its tensor has {list(tensor.shape)}")


def main(path):
    job = json.loads(Path(path).read_text())
    end_with(job["parent"])
    import numpy as np
    import onnx2tf
    import tensorflow as tf

    os.chdir(job["folder"])
    noise = np.random.default_rng(0).random((20, 128, 128, 3), dtype=np.float32)
    np.save(CALIBRATION, noise)
    model = onnx2tf.convert(
        input_onnx_file_path=job["model"],
        output_folder_path=job["folder"],
        disable_model_save=True,
        non_verbose=True,
        verbosity="error",
    )
    inputs, outputs = layouts(model, job)
    by_name = {tensor.name.split(":")[0]: tensor for tensor in model.inputs}
    for name, shape in job["inputs"].items():
        check(by_name[safe(name)], shape, inputs[name], name)
    for tensor, (name, shape) in zip(model.outputs, job["outputs"].items(), strict=True):
        check(tensor, shape, outputs[name], name)
    order = [safe(name) for name in job["inputs"]]
    specs = [
        tf.TensorSpec(by_name[key].shape, by_name[key].dtype, name)
        for key, name in zip(order, job["inputs"], strict=True)
    ]
    names = [tensor.name.split(":")[0] for tensor in model.inputs]

    @tf.function(input_signature=specs, autograph=False)
    def serve(*tensors):
        given = dict(zip(order, tensors, strict=True))
        results = model([given[name] for name in names], training=False)
        results = results if isinstance(results, list | tuple) else [results]
        return dict(zip(job["outputs"], map(tf.identity, results), strict=True))

    holder = tf.Module()
    holder.model, holder.serve = model, serve
    signatures = {"serving_default": serve.get_concrete_function()}
    tf.saved_model.save(holder, job["output"], signatures=signatures)
    if job["to"] == "tflite":
        converter = tf.lite.TFLiteConverter.from_saved_model(job["output"])
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS,
            tf.lite.OpsSet.SELECT_TF_OPS,
        ]
        Path(job["tflite"]).write_bytes(converter.convert())
    Path(job["result"]).write_text(json.dumps({"inputs": inputs, "outputs": outputs}))


def safe(name):
    """Return a name as onnx2tf writes it."""
    return name.replace(":", "__")


if __name__ == "__main__":
    main(sys.argv[1])

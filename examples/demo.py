"""Convert the trained digit CNN in both directions, verify both, and count its right answers.

``make demo`` runs this. It trains the CNN on scikit-learn's handwritten digits in PyTorch and in
Keras (seconds), then does with the commands what a user would type.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

MODEL = "digits_cnn"
Predict = Callable[[np.ndarray], np.ndarray]


def run(*command: str) -> None:
    """Run a command of ours, showing it first; stop with its exit code if it fails."""
    print(f"\n$ {' '.join(command)}", flush=True)
    here = Path(sys.executable).with_name(command[0])
    done = subprocess.run([str(here), *command[1:]], check=False)
    if done.returncode:
        sys.exit(done.returncode)


def torch_predictor(path: Path) -> Predict:
    """Run an exported program of PyTorch on ``[N, 1, 8, 8]``."""
    import torch

    module = torch.export.load(path).module()
    return lambda images: module(torch.from_numpy(images)).detach().numpy()


def converted_to_torch(path: Path) -> Predict:
    """Run Keras's model in PyTorch; it keeps the source's layout ``[N, 8, 8, 1]``."""
    predict = torch_predictor(path / "model.pt2")
    return lambda images: predict(images.transpose(0, 2, 3, 1).copy())


def keras_predictor(path: Path) -> Predict:
    """Run a Keras model on ``[N, 1, 8, 8]``, which it takes as ``[N, 8, 8, 1]``."""
    import keras

    model: Any = keras.models.load_model(path)
    return lambda images: model(images.transpose(0, 2, 3, 1), training=False).numpy()


def converted_to_tf(path: Path) -> Predict:
    """Run PyTorch's model in TensorFlow; it keeps the source's layout ``[N, 1, 8, 8]``."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))

    def predict(images: np.ndarray) -> np.ndarray:
        (output,) = loaded.signatures["serving_default"](x=tf.constant(images)).values()
        return output.numpy()

    return predict


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("demo-out"))
    folder: Path = parser.parse_args().output
    if folder.exists():
        sys.exit(f"{folder} exists already; remove it, or name another folder: make demo OUT=...")
    folder.mkdir(parents=True)
    pt2, saved_model = folder / "digits.pt2", folder / "digits_tf"
    keras_file, torch_folder = folder / "digits.keras", folder / "digits_torch"

    run("zoo", "export", MODEL, "--framework", "torch", "-o", str(pt2))
    run("convert", str(pt2), "--to", "tf", "-o", str(saved_model))
    run("zoo", "export", MODEL, "--framework", "tf", "-o", str(keras_file))
    run("convert", str(keras_file), "--to", "torch", "-o", str(torch_folder))

    from converter.captured import captured_stderr
    from zoo.twins.digits_cnn.data import score

    print("\nAccuracy on the 360 held-out digits:")
    for name, predictor, path in (
        ("PyTorch", torch_predictor, pt2),
        ("  -> TensorFlow", converted_to_tf, saved_model),
        ("Keras", keras_predictor, keras_file),
        ("  -> PyTorch", converted_to_torch, torch_folder),
    ):
        with captured_stderr():  # what TensorFlow says while it starts
            _, accuracy = score(predictor(path))
        print(f"  {name:<16} {accuracy:.2%}")
    print(f"\nThe artifacts: {saved_model} and {torch_folder}")


if __name__ == "__main__":
    main()

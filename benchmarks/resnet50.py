"""Keras ResNet50 -> PyTorch: seconds and peak memory, beside tf2onnx + onnx2torch as shipped.

``python -m benchmarks.resnet50 [--peer-python PATH]``. Each measured run is a process of its own;
peak memory is the largest sum of the resident sets of the run's processes, sampled twenty times a
second, in MB of 10**6 bytes. The peer is tf2onnx as shipped and, where the peer's interpreter has
it, onnx2torch.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

PREPARE = """
import keras
keras.utils.set_random_seed(0)
keras.applications.ResNet50(weights=None).save({path!r})
"""

PEER = """
import keras, tensorflow as tf, tf2onnx, onnx
model = keras.models.load_model({path!r})
spec = [tf.TensorSpec((None, 224, 224, 3), tf.float32, "x")]
function = tf.function(lambda x: model(x, training=False), input_signature=spec)
proto, _ = tf2onnx.convert.from_function(function, input_signature=spec, opset=18)
try:
    from onnx2torch import convert
except ModuleNotFoundError:
    print("onnx2torch is not installed: tracing alone")
else:
    convert(proto)
"""

SAMPLES_PER_SECOND = 20


def measure(command: list[str]) -> dict[str, float]:
    """Run a command; returns seconds and the peak of the summed resident sets, in MB."""
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    start = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    peak = 0
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        peak = max(peak, resident(watched))
        time.sleep(1 / SAMPLES_PER_SECOND)
    seconds = time.perf_counter() - start
    output = process.stdout.read() if process.stdout else ""
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{output}")
    return {"seconds": seconds, "peak_mb": peak / 1e6}


def resident(process: psutil.Process) -> int:
    """Return the bytes that a process and its children hold in memory at this moment."""
    total = 0
    try:
        for one in (process, *process.children(recursive=True)):
            total += one.memory_info().rss
    except psutil.NoSuchProcess:
        return total
    return total


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.resnet50", description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = str(Path(folder) / "resnet50.keras")
        subprocess.run(
            [sys.executable, "-c", PREPARE.format(path=source)], check=True, capture_output=True
        )
        convert = [sys.executable, "-m", "converter.cli", source, "--to", "torch", "-q"]
        runs: dict[str, list[dict[str, float]]] = {}
        for index in range(options.repeat):  # interleaved: the machine's mood changes
            for name, command in (
                ("convert --no-verify", [*convert, "--no-verify"]),
                ("convert, verified", convert),
                ("tf2onnx + onnx2torch", [options.peer_python, "-c", PEER.format(path=source)]),
            ):
                if name.startswith("tf2onnx"):
                    if options.no_peer:
                        continue
                else:
                    command = [*command, "-o", str(Path(folder) / f"{name.split()[-1]}{index}")]
                runs.setdefault(name, []).append(measure(command))
    results = {
        name: {key: statistics.median(run[key] for run in each) for key in each[0]}
        for name, each in runs.items()
    }
    base = results["convert --no-verify"]
    print(f"{'':<22} {'seconds':>8} {'peak MB':>8} {'time x':>7} {'memory x':>9}")
    for name, result in results.items():
        print(
            f"{name:<22} {result['seconds']:8.1f} {result['peak_mb']:8.0f} "
            f"{result['seconds'] / base['seconds']:7.2f} "
            f"{result['peak_mb'] / base['peak_mb']:9.2f}"
        )
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()

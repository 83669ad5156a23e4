"""``python -m benchmarks.written``: write real architectures as source code and measure the text.

Each model is converted to the other framework in a process of its own, with ``source=True``; the
written module is held against the converted one as always. The table has, for each: the share of
the weights that built-in layers hold, classes written and classes of the source's own, lines.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import subprocess
import sys
import time
from typing import Any

from benchmarks.written.models import Model, everything

SECONDS = 900


def main() -> int:
    """Run all models, or those that are named."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.written", description=__doc__.partition("\n\n")[2]
    )
    parser.add_argument("--models", nargs="*", metavar="NAME", help='e.g. "bert torch"; all')
    parser.add_argument("--text", action="store_true", help="print the written modules")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    models = {model.title: model for model in everything()}
    if options.one:
        print(json.dumps(measured(models[options.one])))
        return 0
    unknown = [name for name in options.models or () if name not in models]
    if unknown:
        print(f"there is no {unknown[0]!r}; models: {', '.join(models)}", file=sys.stderr)
        return 2
    print(f"{'model':<30} {'built-in':>9} {'classes':>8} {'source':>7} {'lines':>6} {'seconds':>8}")
    failed = 0
    for title in options.models or models:
        row = in_a_process(title)
        failed += "error" in row
        print(line(title, row), flush=True)
        if options.text:
            print(row.get("text", ""))
    return int(failed > 0)


def in_a_process(title: str) -> dict[str, Any]:
    """Return the figures of one model, or its error."""
    command = [sys.executable, "-m", "benchmarks.written", "--one", title]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return {"error": f"it takes more than {SECONDS} s"}
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["?"])[-1]}
    return dict(json.loads(done.stdout.splitlines()[-1]))


def line(title: str, row: dict[str, Any]) -> str:
    """Return one line of the table."""
    if "error" in row:
        return f"{title:<30} {row['error'][:160]}"
    return (
        f"{title:<30} {row['share']:>8.1%} {row['classes']:>8} {row['own']:>7} {row['lines']:>6} "
        f"{row['seconds']:>8.0f}"
    )


def measured(model: Model) -> dict[str, Any]:
    """Convert a model, and count."""
    import converter
    from converter.errors import EquiportError

    source = model.build()
    to = "tf" if model.framework == "torch" else "torch"
    begin = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            result = converter.convert(
                source, to, inputs=list(model.inputs) or None, purpose="training", verify=False
            )
        except EquiportError as error:
            return {"error": str(error).splitlines()[0]}
    seconds = time.perf_counter() - begin
    if result.source is None:
        return {"error": next(iter(result.notes), "not written")}
    held, built_in = weights(result.model, to)
    return {
        "share": built_in / max(held, 1), "seconds": seconds, "text": result.source,
        "classes": sum(line.startswith("class ") for line in result.source.splitlines()),
        "own": classes(source, model.framework), "lines": result.source.count("\n"),
    }  # fmt: skip


def weights(model: Any, framework: str) -> tuple[int, int]:
    """Return how many numbers a written module's weights have, and those of built-in layers."""
    held = built_in = 0
    for owner, size in _owned(model, framework):
        held += size
        built_in += size if type(owner).__module__.startswith(("torch.nn.", "keras.src.")) else 0
    return held, built_in


def _owned(model: Any, framework: str) -> Any:
    """Yield each weight's owner and size."""
    if framework == "torch":
        for module in model.modules():
            for tensor in module.parameters(recurse=False):
                yield module, tensor.numel()
        return
    import numpy as np

    for layer in model._flatten_layers():
        for variable in layer._trainable_variables:
            yield layer, int(np.prod(variable.shape))


def classes(source: Any, framework: str) -> int:
    """Return how many classes the source has that are not its framework's layers."""
    if framework == "torch":
        kinds = {type(module) for module in source.modules()}
        return sum(not kind.__module__.startswith("torch.nn.") for kind in kinds)
    kinds = {type(layer) for layer in source._flatten_layers(include_self=False)}
    return 1 + sum(not kind.__module__.startswith("keras.src.") for kind in kinds)


if __name__ == "__main__":
    sys.exit(main())

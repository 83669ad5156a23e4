"""Write ``docs/operators.md``: operator x version x framework.

``python -m tests.conformance.operators --measure pytorch`` runs the suite's node cases both ways,
stores the figures beside this file and renders the page from what is stored; without ``--measure``
it only renders.
"""

from __future__ import annotations

import argparse
import collections
import json
from pathlib import Path
from typing import Any

import onnx

from tests.conformance.__main__ import SECOND, run_case, run_second
from tests.conformance.coverage import DONE_ELSEWHERE, versions
from tests.conformance.differences import DIFFERENCES
from tests.conformance.suite import Case, generated

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "operators.md"
FRAMEWORKS = {"pytorch": "PyTorch", "tensorflow": "TensorFlow"}


# ------------------------------------------------------------------ measure


def operators_in(model: onnx.ModelProto) -> set[str]:
    """Return the operators of a model's main graph as ``domain::name``."""
    return {f"{node.domain}::{node.op_type}" for node in model.graph.node}


def measure(framework: str) -> dict[str, dict[str, Any]]:
    """Return figures for each operator that some node case of the suite has."""
    from converter import onnx_backend

    backend = {
        "pytorch": onnx_backend.PyTorchBackend,
        "tensorflow": onnx_backend.TensorFlowBackend,
    }[framework]
    figures: dict[str, collections.Counter] = collections.defaultdict(collections.Counter)
    kernels: dict[str, int] = {}
    cases = [case for case in generated() if "_expanded" not in case.name]
    for case in cases:
        passed = run_case(backend, case) is None
        reason, fixed = run_second(framework, case) if passed else ("", False)
        for operator in operators_in(case.model):
            figures[operator]["cases"] += 1
            figures[operator]["passed"] += passed
            figures[operator]["second"] += passed and reason is None
            figures[operator]["fixed"] += fixed
        (operator, *others) = operators_in(case.model)
        if passed and not others:
            used = KERNELS[framework](case)
            kernels[operator] = min(used, kernels.get(operator, used))
    return {
        name: dict(counts) | ({"kernels": kernels[name]} if name in kernels else {})
        for name, counts in sorted(figures.items())
    }


def kernels_in_pytorch(case: Case) -> int:
    """Return how many of PyTorch's kernels a case runs; views, copies and casts do not count."""
    from torch.utils._python_dispatch import TorchDispatchMode

    from converter.onnx_backend import PyTorchBackend
    from tests.conformance.suite import load

    class Count(TorchDispatchMode):
        total = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            self.total += func.overloadpacket.__name__ not in _FREE
            return func(*args, **(kwargs or {}))

    model, data = load(case)
    prepared = PyTorchBackend.prepare(model)
    inputs, _ = next(iter(data))
    with Count() as count:
        prepared.run(inputs)
    return count.total


_FREE = frozenset(
    "alias as_strided clone detach expand lift_fresh permute reshape select slice split "
    "split_with_sizes squeeze t transpose unbind unsqueeze view _local_scalar_dense _reshape_alias "
    "_to_copy _unsafe_view copy_ empty scalar_tensor".split()
)


def kernels_in_tensorflow(case: Case) -> int:
    """Return how many of TensorFlow's operations are in a case's graph; what moves and casts values
    does not count."""
    from converter.onnx_backend import TensorFlowBackend
    from tests.conformance.suite import load

    model, data = load(case)
    prepared = TensorFlowBackend.prepare(model)
    inputs, _ = next(iter(data))
    function = prepared.module.concrete_function(*prepared.tensors(inputs))
    used = [operation.type for operation in function.graph.get_operations()]
    return sum(kind not in _FREE_IN_TENSORFLOW for kind in used)


_FREE_IN_TENSORFLOW = frozenset(
    "Bitcast BroadcastTo Cast Const ExpandDims Fill Identity NoOp OnesLike Pack Placeholder "
    "PlaceholderWithDefault Reshape Shape Slice Squeeze StridedSlice Transpose Unpack "
    "ZerosLike".split()
)
KERNELS = {"pytorch": kernels_in_pytorch, "tensorflow": kernels_in_tensorflow}


# ------------------------------------------------------------------ render


def how(framework: str, domain: str, name: str, figures: dict[str, Any]) -> str:
    """Return ``native``, ``composed``, ``host``, ``body`` or ``interpreter``."""
    from importlib import import_module

    if (domain, name) in DONE_ELSEWHERE:
        return "interpreter"
    table = import_module(f"converter.rebuild.{framework}").load_handlers()
    handler = table.find(domain, name, 10**6)
    if handler is None:
        return "body"
    words = f"{handler.function.__doc__ or ''} {_module_doc(handler)}".lower()
    if "(host" in words or "host work" in words:
        return "host"
    kernels = figures.get("kernels")
    if kernels is None:
        return "handler"
    return "native" if kernels <= 1 else "composed"


def _module_doc(handler) -> str:
    """Return the docstring of a file that is host work as a whole."""
    import sys

    doc = sys.modules[handler.function.__module__].__doc__ or ""
    return doc.splitlines()[0]


def stored(framework: str) -> dict[str, dict[str, Any]]:
    path = HERE / f"operators_{framework}.json"
    return json.loads(path.read_text()) if path.exists() else {}


def row(domain: str, name: str, figures: dict[str, dict]) -> str:
    """Return one line of the table."""
    since = ", ".join(str(schema.since_version) for schema in versions()[domain, name])
    cells = [f"`{name}`", since]
    notes = []
    for framework, title in FRAMEWORKS.items():
        own = figures[framework].get(f"{domain}::{name}", {})
        cells.append(how(framework, domain, name, own))
        if own:
            cells.append(f"{own['passed']}/{own['cases']}")
            fixed = f", {own['fixed']} fixed" if own["fixed"] else ""
            cells.append(f"{own['second']}/{own['passed']}{fixed}")
        else:
            cells += ["-", "-"]
        if note := DIFFERENCES.get(name, {}).get(framework):
            notes.append(f"{title}: {note}")
    return f"| {' | '.join([*cells, '; '.join(notes)])} |"


INTRODUCTION = """\
# Operators

Written by `python -m tests.conformance.operators`; do not edit.

- Versions: ONNX's since-versions that some opset from 7 on uses. All of them are covered.
- native: the framework has a kernel for it. composed: several of its kernels. host: Python's work,
  where the framework has no type for it (strings, images, maps). body: ONNX's own function body.
  interpreter: part of the written-down graph itself. handler: not in the suite, so not measured.
- Cases: passing of all of ONNX's node cases (expanded ones left out) that have the operator.
- Exported, reloaded: of the cases that pass, how many also pass as a `torch.export` program or as a
  SavedModel read back. "fixed": so many of them with the inputs fixed that decide shapes, axes or
  ways, which `torch.export` needs to know.
"""


def render() -> str:
    """Return the page."""
    figures = {framework: stored(framework) for framework in FRAMEWORKS}
    lines = [INTRODUCTION]
    head = "| Operator | Versions | PyTorch | cases | exported | TensorFlow | cases | reloaded | "
    head += "Known differences |"
    domain = None
    for each, name in versions():
        if each != domain:
            domain = each
            lines += [f"\n## {each or 'ai.onnx'}\n", head, "|---" * 9 + "|"]
        lines.append(row(each, name, figures))
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", choices=tuple(SECOND), action="append", default=[])
    for framework in parser.parse_args().measure:
        text = json.dumps(measure(framework), indent=1) + "\n"
        (HERE / f"operators_{framework}.json").write_text(text)
    PAGE.write_text(render())


if __name__ == "__main__":
    main()

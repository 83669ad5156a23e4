"""Run a case's text; returns its model."""

from __future__ import annotations

import linecache
from importlib import import_module
from types import ModuleType
from typing import Any

from benchmarks.fuzz.case import Case
from benchmarks.fuzz.text import source_of

FRAMEWORKS = {"torch": "benchmarks.fuzz.pytorch", "tensorflow": "benchmarks.fuzz.tensorflow"}


def framework_of(name: str) -> ModuleType:
    return import_module(FRAMEWORKS[name])


def load(case: Case, noise: Any = None) -> Any:
    """Return the model of a case.

    Args:
        noise: what every inexact result goes through.
    """
    name = "<case>"
    text = source_of(case, noisy=noise is not None and case.form != "functional")
    # `tf.function` and `torch.export` read the source of what they trace.
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    space: dict[str, Any] = {"noise": noise, "__name__": "case"}
    exec(compile(text, name, "exec"), space)
    return space["model"]

"""What `torch.export` found out about sizes, and where in the user's code.

While a module is traced, `recorded` watches the environment of symbolic shapes: each time a guard
comes, a range narrows or a symbol becomes another one, the line and the module that caused it are
written down.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any
from unittest import mock

import sympy
import torch
from torch.fx.experimental.symbolic_shapes import ShapeEnv

from converter.trace.pytorch.provenance import relative

TORCH = str(Path(torch.__file__).parent)
OURS = str(Path(__file__).parents[2])
INSIDE = ("guards.py", "recurrent.py", "packed.py")
"""Files of ours that run inside of a model."""
_SYMBOLS = ("/fx/experimental/", "/torch/__init__.py", "/utils/_sympy/", "/utils/_traceback.py")
"""Parts of torch that only carry a comparison of sizes out."""


@dataclass(frozen=True)
class Place:
    """Where something was found out.

    Attributes:
        line: ``model.py:12`` of the innermost frame that is not torch's, or ``""``.
        module: path of the innermost module, or ``""``.
        own: the user's code itself compared the sizes; else torch did, on its behalf.
    """

    line: str = ""
    module: str = ""
    own: bool = False

    def __str__(self) -> str:
        return ", ".join(
            part for part in (f"module {self.module}" if self.module else "", self.line) if part
        )


@dataclass
class Places:
    """Places by the text of a guard, and by symbol where its range or value was settled."""

    guards: dict[str, Place] = field(default_factory=dict)
    lowest: dict[Any, Place] = field(default_factory=dict)
    highest: dict[Any, Place] = field(default_factory=dict)
    settled: dict[Any, Place] = field(default_factory=dict)


@contextmanager
def recorded(module: torch.nn.Module) -> Iterator[Places]:
    """Write down where guards come from, while a module is traced."""
    places = Places()
    names = {id(child): name for name, child in module.named_modules()}

    def watched(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(env: ShapeEnv, *args: Any, **kwargs: Any) -> Any:
            before = _state(env)
            result = function(env, *args, **kwargs)
            _note(places, env, before, names)
            return result

        return call

    with (
        mock.patch.object(ShapeEnv, "_evaluate_expr", watched(ShapeEnv._evaluate_expr)),
        mock.patch.object(
            ShapeEnv,
            "guard_or_defer_runtime_assert",
            watched(ShapeEnv.guard_or_defer_runtime_assert),
        ),
    ):
        yield places


State = tuple[int, int, dict[Any, Any], int]


def _state(env: ShapeEnv) -> State:
    deferred = sum(map(len, env.deferred_runtime_asserts.values()))
    return len(env.guards), deferred, dict(env.var_to_range), len(env.replacements)


def _note(places: Places, env: ShapeEnv, before: State, names: dict[int, str]) -> None:
    guards, deferred, ranges, replacements = _state(env)
    if (guards, deferred, ranges, replacements) == before:
        return
    place = _place(sys._getframe(2), names)
    for guard in guards_of(env):
        places.guards.setdefault(str(guard), place)
    for symbol, bounds in ranges.items():
        old = before[2].get(symbol)
        if old is not None and old.lower != bounds.lower:
            places.lowest[symbol] = place
        if old is not None and old.upper != bounds.upper:
            places.highest[symbol] = place
    for symbol in env.replacements:
        places.settled.setdefault(symbol, place)


def guards_of(env: ShapeEnv) -> list[Any]:
    """Return all conditions on symbols that a trace rests on, as sympy has them."""
    deferred = [item.expr for items in env.deferred_runtime_asserts.values() for item in items]
    whole = [*(guard.expr for guard in env.guards), *deferred]
    return [part for guard in whole for part in sympy.And.make_args(guard)]


def _place(frame: FrameType | None, names: dict[int, str]) -> Place:
    line, module, own = "", "", True
    while frame is not None and not (line and module):
        file = frame.f_code.co_filename
        if file.startswith(OURS) and not file.endswith(INSIDE):
            break  # who called the model
        in_torch = file.startswith(TORCH)
        if in_torch and not line and not any(part in file for part in _SYMBOLS):
            own = False
        if not in_torch and not line and "/sympy/" not in file and not file.startswith(OURS):
            line = f"{relative(file)}:{frame.f_lineno}"
        holder = frame.f_locals.get("self")
        if not module and isinstance(holder, torch.nn.Module):
            module = names.get(id(holder), "")
        frame = frame.f_back
    return Place(line, module, own)


def place_of(error: BaseException, module: torch.nn.Module | None) -> Place:
    """Return where an error was raised: the last frame that is not torch's, and its module."""
    names = {id(child): name for name, child in module.named_modules()} if module else {}
    line, path = "", ""
    trace = error.__traceback__
    while trace is not None:
        frame, number = trace.tb_frame, trace.tb_lineno
        file = frame.f_code.co_filename
        ours = file.startswith(OURS)
        if not ours and not file.startswith(TORCH) and "/sympy/" not in file:
            line = f"{relative(file)}:{number}"
        holder = frame.f_locals.get("self")
        if isinstance(holder, torch.nn.Module):
            path = names.get(id(holder), path)
        trace = trace.tb_next
    return Place(line, path)


def environment(program: torch.export.ExportedProgram) -> ShapeEnv | None:
    """Return the environment that a program's symbols live in."""
    for node in program.graph.nodes:
        mode = getattr(node.meta.get("val"), "fake_mode", None)
        if mode is not None and mode.shape_env is not None:
            env: ShapeEnv = mode.shape_env
            return env
    return None

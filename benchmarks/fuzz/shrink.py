"""Make a failing case small: fewer outputs, steps, inputs, open dimensions; the same failure."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from benchmarks.fuzz.case import TOKEN, Case, Input
from benchmarks.fuzz.grow import Framework
from benchmarks.fuzz.kinds import NUMBERS, SHAPE
from benchmarks.fuzz.loading import framework_of
from benchmarks.fuzz.run import Outcome, run_case

SECONDS = 25.0
"""How long one case may be shrunk."""


def shrink(case: Case, outcome: Outcome, seconds: float = SECONDS) -> tuple[Case, Outcome]:
    """Return the smallest case found that fails in the same way, and its outcome."""
    deadline = time.monotonic() + seconds
    smaller = True
    while smaller:
        smaller = False
        for candidate in candidates(case):
            if time.monotonic() > deadline:
                return case, outcome
            try:
                tried = run_case(candidate)
            except Exception:  # a candidate that makes no sense
                continue
            if same(tried, outcome):
                case, outcome, smaller = candidate, tried, True
                break
    return case, outcome


def same(a: Outcome, b: Outcome) -> bool:
    """Tell whether two failures are of one cause, as far as one can say."""
    if a.kind != b.kind:
        return False
    return a.kind in (NUMBERS, SHAPE) or a.cause.split(": ")[0] == b.cause.split(": ")[0]


def candidates(case: Case) -> Iterator[Case]:
    """Yield smaller cases, the boldest first."""
    if len(case.outputs) > 1:
        for output in dict.fromkeys(case.outputs):
            yield case.only([output])
    steps = case.steps
    for index in range(len(steps) - 2, -1, -1):
        yield from cut(case, index)
    for index in range(len(steps) - 1, -1, -1):
        step = steps[index]
        for used in step.uses:
            yield without(case, index, used)
    if case.written:
        yield replace(case, written=False)
    if case.layers:
        yield replace(case, layers={})
    if case.returned != "one" and len(case.outputs) == 1:
        yield replace(case, returned="one")
    for index, item in enumerate(case.inputs):
        if item.name != f"x{index}":
            yield changed(case, index, replace(item, name=f"x{index}"))
    if len(case.sizes) > 1:
        for word in case.sizes[0]:
            yield closed(case, word)
        for one in case.sizes[1:]:
            yield replace(case, sizes=(case.sizes[0], one)) if len(case.sizes) > 2 else case
    for index, item in enumerate(case.inputs):
        if item.dtype in ("float64", "float16", "bfloat16"):
            yield changed(case, index, replace(item, dtype="float32"))


def changed(case: Case, index: int, item: Input) -> Case:
    return replace(case, inputs=(*case.inputs[:index], item, *case.inputs[index + 1 :]))


def closed(case: Case, word: str) -> Case:
    """Return the case with an open dimension at its first size."""
    size = case.sizes[0][word]
    inputs = [
        replace(item, dims=tuple(size if dim == word else dim for dim in item.dims))
        for item in case.inputs
    ]
    return replace(case, inputs=tuple(inputs)).only(case.outputs)


def without(case: Case, index: int, used: str) -> Case:
    """Return the case without a step: what it reads takes its place."""
    token = case.steps[index].token

    def put(text: str) -> str:
        return TOKEN.sub(lambda m: used if m[0] == token else m[0], text)

    steps = [replace(s, code=put(s.code)) for s in case.steps if s.token != token]
    outputs = [used if o == token else o for o in case.outputs]
    return replace(case, steps=tuple(steps)).only(outputs)


def cut(case: Case, index: int) -> Iterator[Case]:
    """Yield the case with a step's result as an input."""
    framework = framework_of(case.framework)
    token = case.steps[index].token
    shapes = [shape_of(case, framework, token, sizes) for sizes in case.sizes[:2]]
    if not all(shapes):
        return
    dtype = shapes[0][0]
    dims = []
    for axis, size in enumerate(shapes[0][1]):
        if all(shape[1][axis] == size for shape in shapes if len(shape[1]) > axis):
            dims.append(size)
            continue
        words = [
            w
            for w in case.sizes[0]
            if all(o[w] == s[1][axis] for o, s in zip(case.sizes, shapes, strict=False))
        ]
        if not words:
            return
        dims.append(words[0])
    name = f"in{max((int(i.token[2:]) for i in case.inputs), default=0) + 1}"
    low, high = (0, 1) if dtype == "bool" else (0, 3) if dtype.startswith("uint") else (-2, 2)
    item = Input(name, f"x{name[2:]}", dtype, tuple(dims), low, high)
    step = case.steps[index]
    steps = [
        replace(s, code=TOKEN.sub(lambda m: name if m[0] == token else m[0], s.code))
        for s in case.steps
        if s is not step
    ]
    outputs = [name if o == token else o for o in case.outputs]
    yield replace(case, inputs=(*case.inputs, item), steps=tuple(steps)).only(outputs)


def shape_of(case: Case, framework: Framework, token: str, sizes) -> tuple:
    """Return element type and shape of a step's result, or nothing."""
    import numpy as np

    from benchmarks.fuzz.loading import load

    try:
        model = load(case.only([token]))
        rng = np.random.default_rng(0)
        inputs = [
            framework.tensor(i.values(sizes, rng), i.dtype) for i in case.only([token]).inputs
        ]
        result = framework.call(model, inputs, case.form)[0]
        return framework.dtype(result), tuple(int(s) for s in result.shape)
    except Exception:
        return ()

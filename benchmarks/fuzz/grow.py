"""Grow a case: draw inputs, then steps that run at two choices of the open sizes."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from benchmarks.fuzz.case import Case, Input, Step
from benchmarks.fuzz.names import input_names, key_names, layer_names
from benchmarks.fuzz.pool import FLOATS, INTEGERS, Pool, Unfit, Value

Template = Callable[[Pool], tuple[str, str, bool]]
"""Returns code, what makes its layer (or ``""``), and whether it is exact."""

TRIES = 12
"""How often a step is drawn before the program ends early."""

LARGEST, MOST = 1e4, 20_000


class Framework(Protocol):
    """What the grower asks of a framework."""

    NAME: str
    SIZE: str

    def forms(self) -> list[tuple[str, float]]: ...
    def templates(self, form: str) -> list[tuple[float, Template]]: ...
    def tensor(self, array: np.ndarray, dtype: str) -> Any: ...
    def array(self, tensor: Any) -> np.ndarray: ...
    def dtype(self, tensor: Any) -> str: ...
    def is_tensor(self, value: Any) -> bool: ...
    def environment(self) -> dict[str, Any]: ...
    def targets(self, form: str) -> list[tuple[str, float]]: ...


def weighted(rng: random.Random, choices: list[tuple[Any, float]]) -> Any:
    return rng.choices([c for c, _ in choices], [w for _, w in choices])[0]


def draw_case(framework: Framework, rng: random.Random, number: str = "") -> Case:
    """Draw one case; every choice comes from ``rng``."""
    form = weighted(rng, framework.forms())
    sizes = draw_sizes(rng)
    inputs = draw_inputs(rng, form, list(sizes[0]))
    used = {dim for item in inputs for dim in item.dims if isinstance(dim, str)}
    sizes = [{word: size for word, size in one.items() if word in used} for one in sizes]
    pool, steps = grow(framework, rng, form, inputs, sizes)
    tokens = [step.token for step in steps]
    read = {token for step in steps for token in step.uses}
    ends = [token for token in tokens if token not in read][-3:] or [inputs[0].token]
    if rng.random() < 0.2 and tokens:
        ends.append(rng.choice(tokens))
    if rng.random() < 0.05:
        ends.append(inputs[0].token)
    ends = ends if rng.random() < 0.05 else list(dict.fromkeys(ends))
    returned = draw_returned(rng, len(ends), form)
    case = Case(
        framework.NAME,
        form,
        weighted(rng, framework.targets(form)),
        tuple(inputs),
        tuple(steps),
        tuple(ends),
        returned,
        tuple(key_names(rng, len(ends))),
        layer_names(rng, [s.token.replace("v", "m") for s in steps if s.layer], framework.NAME),
        tuple(sizes),
        {word: 0 for word in used if all(one[word] == 0 for one in sizes[2:3])},
        number,
    )
    return case.only(ends)


def draw_returned(rng: random.Random, count: int, form: str) -> str:
    if count == 1:
        return rng.choice(("one", "one", "one", "tuple", "dict"))
    if form == "functional":
        return rng.choice(("list", "dict"))
    return rng.choice(("tuple", "tuple", "list", "dict"))


def draw_sizes(rng: random.Random) -> list[dict[str, int]]:
    """Return sizes of up to two open dimensions: two to grow with, and others to run at."""
    words = rng.sample(("batch", "n", "length", "höhe"), rng.choice((0, 0, 1, 1, 2)))
    first = {word: rng.choice((2, 3, 4, 5)) for word in words}
    second = {word: rng.choice([s for s in (2, 3, 4, 5, 6) if s != first[word]]) for word in words}
    third = {word: rng.choice((0, 1, 1, 1, 7)) for word in words}
    return [first, second, third]


def draw_inputs(rng: random.Random, form: str, words: list[str]) -> list[Input]:
    count = rng.choice((1, 1, 1, 2, 2, 3))
    names = input_names(rng, count, form)
    inputs = []
    for index in range(count):
        dtype = weighted(rng, DTYPES)
        rank = rng.choice((0, 1, 2, 2, 3, 3, 3, 4, 4, 4, 5))
        if form == "functional":
            rank = max(rank, 2)
        dims: list[int | str] = [rng.choice((1, 2, 3, 4, 5, 2, 3, 4, 0)) for _ in range(rank)]
        if rng.random() < 0.85:
            dims = [dim or 2 for dim in dims]
        for axis in range(rank):
            if words and rng.random() < (0.6 if axis == 0 else 0.25):
                dims[axis] = rng.choice(words)
        if form == "functional":
            dims[0] = "batch"
        low, high = {"int": rng.choice(((0, 3), (-4, 4), (0, 1))), "float": (-2, 2)}[
            "float" if dtype in FLOATS else "int"
        ]
        if dtype.startswith("uint"):
            low, high = 0, rng.choice((3, 255))
        inputs.append(
            Input(f"in{index}", names[index], dtype, tuple(dims), low, high, rng.random() < 0.25)
        )
    # A second input of the first one's shape makes most operators of two operands possible.
    if count > 1 and rng.random() < 0.5:
        inputs[1] = replace(inputs[1], dims=inputs[0].dims)
    return inputs


DTYPES = [
    ("float32", 12.0),
    ("float64", 2.0),
    ("float16", 1.0),
    ("bfloat16", 0.6),
    ("int64", 2.5),
    ("int32", 1.5),
    ("bool", 1.0),
    *((dtype, 0.4) for dtype in INTEGERS[2:]),
]


def grow(
    framework: Framework,
    rng: random.Random,
    form: str,
    inputs: list[Input],
    sizes: list[dict[str, int]],
) -> tuple[Pool, list[Step]]:
    """Return the pool and the steps of a program of one to seven steps."""
    if form == "functional":
        for one, size in zip(sizes, (3, 2, 5), strict=True):
            one.setdefault("batch", size)
    pool = Pool(rng)
    arrays = np.random.default_rng(rng.getrandbits(32))
    for item in inputs:
        first, second = (
            framework.tensor(item.values(one, arrays), item.dtype) for one in sizes[:2]
        )
        pool.values[item.token] = value_of(framework, item.token, first, second)
    steps: list[Step] = []
    templates = framework.templates(form)
    weights = [weight for weight, _ in templates]
    for number in range(rng.choice((1, 2, 2, 3, 3, 4, 5, 6, 7))):
        for _ in range(TRIES):
            template = rng.choices(templates, weights)[0][1]
            try:
                code, layer, exact = template(pool)
                step = Step(f"v{number}", code, layer, exact)
                pool.values[step.token] = run_step(framework, step, pool)
            except Unfit:
                continue
            except Exception:  # the framework refuses the draw
                continue
            steps.append(step)
            break
        else:
            break
    return pool, steps


def run_step(framework: Framework, step: Step, pool: Pool) -> Value:
    """Run a step at both sizes; `Unfit` where the result is no use for later ones."""
    made: Mapping[str, Any] = {}
    results = []
    if step.layer:
        layer = eval(step.layer, framework.environment())
        if hasattr(layer, "eval"):
            layer.eval()
        made = {step.token.replace("v", "m"): layer}
    for which in ("first", "second"):
        known = {token: getattr(value, which) for token, value in pool.values.items()}
        results.append(eval(step.code, {**framework.environment(), **known, **made}))
    if not all(framework.is_tensor(result) for result in results):
        raise Unfit
    value = value_of(framework, step.token, *results)
    if not casts_exactly(framework, step, value, pool):
        raise Unfit
    if value.kind == "other" or value.rank != len(value.other) or value.rank > 6:
        raise Unfit
    for result in results:
        array = framework.array(result)
        if array.size > MOST:
            raise Unfit
        if value.kind != "bool" and array.size:
            with np.errstate(all="ignore"):
                largest = np.abs(array.astype(np.float64)).max()
            if not largest <= LARGEST and pool.chance(0.97):  # NaN too
                raise Unfit
    return value


def casts_exactly(framework: Framework, step: Step, value: Value, pool: Pool) -> bool:
    """Tell whether a cast to integers is defined: NaN and what is out of range come out anyhow."""
    source = pool.values[step.uses[0]] if step.uses else value
    if value.kind != "int" or source.kind != "float" or source.shape != value.shape:
        return True
    if not any(word in step.code for word in ("cast", ".to(", ".long()", ".int()", "type_as")):
        return True
    wanted = np.trunc(framework.array(source.first).astype(np.float64))
    return bool(np.array_equal(wanted, framework.array(value.first).astype(np.float64)))


def value_of(framework: Framework, token: str, first: Any, second: Any) -> Value:
    shapes = [tuple(int(size) for size in tensor.shape) for tensor in (first, second)]
    return Value(token, first, second, framework.dtype(first), *shapes, framework.SIZE)

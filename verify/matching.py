"""Which value of one side belongs to which of the other: by name, through the two signatures.

Where a side has only an order and no names (a PyTorch module that returns a tuple), its values are
taken in order. Nothing else is ever guessed, and no permutation is undone that is not declared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from converter.errors import InputSpecError, UsageError
from converter.signature import DimRange, Signature, TensorSpec
from verify.arrays import dtype_name, numpy_dtype
from verify.binding import by_position


@dataclass
class View:
    """What one side says of itself.

    Attributes:
        label: ``"a"`` or ``"b"``.
        signature: its own, if it has one.
        input_names: names that its inputs can be given under; none: only the order counts.
    """

    label: str
    signature: Signature | None
    input_names: list[str] = field(default_factory=list)

    def input(self, name: str) -> TensorSpec | None:
        """Return the spec of an input, if there is one."""
        return _named(self.signature.inputs if self.signature else (), name)

    def output(self, name: str) -> TensorSpec | None:
        """Return the spec of an output, if there is one."""
        return _named(self.signature.outputs if self.signature else (), name)


def _named(specs: tuple[TensorSpec, ...], name: str) -> TensorSpec | None:
    return next((spec for spec in specs if spec.name == name), None)


def reference(given: Signature | None, a: View, b: View) -> Signature:
    """Return the signature that inputs are made for: what was declared, completed by a, then by b.

    Its names are a's where a has names; its axes are in the source's order.

    Raises:
        UsageError: nobody says what the inputs look like.
        InputSpecError: an input is declared that the model does not have, or not with that rank.
    """
    owner = next((v for v in (a, b) if v.signature is not None and v.signature.inputs), None)
    own = owner.signature if owner is not None else None
    if own is None and (given is None or not given.inputs):
        raise UsageError(
            "neither of the two says what its inputs look like",
            hint='Describe them: --input "name:dtype[dims]", for example '
            '--input "x:float32[batch,3,224,224]".',
        )
    specs = [_in_source_order(spec) for spec in own.inputs] if own is not None else []
    outputs = own.outputs if own is not None else ()
    dims: dict[str, DimRange] = dict(own.dims) if own is not None else {}
    conditions = own.conditions if own is not None else ()
    if given is not None and given.inputs:
        specs = _declared(specs, given, a)
        outputs = given.outputs or outputs
        dims.update(given.dims)
        conditions = given.conditions or conditions
    specs = [_with_bounds(spec, a, b) for spec in specs]
    return Signature(tuple(specs), outputs, dims, conditions)


def _in_source_order(spec: TensorSpec) -> TensorSpec:
    if spec.permutation is None:
        return spec
    shape = spec.shape
    if shape is not None:
        shape = tuple(shape[axis] for axis in np.argsort(spec.permutation))
    return replace(spec, shape=shape, permutation=None)


def _declared(own: list[TensorSpec], given: Signature, a: View) -> list[TensorSpec]:
    """Put what was declared in place of what the model says."""
    if not own:
        return [_in_source_order(spec) for spec in given.inputs]
    names = [spec.name for spec in own]
    if len(own) == 1 and len(given.inputs) == 1 and not a.input_names:
        return [_completed(given.inputs[0], own[0])]
    for spec in given.inputs:
        if spec.name not in names:
            if a.signature is None and len(own) == len(given.inputs):
                return [_in_source_order(item) for item in given.inputs]
            raise InputSpecError(
                f"the model has no input called {spec.name!r}",
                hint=f"Its inputs are: {', '.join(names)}.",
            )
    by_name = {spec.name: spec for spec in given.inputs}
    return [_completed(by_name.get(spec.name, spec), spec) for spec in own]


def _completed(wish: TensorSpec, own: TensorSpec) -> TensorSpec:
    wish = _in_source_order(wish)
    if wish.shape is None:
        wish = replace(wish, shape=own.shape)
    elif own.shape is not None and len(wish.shape) != len(own.shape):
        raise InputSpecError(f"input {own.name!r} is declared as {wish}, the model has {own}")
    bounds = own.bounds if wish.bounds is None else wish.bounds
    return replace(wish, bounds=bounds, order=wish.order or own.order)


def _with_bounds(spec: TensorSpec, a: View, b: View) -> TensorSpec:
    for other in (a.input(spec.name), b.input(spec.name)):
        if other is not None and spec.bounds is None:
            spec = replace(spec, bounds=other.bounds)
        if other is not None and spec.order is None:
            spec = replace(spec, order=other.order)
    return spec


def check_data(data: Mapping[str, np.ndarray], signature: Signature) -> None:
    """Refuse data that does not fit the model.

    Raises:
        InputSpecError: an array is missing, of another name, dtype or shape; says which.
    """
    names = [spec.name for spec in signature.inputs]
    if missing := [name for name in names if name not in data]:
        raise InputSpecError(
            f"the data has no array for the input {missing[0]!r}",
            hint=f"It has: {', '.join(data)}. The inputs are: {', '.join(names)}.",
        )
    if unknown := [name for name in data if name not in names]:
        raise InputSpecError(
            f"the model has no input called {unknown[0]!r}",
            hint=f"Its inputs are: {', '.join(names)}.",
        )
    for spec in signature.inputs:
        array = data[spec.name]
        fits = spec.shape is None or (
            len(spec.shape) == array.ndim
            and all(
                isinstance(dim, str) or dim == size
                for dim, size in zip(spec.shape, array.shape, strict=True)
            )
        )
        if not fits or dtype_name(array) != spec.dtype:
            has = f"{dtype_name(array)}[{','.join(map(str, array.shape))}]"
            raise InputSpecError(f"the data for {spec.name!r} is {has}, the model takes {spec}")


@dataclass
class Feed:
    """How reference inputs are handed to one side.

    Attributes:
        names: reference name to the side's name, in order; inputs that it lacks are left out.
        specs: the side's specs by reference name.
    """

    names: dict[str, str]
    specs: dict[str, TensorSpec | None]

    def __call__(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return arrays under the side's names, in its declared axis order and dtype."""
        result = {}
        for name, own in self.names.items():
            array, spec = inputs[name], self.specs[name]
            if spec is not None and spec.permutation is not None:
                array = array.transpose(spec.permutation)
            if spec is not None and spec.carried_as is not None:
                array = array.astype(numpy_dtype(spec.carried_as))
            result[own] = array
        return result


def feed(signature: Signature, view: View, rename: Mapping[str, str], findings: list[str]) -> Feed:
    """Plan how one side gets the reference inputs.

    Args:
        rename: reference name to this side's name.

    Raises:
        InputSpecError: the names of the two sides cannot be brought together.
    """
    wanted = [spec.name for spec in signature.inputs]
    own = [s.name for s in view.signature.inputs] if view.signature else view.input_names
    own = own or view.input_names
    names = {name: rename.get(name, name) for name in wanted}
    known = set(own) | set(view.input_names)
    if not own or set(names.values()) <= known:
        pass
    elif view.signature is None or not view.signature.inputs:
        if order := by_position(wanted, view.input_names):  # a callable takes them in order
            pairs = ", ".join(f"{name!r} as {order[name]!r}" for name in wanted)
            findings.append(f"{view.label} has other names for its inputs: in order, {pairs}")
    elif len(wanted) == len(own) == 1:
        findings.append(f"the input is called {wanted[0]!r}, in {view.label} {own[0]!r}")
        names = {wanted[0]: own[0]}
    elif not set(names.values()) & known:
        raise InputSpecError(
            f"the inputs are called {', '.join(wanted)}, those of {view.label} {', '.join(own)}",
            hint=f"Say which is which: --rename {wanted[0]}={own[0]} ...",
        )
    else:
        for name in [name for name in wanted if names[name] not in known]:
            findings.append(f"{view.label} has no input {names[name]!r}")
            del names[name]
    if view.signature is not None:
        fed = set(names.values())
        if unfed := [s.name for s in view.signature.inputs if own and s.name not in fed]:
            raise InputSpecError(
                f"{view.label} has the input {unfed[0]!r}, which the other side does not have",
                hint=f"The inputs are: {', '.join(wanted)}. If it goes by another name there: "
                f"--rename NAME={unfed[0]}.",
            )
    return Feed(names, {name: view.input(own_name) for name, own_name in names.items()})


Outputs = dict[str, np.ndarray]


def pair_outputs(
    signature: Signature, a: Outputs, a_named: bool, b: Outputs, b_named: bool,
    rename: Mapping[str, str],
) -> list[tuple[str, str | None, str | None]]:  # fmt: skip
    """Return, for each output, its name in the report, in a and in b (``None``: it is not there).

    By name; a side whose names are only numbers is taken in order.

    Args:
        signature: the reference; its outputs name those of a side that has no names of its own.
        rename: a's name to b's.
    """
    declared = [spec.name for spec in signature.outputs]
    names_a, names_b = list(a), list(b)
    shown_a, shown_b = names_a, [next((x for x, y in rename.items() if y == n), n) for n in names_b]
    if not a_named and len(declared) == len(names_a):
        shown_a = declared
    elif not a_named and b_named and len(names_a) == len(names_b):
        shown_a = shown_b
    if not b_named and len(names_b) == len(shown_a):
        shown_b = shown_a
    by_a = dict(zip(shown_a, names_a, strict=True))
    by_b = dict(zip(shown_b, names_b, strict=True))
    return [(name, by_a.get(name), by_b.get(name)) for name in dict.fromkeys([*by_a, *by_b])]


def under_one_name(
    signature: Signature, views: list[View], results: Mapping[str, tuple[Outputs, Mapping]],
    rename: Mapping[str, str],
) -> tuple[Outputs, Outputs]:  # fmt: skip
    """Return the outputs of both sides by the report's names, with the source's axes and dtypes.

    Args:
        results: outputs and facts of the run, by side.
    """
    (a, facts_a), (b, facts_b) = results["a"], results["b"]
    pairs = pair_outputs(signature, a, facts_a["named"], b, facts_b["named"], rename)
    values_a = {
        name: as_source(a[own], views[0].output(own)) for name, own, _ in pairs if own is not None
    }
    values_b = {
        name: as_source(b[own], views[1].output(own)) for name, _, own in pairs if own is not None
    }
    return values_a, values_b


def as_source(array: np.ndarray, spec: TensorSpec | None) -> np.ndarray:
    """Undo what a signature declares of an output: its permutation and its carrier dtype."""
    if spec is None:
        return array
    if spec.carried_as is not None and dtype_name(array) == spec.carried_as:
        array = array.astype(numpy_dtype(spec.dtype))
    if spec.permutation is not None and len(spec.permutation) == array.ndim:
        array = array.transpose(np.argsort(spec.permutation))
    return array

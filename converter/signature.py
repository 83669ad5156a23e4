"""Inputs and outputs of a model: names, dtypes, symbolic dimensions, layout."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from converter.errors import InputSpecError
from converter.expressions import check, words_of

Dim = int | str
"""A static size, the name of a dynamic dimension, or an expression of names (``past+1``)."""

Bound = int | float | str
"""An end of the valid values; a word, or an expression of one, is a dynamic dimension's size."""

DTYPES = frozenset(
    "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 bfloat16 float32 float64 "
    "complex64 complex128 string int4 uint4 int2 uint2 float4e2m1 float8e4m3fn float8e4m3fnuz "
    "float8e5m2 float8e5m2fnuz float8e8m0".split()
)


@dataclass(frozen=True)
class TensorSpec:
    """One input or output.

    Attributes:
        name: the source's own name for it.
        dtype: NumPy's name of the element type (``bfloat16``, ``string`` and the small
            floats by their ONNX names in lower case).
        shape: one entry per axis; a word is a dynamic dimension, an expression such as
            ``past+1`` follows from one. ``None``: rank unknown.
        layout: set only where the layout differs from the source's, e.g. ``"NHWC"``.
        permutation: how the source's axes were permuted to get this tensor, when they were:
            ``target = source.transpose(permutation)``.
        carried_as: the wider dtype that carries this tensor in the target where the
            framework lacks ``dtype``.
        bounds: smallest and largest value that the model accepts, both included, where known
            (an index into a table, for instance). A word stands for the size of a dynamic
            dimension: the length of a sequence goes from 1 to ``seq``.
        order: how the elements must stand along the last axis, where they must
            (`converter.graph.orders`).
    """

    name: str
    dtype: str = "float32"
    shape: tuple[Dim, ...] | None = None
    layout: str | None = None
    permutation: tuple[int, ...] | None = None
    carried_as: str | None = None
    bounds: tuple[Bound, Bound] | None = None
    order: str | None = None

    def __str__(self) -> str:
        if self.shape is None:
            return f"{self.name}:{self.dtype}"
        return f"{self.name}:{self.dtype}[{','.join(map(str, self.shape))}]"


@dataclass(frozen=True)
class DimRange:
    """Sizes that a dynamic dimension may take, both ends included."""

    minimum: int = 1
    maximum: int | None = None


@dataclass(frozen=True)
class State:
    """A buffer that a model changes in each call.

    Attributes:
        name: the buffer's name in the source.
        dtype: NumPy's name of its element type.
        shape: its sizes, which do not change.
        input, output: names of the input that takes its value and of the output that gives the next
            one, where the model holds no state itself (an ONNX file); both are in the signature.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    input: str | None = None
    output: str | None = None


@dataclass(frozen=True)
class Signature:
    """What goes into a model and what comes out, in order, and what it keeps between calls.

    Attributes:
        dims: ranges of the dynamic dimensions, where there are any.
        conditions: what the model demands of several sizes together, or of their multiples, such
            as ``h % 8 == 0``.
        state: the buffers that it changes in each call.
    """

    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()
    dims: Mapping[str, DimRange] = field(default_factory=dict)
    conditions: tuple[str, ...] = ()
    state: tuple[State, ...] = ()

    def input(self, name: str) -> TensorSpec:
        """Return the input called ``name``; `KeyError` when there is none."""
        return next_named(self.inputs, name)

    def output(self, name: str) -> TensorSpec:
        """Return the output called ``name``; `KeyError` when there is none."""
        return next_named(self.outputs, name)

    def to_json(self) -> dict[str, Any]:
        """Return plain data that `from_json` reads back."""
        return {
            "inputs": [_without_nothing(spec) for spec in self.inputs],
            "outputs": [_without_nothing(spec) for spec in self.outputs],
            "dims": {name: [dim.minimum, dim.maximum] for name, dim in self.dims.items()},
            **({"conditions": list(self.conditions)} if self.conditions else {}),
            **({"state": list(map(_without_nothing, self.state))} if self.state else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Signature:
        """Read what `to_json` wrote."""
        return cls(
            tuple(map(_spec_from_json, data["inputs"])),
            tuple(map(_spec_from_json, data["outputs"])),
            {name: DimRange(*ends) for name, ends in data.get("dims", {}).items()},
            tuple(data.get("conditions", ())),
            tuple(
                State(**{**state, "shape": tuple(state["shape"])})
                for state in data.get("state", ())
            ),
        )

    def dynamic_dims(self) -> tuple[str, ...]:
        """Names of the dynamic dimensions of the inputs, in order of appearance.

        Those that stand only in an expression are among them.
        """
        return tuple(words_of(dim for spec in self.inputs for dim in spec.shape or ()))


def _without_nothing(spec: TensorSpec | State) -> dict[str, Any]:
    return {key: value for key, value in asdict(spec).items() if value is not None}


def _spec_from_json(data: Mapping[str, Any]) -> TensorSpec:
    listed = ("shape", "permutation", "bounds")
    fields: dict[str, Any] = {k: tuple(v) if k in listed else v for k, v in data.items()}
    return TensorSpec(**fields)


def next_named(specs: Iterable[TensorSpec], name: str) -> TensorSpec:
    """Return the spec called ``name``; `KeyError` when there is none."""
    for spec in specs:
        if spec.name == name:
            return spec
    raise KeyError(name)


_SPEC = re.compile(r"^(?P<name>[^:\[\]]+)(:(?P<dtype>[A-Za-z]\w*))?(\[(?P<dims>[^\[\]]*)\])?$")
_DIM = re.compile(
    r"^((?P<low>\d+)<=)?(?P<name>[A-Za-z_]\w*)(<=(?P<high>\d+))?$",
)


def parse_input(text: str) -> tuple[TensorSpec, dict[str, DimRange]]:
    """Parse one ``--input``, e.g. ``ids:int64[batch,seq<=512]`` or ``x[1,3,224,224]``.

    Words are dynamic dimensions, with an optional range (``8<=seq<=512``), and may stand in
    expressions (``past+1``, ``2*h``); the dtype defaults to float32. Without brackets the shape is
    left open (``shape=None``).

    Raises:
        InputSpecError: the text is not of that form.
    """
    match = _SPEC.match(text.strip().replace(" ", ""))
    if not match:
        raise InputSpecError(
            f"cannot read the input spec {text!r}",
            hint='Write name:dtype[dims], for example --input "ids:int64[batch,seq<=512]".',
        )
    dtype = match["dtype"] or "float32"
    if dtype not in DTYPES:
        raise InputSpecError(
            f"input {match['name']!r} has the unknown dtype {dtype!r}",
            hint=f"Known dtypes: {', '.join(sorted(DTYPES))}.",
        )
    if match["dims"] is None:
        return TensorSpec(match["name"], dtype), {}
    shape: list[Dim] = []
    ranges: dict[str, DimRange] = {}
    for part in filter(None, match["dims"].split(",")):
        dim, allowed = parse_dim(part, match["name"])
        shape.append(dim)
        if allowed is not None:
            ranges[str(dim)] = allowed
    return TensorSpec(match["name"], dtype, tuple(shape)), ranges


def parse_dim(text: str, name: str) -> tuple[Dim, DimRange | None]:
    """Parse one dimension of an input: ``224``, ``batch``, ``8<=seq<=512``, ``past+1``, ``2*h``.

    Args:
        name: the input's, for what is said of a mistake.

    Raises:
        InputSpecError: it is none of these, or the range is empty.
    """
    text = text.replace(" ", "")
    if text.isdigit():
        return int(text), None
    dim = _DIM.match(text)
    if not dim:
        return _parse_expression(text, name), None
    low, high = int(dim["low"] or 1), int(dim["high"]) if dim["high"] else None
    if high is not None and high < low:
        raise InputSpecError(f"input {name!r}: the range {text!r} is empty")
    return dim["name"], DimRange(low, high) if dim["low"] or dim["high"] else None


def _parse_expression(text: str, name: str) -> str:
    try:
        check(text)
    except InputSpecError as error:
        raise InputSpecError(
            f"input {name!r} has the dimension {text!r}, which is neither a size, a name nor an "
            "expression of names",
            hint="Dimensions are sizes (224), words (batch), with a range if need be (seq<=512 or "
            "8<=seq<=512), or expressions of words with + - * // (past+1, 2*h).",
        ) from error
    return text


def parse_inputs(texts: Sequence[str]) -> Signature:
    """Parse several ``--input`` into a signature without outputs.

    Raises:
        InputSpecError: a spec is malformed, or a name appears twice.
    """
    specs: list[TensorSpec] = []
    dims: dict[str, DimRange] = {}
    for text in texts:
        spec, ranges = parse_input(text)
        if any(spec.name == other.name for other in specs):
            raise InputSpecError(f"input {spec.name!r} is given twice")
        specs.append(spec)
        dims.update(ranges)
    return Signature(tuple(specs), (), dims)

"""What a comparison cannot do, found before a model is loaded or a framework imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from converter.devices import check_device
from converter.errors import MissingFrameworkError, UsageError
from verify import runtimes
from verify.early import Arrangement


@dataclass(frozen=True)
class Kind:
    """What is known of a side before it is loaded.

    Attributes:
        framework: ``"torch"``, ``"tensorflow"`` or ``"onnx"``.
        kind: the format's name.
    """

    framework: str
    kind: str


def refuse(arrangement: Arrangement, sides: Mapping[str, Kind | None]) -> None:
    """Refuse runtimes, devices and interpreters that cannot serve.

    Args:
        sides: what each side is, by label; ``None``: live, of which nothing is known here.

    Raises:
        UsageError: a device is not here, or a runtime that was asked for runs neither side.
        MissingFrameworkError: a runtime that was asked for is not installed.
    """
    from converter.stages.interpreters import check_interpreter

    for python in dict.fromkeys(arrangement.pythons.values()):
        if python is not None:
            check_interpreter(python)
    for label, side in sides.items():
        python = None
        if side is not None:
            python = arrangement.pythons[label] or arrangement.pythons.get(side.framework)
        here = side is not None and python is None
        check_device(arrangement.devices[label], side.framework if side and here else None)
        if side is not None:
            _refuse_runtime(label, side, arrangement, here)
    if all(side is not None for side in sides.values()):
        refuse_unused(arrangement.wanted, sides)  # type: ignore[arg-type]


def _refuse_runtime(label: str, side: Kind, arrangement: Arrangement, here: bool) -> None:
    able = [name for name in arrangement.wanted[label] if can(name, side)]
    if here and able and not runtimes.installed(able[0]):
        item = runtimes.KINDS[able[0]]
        raise MissingFrameworkError(
            f"the runtime {able[0]} needs {' or '.join(item.needs)}, which is not installed",
            hint=f'Install it: pip install "equiport[{item.extra}]".',
        )
    device = arrangement.devices[label]
    first = able[:1] or [name for name in runtimes.KINDS if can(name, side)][:1]
    if device != "cpu" and first and not runtimes.KINDS[first[0]].gpu:
        raise UsageError(
            f"{label} runs in {first[0]}, on the CPU only", hint=f"Use --device {label}=cpu for it."
        )


def can(runtime: str, side: Kind) -> bool:
    """Tell whether a runtime runs a side."""
    item = runtimes.KINDS[runtime]
    return item.framework == side.framework and side.kind in item.kinds


def refuse_unused(wanted: Mapping[str, Sequence[str]], sides: Mapping[str, Kind]) -> None:
    """Refuse a runtime that was asked for and runs neither side.

    Raises:
        UsageError: says which, and what runs the sides.
    """
    for name in dict.fromkeys([*wanted["a"], *wanted["b"]]):
        askers = [label for label in "ab" if name in wanted[label]]
        if any(can(name, sides[label]) for label in askers):
            continue
        kinds = ", ".join(f"{label} is a {sides[label].kind.replace('_', ' ')}" for label in askers)
        who = "neither side" if len(askers) == 2 else f"not {askers[0]}"
        fitting = [other for other in runtimes.KINDS if any(can(other, sides[x]) for x in askers)]
        raise UsageError(
            f"the runtime {name} runs {who}: {kinds}", hint=f"These can: {', '.join(fitting)}."
        )

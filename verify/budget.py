"""How long a comparison may take. The most telling runs come first; what is left out is said."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from converter.errors import UsageError
from converter.signature import Signature
from verify import scales
from verify.inputs import Case
from verify.report.result import TimeBudget
from verify.sizes import elements

DEFAULT = 60.0
"""Seconds where nobody says how long."""

COSTLY = 4.0
"""By default a model whose first run takes long gets so many times as long, at least."""

LATENCY = 0.2
"""Share of the time that is kept for the measurement of the latency."""

MOST_SHOWN = 6
"""Things left out that one line names."""

UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}


def budget_seconds(given: str | float | None) -> float | None:
    """Read ``--budget``.

    Args:
        given: seconds, ``"30s"``, ``"2m"``, ``"none"`` for no limit; ``None``: by default.

    Returns:
        Seconds, infinite for no limit; ``None``: by default.

    Raises:
        UsageError: it is no time, or not more than 0.
    """
    if given is None:
        return None
    if given == "none":
        return math.inf
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", str(given).strip())
    if found is None or found[2] not in UNITS or not float(found[1]) > 0:
        raise UsageError(
            f"cannot read the budget {given!r}",
            hint="Write seconds or minutes, such as 30s or 2m; none is no limit.",
        )
    return float(found[1]) * UNITS[found[2]]


@dataclass
class Budget:
    """The time of one comparison, which has begun.

    Attributes:
        given: seconds; infinite: no limit; ``None``: `DEFAULT`, and more for a costly model.
        reserved: share that is kept for what comes after the runs.
        left_out: what was left out, in words.
    """

    given: float | None = None
    reserved: float = 0.0
    clock: Callable[[], float] = time.monotonic
    left_out: list[str] = field(default_factory=list)
    _runs: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._start = self.clock()

    def begin(self) -> None:
        """Begin to run: by default the time is that of the runs, and starting up does not count."""
        if self.given is None:
            self._start = self.clock()

    @property
    def seconds(self) -> float:
        """The whole time, as far as it is known by now."""
        if self.given is not None:
            return self.given
        return max(DEFAULT, COSTLY * self._runs[0]) if self._runs else DEFAULT

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return self.clock() - self._start

    @property
    def left(self) -> float:
        """Seconds that are left; less than 0 where it took longer."""
        return self.seconds - self.spent

    def ran(self, seconds: float) -> None:
        """Take note of what a run took."""
        self._runs.append(seconds)

    def another(self) -> bool:
        """Whether there is time for another run; there always is for the first."""
        if not self._runs or math.isinf(self.seconds):
            return True
        usual = sum(self._runs) / len(self._runs)
        return self.left - self.reserved * self.seconds >= usual

    def remaining(self, runs: int) -> float | None:
        """Seconds that so many more runs will take, as far as there is time; ``None``: unknown."""
        if not self._runs:
            return None
        expected = runs * sum(self._runs) / len(self._runs)
        return max(0.0, min(expected, self.left))

    def leave_out(self, what: str) -> None:
        """Take note of what there was no time for."""
        self.left_out.append(what)

    def told(self) -> TimeBudget:
        """Return what the report says of it."""
        limit = None if math.isinf(self.seconds) else self.seconds
        return TimeBudget(limit, self.spent, tuple(self.left_out))


def most_telling_first(cases: Sequence[Case], signature: Signature) -> list[int]:
    """Return the order in which cases run, as positions: first one for each kind of fault.

    The user's own data, then an ordinary case that has no size of 1, then the smallest (a lost axis
    shows there), then the largest (indices and lengths), then values at each scale, no rows, and
    then what is left, which are sizes between those.
    """
    places = list(range(len(cases)))
    own = [place for place in places if cases[place].data is not None]
    ordinary = [
        place
        for place in places
        if place not in own
        and cases[place].scale == scales.NORMAL
        and 0 not in cases[place].sizes.values()
    ]
    if not ordinary:
        return list(dict.fromkeys([*own, *places]))
    by_size = sorted(ordinary, key=lambda place: elements(signature, cases[place].sizes))
    whole = [p for p in ordinary if min(cases[p].sizes.values(), default=2) > 1]
    special = [place for place in places if place not in ordinary]
    order = [*own, *(whole or ordinary)[:1], by_size[0], by_size[-1], *special, *ordinary]
    return list(dict.fromkeys(order))


def left_out(budget: TimeBudget, ran: int) -> str | None:
    """Say what there was no time for, and what to type; ``None`` where there was time for all."""
    if not budget.left_out:
        return None
    shown = "; ".join(budget.left_out[:MOST_SHOWN])
    more = len(budget.left_out) - MOST_SHOWN
    shown += f"; and {more} more" if more > 0 else ""
    return (
        f"left out, as {budget.seconds:.0f} s were given and {ran} runs took them: {shown} "
        "(--budget none leaves out nothing)"
    )

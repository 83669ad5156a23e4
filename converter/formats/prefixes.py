"""How the names of weights in a file become those of a model: a prefix is taken off, or put on.

`nn.DataParallel` puts `module.` before every name, `torch.compile` puts `_orig_mod.` before those
of the module that it compiles, and a LightningModule has the model as `model.` or `net.`. The
prefix is not looked up: it is what the names differ by.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

USUAL = ("model.", "module.", "net.", "network.")
"""Where two prefixes fit, `model.` and `model_ema.`, one of these is meant."""

COMPILED = "_orig_mod"
"""A part of a name that `torch.compile` puts in, in the middle too."""


@dataclass(frozen=True)
class Fit:
    """How a file's names become a model's.

    Attributes:
        names: name in the file by name in the model, of those that both have.
        taken: prefix that is taken off the file's names; ``""``: none.
        added: prefix that is put before them; ``""``: none.
        compiled: parts `_orig_mod` are taken out.
        missing: names of the model that the file does not have.
        unexpected: names under the prefix that the model does not have.
        beside: names that do not have the prefix, and belong to something else.
        others: prefixes that fit just as well, where it is not clear which is meant.
    """

    names: Mapping[str, str]
    taken: str = ""
    added: str = ""
    compiled: bool = False
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every weight of the model is there, and none under the prefix is left over."""
        return not self.missing and not self.unexpected

    def __str__(self) -> str:
        done = [f"the prefix {self.taken!r} is taken off"] if self.taken else []
        done += [f"the prefix {self.added!r} is put before"] if self.added else []
        done += [f"{COMPILED!r}, of torch.compile, is taken out"] if self.compiled else []
        return " and ".join(done) or "as they are"


def fit(own: Iterable[str], given: Iterable[str]) -> Fit:
    """Find the prefix with which most names fit; none where that is as good.

    Args:
        own: names of the model's weights.
        given: names in the file.
    """
    plain_own, plain_given = _without_compiled(own), _without_compiled(given)
    tried = [("", "")]
    tried += [(prefix, "") for prefix in _prefixes(plain_given, plain_own)]
    tried += [("", prefix) for prefix in _prefixes(plain_own, plain_given)]
    tried.append((common_prefix(plain_given), common_prefix(plain_own)))
    fits = [_with(plain_own, plain_given, *prefixes) for prefixes in tried]
    best = max(fits, key=lambda one: (one.complete, len(one.names)))  # the first of equals
    others = {one.taken for one in fits if one.complete and one.taken and best.taken}
    if len(others) < 2:
        return best
    usual = [one for one in fits if one.complete and one.taken in USUAL]
    return usual[0] if len(usual) == 1 else replace(best, others=tuple(sorted(others)))


def _with(own: Mapping[str, str], given: Mapping[str, str], taken: str, added: str) -> Fit:
    under = {added + name[len(taken) :]: name for name in given if name.startswith(taken)}
    names = {own[name]: given[under[name]] for name in own if name in under}
    return Fit(
        names, taken, added,
        compiled=any(COMPILED in b.split(".") and COMPILED not in a for a, b in names.items()),
        missing=tuple(own[name] for name in own if name not in under),
        unexpected=tuple(given[long] for short, long in under.items() if short not in own),
        beside=tuple(given[name] for name in given if not name.startswith(taken)),
    )  # fmt: skip


def _without_compiled(names: Iterable[str]) -> dict[str, str]:
    """Return each name by what it is without the parts of `torch.compile`."""
    found: dict[str, str] = {}
    for name in names:
        found[".".join(part for part in name.split(".") if part != COMPILED)] = name
    return found


def _prefixes(long: Iterable[str], short: Mapping[str, str]) -> list[str]:
    """Return the prefixes that make names of ``short`` names of ``long``, the commonest first."""
    counts = Counter(prefix for name in long for prefix, rest in _cuts(name) if rest in short)
    return [prefix for prefix, _ in counts.most_common(8)]


def _cuts(name: str) -> Iterator[tuple[str, str]]:
    """Cut a name behind each of its dots."""
    place = name.find(".")
    while place >= 0:
        yield name[: place + 1], name[place + 1 :]
        place = name.find(".", place + 1)


def common_prefix(names: Iterable[str]) -> str:
    """Return the parts with which all names begin: ``model.encoder.``, or ``""``."""
    parts = [name.split(".")[:-1] for name in names]
    common: list[str] = []
    for column in zip(*parts, strict=False):
        if len(set(column)) > 1:
            break
        common.append(column[0])
    return "".join(f"{part}." for part in common)

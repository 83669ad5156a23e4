"""The verification record, `equiport.lock.json`: what was compared, how, and what came out.

`verify A B --lock FILE` writes it, `verify --against FILE` compares again as it says and tells what
has drifted (`verify.drift`). Paths in it are relative to its own folder.
"""

from __future__ import annotations

import inspect
import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from converter.errors import UnreadableModelError, UsageError
from verify.digest import Digest, digest
from verify.release import release
from verify.report.files import write_text
from verify.report.plain import plain
from verify.report.result import Report

VERSION = 1

NOT_RECORDED = frozenset(
    ("a", "b", "signature", "graph", "noise", "progress", "graphs", "repro", "trust", "timeout",
     "memory_limit", "early", "budget", "python_a", "python_b", "python_torch", "python_tf")
)  # fmt: skip
"""Arguments of `verify.verify` that say where and under whose trust it runs, not what it does."""

FIGURES = ("max_abs", "max_rel", "rms", "error", "noise", "limit", "rms_limit", "limit_reason",
           "dtype", "passed")  # fmt: skip


@dataclass(frozen=True)
class Record:
    """What a comparison was of, and what came out.

    Attributes:
        paths: path of ``a`` and ``b``, relative to the record's folder, and of ``data`` if a file.
        digests: digest of each of them.
        options: arguments of `verify.verify` that decide what is compared, by name.
        inputs: dtype and shape of each input.
        versions: version of each package, by ``a``, ``b`` and ``here``.
        runs: title, digest of the inputs, stage and figures of each output, of each run.
        failures: what failed.
        passed: the verdict.
    """

    paths: Mapping[str, str]
    digests: Mapping[str, Digest]
    options: Mapping[str, Any]
    inputs: Mapping[str, str]
    versions: Mapping[str, Mapping[str, str]]
    runs: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    passed: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return plain data that `read` takes."""
        digests = {name: {"path": self.paths[name], **d.to_json()}
                   for name, d in self.digests.items()}  # fmt: skip
        return {
            "equiport_lock": VERSION, "passed": self.passed, "models": digests,
            "options": plain(self.options), "inputs": dict(self.inputs),
            "versions": plain(self.versions), "runs": self.runs, "failures": self.failures,
        }  # fmt: skip


def record(report: Report, a: Path, b: Path, options: Mapping[str, Any], folder: Path) -> Record:
    """Return the record of a comparison.

    Args:
        report: what came out.
        a, b: the models.
        options: arguments of `verify.verify` that were given.
        folder: where the record will lie.

    Raises:
        UsageError: an option has no form in a file (live arrays, for instance).
        UnreadableModelError: a model cannot be read.
    """
    chosen = _recorded_options(options)
    members = {"a": Path(a), "b": Path(b)}
    data = chosen.get("data")
    if isinstance(data, str) and Path(data).is_file():
        members["data"] = Path(data)
        chosen["data"] = None
    return Record(
        {name: Path(os.path.relpath(path.absolute(), folder.absolute())).as_posix()
         for name, path in members.items()},
        {name: digest(path) for name, path in members.items()},
        chosen,
        report.inputs,
        {"a": report.a.versions, "b": report.b.versions, "here": _versions_here()},
        [_run(run) for run in report.runs],
        report.failures,
        report.passed,
    )  # fmt: skip


def write(made: Record, path: str | Path) -> None:
    """Write a record.

    Raises:
        OutputError: the file cannot be written.
    """
    write_text(json.dumps(made.to_json(), indent=1, allow_nan=False) + "\n", path)


def read(path: str | Path) -> Record:
    """Read a record.

    Raises:
        UnreadableModelError: it is missing, not a record, or one of a later release.
    """
    path = Path(path)
    again = "Write it anew: verify A B --lock FILE."
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnreadableModelError(f"the record {path} cannot be read: {error}", hint=again) from (
            error
        )
    if not isinstance(data, dict) or data.get("equiport_lock") != VERSION:
        found = data.get("equiport_lock") if isinstance(data, dict) else None
        raise UnreadableModelError(
            f"{path} is not a record of version {VERSION}; it says {found!r}", hint=again
        )
    try:
        models = data["models"]
        return Record(
            {name: told["path"] for name, told in models.items()},
            {name: Digest.from_json(told) for name, told in models.items()},
            data["options"], data["inputs"], data["versions"], data["runs"], data["failures"],
            data["passed"],
        )  # fmt: skip
    except (KeyError, TypeError, AttributeError) as error:
        raise UnreadableModelError(f"the record {path} lacks {error}", hint=again) from error


def arguments(made: Record, folder: Path) -> dict[str, Any]:
    """Return the arguments of `verify.verify` that do again what a record is of.

    Args:
        folder: where the record lies.

    Raises:
        UsageError: this release does not know one of them.
    """
    from verify.verification import verify

    known = inspect.signature(verify).parameters
    for name in made.options:
        if name not in known or name in NOT_RECORDED:
            raise UsageError(
                f"the record has the option {name!r}, which this release does not know",
                hint="Use the release that wrote it, or write it anew with --lock.",
            )
    places = {name: str(folder / path) for name, path in made.paths.items()}
    return {**made.options, **places}


def _recorded_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return every option that decides what is compared, those left at their default, too."""
    from verify.verification import verify

    chosen = {}
    for name, parameter in inspect.signature(verify).parameters.items():
        if name in NOT_RECORDED:
            continue
        value = options.get(name, parameter.default)
        value = str(value) if isinstance(value, Path) else value
        try:
            chosen[name] = plain(value)
        except TypeError as error:
            raise UsageError(
                f"a record cannot hold {name}: {error}", hint="Give it as text or as a file."
            ) from error
    return chosen


def _run(run: Any) -> dict[str, Any]:
    figures = {name: {key: plain(getattr(item, key)) for key in FIGURES}
               for name, item in run.outputs.items()}  # fmt: skip
    return {"title": run.title, "inputs": run.digest, "stage": run.stage.value, "outputs": figures}


def _versions_here() -> dict[str, str]:
    found = {"equiport": release(), "python": platform.python_version(),
             "machine": platform.machine()}  # fmt: skip
    for name in ("numpy", "onnx", "onnx-ir", "onnxruntime"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found

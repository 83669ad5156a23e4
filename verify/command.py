"""One run of `verify`: what goes to the terminal and to files, and how it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from converter.errors import DefectError, EquiportError, UsageError
from converter.standard_output import console, reader_may_leave
from converter.temporary import all_in_one_folder

if TYPE_CHECKING:
    from verify.drift import Change
    from verify.recheck import Recheck
    from verify.report.result import Report

INTERRUPTED = 130

CLOSED_PIPE = 141
"""Exit code of a run that nobody listens to, as shells have it."""
"""Exit code of a run that was stopped with Ctrl-C, as shells have it."""

STDOUT = "-"


@dataclass
class Invocation:
    """Results go to standard output, progress and messages to standard error.

    Attributes:
        files: path of each report that is asked for, by kind: ``json``, ``junit``, ``html``,
            ``markdown``, ``sarif``; ``-`` is standard output.
        quiet: no table and no progress.
        verbose: one line per run, too.
        fail_on: ``failure``, ``finding`` or ``never``.
        summary: append Markdown to the file that GitHub names in ``GITHUB_STEP_SUMMARY``.
        tensorboard: folder for TensorBoard's event files, if they are asked for.
        lock: path of the record to write, if any.
        against: path of the record to compare against, if any.
        given: names of the command's parameters that the user gave.
    """

    files: Mapping[str, str]
    quiet: bool = False
    verbose: bool = False
    fail_on: str = "failure"
    summary: bool = False
    tensorboard: str | None = None
    lock: str | None = None
    against: str | None = None
    given: tuple[str, ...] = ()

    def run(self, a: str | None, b: str | None, rename_texts: list[str], **options: Any) -> None:
        """Compare, report, exit with the right code."""
        try:
            with all_in_one_folder():
                code = self._work(a, b, rename_texts, options)
        except EquiportError as error:
            code = self._explain(error)
        except KeyboardInterrupt:
            sys.stderr.write("Interrupted; nothing was written.\n")
            code = INTERRUPTED
        except BrokenPipeError:  # the reader of the progress left before there was a verdict
            sys.stderr.close()
            code = CLOSED_PIPE
        except Exception as error:
            defect = DefectError.of(error, "the report")
            defect.__cause__ = error
            code = self._explain(defect)
        if code:
            raise SystemExit(code)

    def _explain(self, error: EquiportError) -> int:
        """Say what went wrong, with ``-v`` where in our own code; return the exit code."""
        sys.stderr.write(f"Error: {error}\n")
        if self.verbose and isinstance(error, DefectError) and error.__cause__ is not None:
            import traceback

            sys.stderr.writelines(traceback.format_exception(error.__cause__))
        return error.exit_code

    def _work(
        self, a: str | None, b: str | None, rename_texts: list[str], options: dict[str, Any]
    ) -> int:
        self._check_files()
        options["rename"] = dict(map(_renaming, rename_texts))
        recheck = self._recheck()
        if recheck is not None:
            a, b = recheck.models(a, b)
            options |= recheck.arguments
        if a is None or b is None:
            raise UsageError("two models are needed", hint="verify A B, or verify --against RECORD")
        if self.tensorboard is not None:
            options["graphs"] = True
        from verify.verification import verify

        with self._progress() as progress:
            report = verify(a, b, progress=progress, **options)
        self._print(report)
        for kind, path in self.files.items():
            text = getattr(report, f"to_{kind}")(None if path == STDOUT else path)
            if path == STDOUT:
                with reader_may_leave():
                    sys.stdout.write(text)
        if self.summary:
            from verify.report.markdown import append

            append(report, job_summary())
        if self.tensorboard is not None:
            report.to_tensorboard(self.tensorboard)
        if self.lock is not None:
            self._write_lock(report, a, b, options)
        changes = recheck.changes(report, a, b, options) if recheck is not None else []
        if recheck is not None:
            with reader_may_leave():
                self._show_changes(changes)
        if self.fail_on == "never":
            return 0
        told = report.findings or changes or report.limits.warning
        strict = self.fail_on == "finding" and bool(told)
        drifted = any(change.what.failed for change in changes)
        return 0 if report.passed and not strict and not drifted else 1

    def _recheck(self) -> Recheck | None:
        """Read the record to compare against, if there is one."""
        if self.against is None:
            return None
        from verify.recheck import Recheck, refuse_decided

        refuse_decided(self.given, lambda name: f"--{name.rstrip('_').replace('_', '-')}")
        return Recheck(self.against)

    def _write_lock(self, report: Report, a: str, b: str, options: dict[str, Any]) -> None:
        from verify import lock

        assert self.lock is not None
        folder = Path(self.lock).absolute().parent
        lock.write(lock.record(report, Path(a), Path(b), options, folder), self.lock)

    def _show_changes(self, changes: list[Change]) -> None:
        """Print what has drifted: to standard error where a machine reads standard output."""
        from verify.recheck import told

        assert self.against is not None
        if not self.quiet:
            self._stream().write(told(changes, self.against))

    def _stream(self) -> TextIO:
        return sys.stderr if STDOUT in self.files.values() else sys.stdout

    def _check_files(self) -> None:
        """Refuse what would only fail after all the work."""
        from verify.report.files import check_writable

        if list(self.files.values()).count(STDOUT) > 1:
            raise UsageError(
                "two reports cannot both go to standard output", hint="Give one of them a file."
            )
        if "html" in self.files:
            from verify.report.html import check_available

            check_available()
        for path in self.files.values():
            if path != STDOUT:
                check_writable(path)
        if self.summary:
            check_writable(job_summary())
        if self.lock is not None:
            check_writable(self.lock)
        if self.tensorboard is not None:
            from verify.report import tensorboard

            tensorboard.check_available()
            check_writable(Path(self.tensorboard) / tensorboard.EVENTS)

    def _print(self, report: Any) -> None:
        """Print the table: to standard error where a machine reads standard output."""
        if self.quiet:
            return
        from verify.report.terminal import WIDTH, show

        stream = self._stream()
        width = None if stream.isatty() else WIDTH
        with reader_may_leave():
            show(report, console(stream, width), self.verbose)

    def _progress(self) -> Any:
        from verify.progress import Progress

        return Progress(sys.stderr, self.quiet)


def job_summary() -> str:
    """Return the file that a GitHub job shows as its summary.

    Raises:
        UsageError: this is no such job.
    """
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        raise UsageError(
            "--summary needs GITHUB_STEP_SUMMARY, which is not set",
            hint="It is set in GitHub's jobs; elsewhere use --markdown FILE.",
        )
    return path


def _renaming(text: str) -> tuple[str, str]:
    name_a, separator, name_b = text.partition("=")
    if not separator or not name_a or not name_b:
        raise UsageError(
            f"cannot read --rename {text!r}", hint="Write A=B: the name in a, then that in b."
        )
    return name_a, name_b

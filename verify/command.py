"""One run of `verify`: what goes to the terminal and to files, and how it ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from converter.errors import EquiportError, UsageError

INTERRUPTED = 130
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
    """

    files: Mapping[str, str]
    quiet: bool = False
    verbose: bool = False
    fail_on: str = "failure"
    summary: bool = False

    def run(self, a: str, b: str, rename_texts: list[str], **options: Any) -> None:
        """Compare, report, exit with the right code."""
        try:
            code = self._work(a, b, rename_texts, options)
        except EquiportError as error:
            sys.stderr.write(f"Error: {error}\n")
            code = error.exit_code
        except KeyboardInterrupt:
            sys.stderr.write("Interrupted; nothing was written.\n")
            code = INTERRUPTED
        except BrokenPipeError:  # whoever read the output has seen enough
            sys.stderr.close()
            code = 1
        if code:
            raise SystemExit(code)

    def _work(self, a: str, b: str, rename_texts: list[str], options: dict[str, Any]) -> int:
        self._check_files()
        rename = dict(map(_renaming, rename_texts))
        from verify.verification import verify

        with self._progress() as progress:
            report = verify(a, b, rename=rename, progress=progress, **options)
        self._print(report)
        for kind, path in self.files.items():
            text = getattr(report, f"to_{kind}")(None if path == STDOUT else path)
            if path == STDOUT:
                sys.stdout.write(text)
        if self.summary:
            from verify.report.markdown import append

            append(report, job_summary())
        sys.stdout.flush()
        if self.fail_on == "never":
            return 0
        strict = self.fail_on == "finding" and bool(report.findings)
        return 0 if report.passed and not strict else 1

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

    def _print(self, report: Any) -> None:
        """Print the table: to standard error where a machine reads standard output."""
        if self.quiet:
            return
        from rich.console import Console

        from verify.report.terminal import WIDTH, show

        stream = sys.stderr if STDOUT in self.files.values() else sys.stdout
        width = None if stream.isatty() else WIDTH
        show(report, Console(file=stream, width=width), self.verbose)

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

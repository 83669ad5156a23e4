"""One run of `convert`: what goes to the terminal, in which form, and how it ends."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from converter.captured import captured_stderr
from converter.errors import EquiportError, OutputError, VerificationFailed
from converter.progress import Progress, TerminalProgress
from converter.source.place import source_code
from converter.standard_output import reader_may_leave
from converter.temporary import all_in_one_folder

INTERRUPTED = 130
"""Exit code of a run that was stopped with Ctrl-C, as shells have it."""

DEFECT = 70
"""Exit code of an error that is nobody's but Equiport's own (``EX_SOFTWARE``)."""


@dataclass
class Invocation:
    """Results go to standard output, progress and messages to standard error.

    Attributes:
        json: print the result as JSON.
        quiet: only errors.
        verbose: also what the frameworks write.
    """

    json: bool = False
    quiet: bool = False
    verbose: bool = False
    data: dict[str, Any] | None = None
    text: str = ""

    def run(self, work: Callable[[Progress], None]) -> None:
        """Do the work with the frameworks' chatter turned aside; exit with the right code."""
        code = 0
        with all_in_one_folder(), captured_stderr() as captured:
            progress = self.progress(captured.terminal)
            try:
                work(progress)
            except EquiportError as error:
                code = error.exit_code
                self.explain(error, captured.terminal)
            except KeyboardInterrupt:
                code = INTERRUPTED
                captured.terminal.write(
                    f"Interrupted while at the stage {progress.current}; nothing was written.\n"
                )
            except Exception as error:
                code = DEFECT
                self.report_defect(error, progress.current, captured.terminal)
            if self.verbose:
                captured.terminal.write(captured.text())
        self.print_results()
        if code:
            raise SystemExit(code)

    def progress(self, terminal: IO[str]) -> Progress:
        """Return what shows the stages."""
        if self.quiet:
            return Progress()
        from rich.console import Console

        return TerminalProgress(Console(file=terminal, highlight=False))

    def explain(self, error: EquiportError, terminal: IO[str]) -> None:
        """Say what went wrong and what to do next."""
        terminal.write(f"Error: {error}\n")
        for note in getattr(error, "__notes__", ()):
            terminal.write(f"  {note}\n")
        if self.json:
            self.data = {
                **(self.data or {}),
                "passed": False,
                "exit_code": error.exit_code,
                "error": {
                    "type": type(error).__name__,
                    "message": error.message,
                    "hint": error.hint,
                    "node": error.node,
                    "module_path": error.module_path,
                    "source_line": error.source_line,
                },
            }

    def report_defect(self, error: Exception, stage: str, terminal: IO[str]) -> None:
        """Say that Equiport itself is to blame; with ``-v`` show where."""
        import traceback

        lines = traceback.format_exception(error)
        terminal.write(
            f"Internal error at the stage {stage}: {type(error).__name__}: {error}\n"
            "  This is a defect of Equiport; nothing was written. "
            + ("Please report it with these lines:\n" if self.verbose else "-v shows where.\n")
        )
        if self.verbose:
            terminal.writelines(lines)

    def fail(self, error: EquiportError) -> None:
        """End with an error that was found before any work."""
        self.explain(error, sys.stderr)
        self.print_results()
        raise SystemExit(error.exit_code)

    def print_results(self) -> None:
        """Write what was asked for to standard output."""
        with reader_may_leave():
            if self.json and self.data is not None:
                sys.stdout.write(json.dumps(self.data, indent=2) + "\n")
            elif self.text and not self.quiet:
                sys.stdout.write(self.text)

    def show(self, result: Any, folder: Path | None) -> None:
        """Keep the result for standard output."""
        from converter.engines.native import size_on_disk
        from converter.progress import size

        self.data = {
            "path": str(result.path),
            "engine": result.engine,
            "signature": result.signature.to_json(),
            "notes": result.notes,
            "stages": [vars(stage) for stage in result.stages],
            "passed": result.report.passed if result.report is not None else None,
            "exit_code": 0,
        }
        if result.report is not None:
            self.show_report(result.report, folder)
            if not result.report.passed:
                raise VerificationFailed(
                    f"source and target do not agree; {result.path} was kept as asked",
                    report=result.report,
                )
        self.text += "".join(f"Note: {note}\n" for note in result.notes)
        beside = f"; its source code is {code}" if (code := source_code(result.path)) else ""
        self.text += f"Written to {result.path} ({size(size_on_disk(result.path))}){beside}\n"

    def show_report(self, report: Any, folder: Path | None) -> None:
        """Keep the comparison for standard output, and write the report files."""
        self.data = {**(self.data or {}), "report": json.loads(report.to_json())}
        self.text += f"{report}\n"
        if folder is None:
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
            report.to_json(folder / "report.json")
            report.to_junit(folder / "junit.xml")
            report.to_markdown(folder / "report.md")
            report.to_html(folder / "report.html")
            report.to_sarif(folder / "report.sarif")
        except OSError as error:
            raise OutputError(
                f"the report cannot be written to {folder}: {error.strerror}"
            ) from error

    def inspect(self, source: str, trust: bool, factory: str | None) -> None:
        """Say what a model file is."""
        from converter.inspection import inspect

        found = inspect(source, trust=trust, factory=factory)
        self.data, self.text = found.to_json(), f"{found}\n"

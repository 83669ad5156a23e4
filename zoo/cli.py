"""The `zoo` command."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from converter.errors import EquiportError

INTERRUPTED = 130

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    help="Reference models in PyTorch and TensorFlow, and the sweep that converts them all.",
)

NAME = typer.Argument(help="The model's name.", show_default=False)
FRAMEWORK = typer.Option("--framework", metavar="NAME", help="torch or tf; default: the first.")


@contextmanager
def explained() -> Iterator[None]:
    """Turn an error that a user can meet into one message and its exit code."""
    try:
        yield
    except EquiportError as error:
        sys.stderr.write(f"Error: {error}\n")
        raise typer.Exit(error.exit_code) from error
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted.\n")
        raise typer.Exit(INTERRUPTED) from None


@contextmanager
def quietly() -> Iterator[None]:
    """Keep what the frameworks write off the terminal, unless something unforeseen happens."""
    from converter.captured import captured_stderr

    with captured_stderr() as captured:
        try:
            yield
        except (EquiportError, KeyboardInterrupt):
            raise
        except Exception:
            captured.terminal.write(captured.text())
            raise


@app.command("list", help="Print every model: name, frameworks, summary.")
def list_() -> None:
    from zoo.registry import ENTRIES

    width = max(map(len, ENTRIES))
    for entry in ENTRIES.values():
        frameworks = " ".join(entry.frameworks)
        sys.stdout.write(f"{entry.name:<{width}}  {frameworks:<8}  {entry.summary}\n")


@app.command(help="Print what the zoo knows of one model.")
def show(name: Annotated[str, NAME]) -> None:
    from zoo.describe import describe
    from zoo.registry import get

    with explained():
        sys.stdout.write(describe(get(name)))


@app.command(help="Write one model to a file, as its own framework saves it.")
def export(
    name: Annotated[str, NAME],
    framework: Annotated[str | None, FRAMEWORK] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help=".pt2, .pt (weights) or .keras; must not exist."),
    ] = None,
) -> None:
    with explained():
        from zoo.exporting import convert_command
        from zoo.exporting import export as write
        from zoo.registry import get

        framework = framework or get(name).frameworks[0]
        with quietly():
            path = write(name, framework, output)
        sys.stdout.write(f"{path}\n")
        command = convert_command(get(name), framework, path)
        sys.stderr.write(f"Convert it with: {command}\n")


@app.command(help="Convert and verify every model in every direction, each in a fresh process.")
def sweep(
    filter_: Annotated[
        str | None,
        typer.Option("--filter", metavar="TEXT", help="Only those that fit: unet:torch, keras_*."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Skip what has passed already; run the rest.")
    ] = False,
    results: Annotated[
        Path, typer.Option("--results", metavar="FILE", help="One JSON object per conversion.")
    ] = Path("zoo-sweep.jsonl"),
    timeout: Annotated[float, typer.Option(min=1.0, help="Seconds for each conversion.")] = 900.0,
) -> None:
    with explained():
        from zoo.describe import line, table
        from zoo.sweep import cases
        from zoo.sweep import sweep as run

        outcomes = []
        wanted = cases(filter_)
        for outcome, old in run(wanted, results, resume=resume, timeout=timeout):
            outcomes.append(outcome)
            progress = f"[{len(outcomes)}/{len(wanted)}]"
            sys.stderr.write(f"{progress} {line(outcome)}{' (done before)' if old else ''}\n")
        sys.stdout.write(table(outcomes))
        if not all(outcome.passed for outcome in outcomes):
            raise typer.Exit(1)


def main() -> None:
    """Run the command; every way out has its exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    app()


if __name__ == "__main__":
    main()

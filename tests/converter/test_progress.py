"""What shows while something long runs: a bar on a terminal alone, plain lines elsewhere."""

from __future__ import annotations

import io

from rich.console import Console

from converter.progress import TerminalProgress
from verify.progress import Progress, Step


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def shown(terminal: bool) -> str:
    stream = Terminal() if terminal else io.StringIO()
    progress = TerminalProgress(Console(file=stream, force_terminal=terminal, width=100))
    with progress.stage("verify") as stage:
        progress.step("running seed 0", 0.5, 12.0)
        if progress.bar is not None:
            progress.bar.display.refresh()
        stage.detail = "passed"
    return stream.getvalue()


def test_a_stage_has_a_bar_with_the_time_that_is_left_on_a_terminal() -> None:
    text = shown(terminal=True)
    assert "verify: running seed 0" in text
    assert "about 12 s left" in text
    assert "━" in text
    assert "passed" in text


def test_elsewhere_there_are_plain_lines() -> None:
    text = shown(terminal=False)
    assert "━" not in text
    assert "left" not in text
    assert text.split() == ["verify", text.split()[1], "s", "passed"]


def test_a_comparison_has_the_same() -> None:
    stream = Terminal()
    with Progress(stream, quiet=False) as progress:
        progress("loading")
        progress(Step("running [seed] 1", 0.25, 3.0))
        progress.bar.display.refresh()
    assert "running [seed] 1" in stream.getvalue()
    assert "about 3 s left" in stream.getvalue()
    plain = io.StringIO()
    with Progress(plain, quiet=False) as progress:
        progress(Step("running seed 1", 0.25, 3.0))
    assert plain.getvalue().endswith("s  running seed 1\n")
    quiet = Terminal()
    with Progress(quiet, quiet=True) as progress:
        progress("loading")
    assert quiet.getvalue() == ""

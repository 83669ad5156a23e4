"""Start another interpreter on one stage and wait for what comes of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from converter.errors import ConversionError, UsageError
from converter.progress import Progress
from converter.stages.packages import environment
from converter.stages.told import from_data


def carried_out(
    python: str, job: Mapping[str, Any], folder: Path, progress: Progress
) -> dict[str, Any]:
    """Let ``converter.stages.worker`` do a job in another interpreter.

    Args:
        python: that interpreter; it needs NumPy, ml_dtypes, onnx, onnx_ir and the framework's
            extra, but not Equiport.
        job: plain data; see `converter.stages.worker`.
        folder: a temporary folder.
        progress: gets the stages that the worker goes through.

    Returns:
        The answer, plain data.

    Raises:
        UsageError: the interpreter cannot be started.
        ConversionError: the process ended without an answer.
        EquiportError: whatever the worker raised.
    """
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(
                [python, "-m", "converter.stages.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                env=environment(folder),
                start_new_session=True,  # Ctrl-C reaches us, and we end it
            )
        except OSError as error:
            raise UsageError(
                f"the interpreter {python} cannot be started: {error.strerror}",
                hint="Give the path of a Python that has NumPy, onnx-ir and the framework.",
            ) from error
        with ended(process):
            try:
                return _answer(process, job, progress)
            except EOFError as error:
                process.wait()
                raise ConversionError(
                    f"{python} ended {_how(process.returncode)} while it was to {job['stage']} "
                    f"the model{_last_words(said)}"
                ) from error


def _answer(
    process: subprocess.Popen[bytes], job: Mapping[str, Any], progress: Progress
) -> dict[str, Any]:
    """Send the job and read until the answer; an error ends the stage that it came in."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError):  # it has ended; the missing answer says so
        process.stdin.write(json.dumps(job).encode() + b"\n")
        process.stdin.close()
    while True:
        message = _message(process)
        if "begun" not in message:
            return message
        with progress.stage(message["begun"]) as stage:
            stage.detail = _message(process)["done"]


def _message(process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Read one line; `EOFError` where there is none, a typed error where it tells of one."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise EOFError
    message: dict[str, Any] = json.loads(line)
    if "error" in message:
        raise from_data(message["error"])
    return message


@contextlib.contextmanager
def ended(process: subprocess.Popen[bytes]) -> Any:
    """See that a process and all that it started is gone at the end."""
    try:
        yield
    finally:
        if process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.5)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


def _how(status: int) -> str:
    return f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"


def _last_words(said: Any) -> str:
    said.seek(0)
    lines = [line.strip() for line in said.read().decode(errors="replace").splitlines()]
    words = [line for line in lines if line]
    return f"; it said: {words[-1][:300]}" if words else ""

"""The `convert` command."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from converter.errors import UsageError, VerificationFailed

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command(help="Convert a model between PyTorch, TensorFlow and ONNX, and verify the result.")
def convert(
    source: Annotated[str, typer.Argument(help="The model's file or folder.", show_default=False)],
    to: Annotated[
        str | None,
        typer.Option("--to", metavar="TARGET", help="tf, keras, tflite, torch or onnx."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where to write; must not exist.")
    ] = None,
    input_: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="SPEC",
            help='An input: "ids:int64[batch,seq<=512]"; words are dynamic, also in "past+1". '
            "Repeat for each.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            metavar="pkg.mod:factory",
            help="Builds the model that a weights file is of; model.py:factory too.",
        ),
    ] = None,
    signature: Annotated[
        str | None,
        typer.Option("--signature", metavar="NAME", help="Which signature of a SavedModel."),
    ] = None,
    purpose: Annotated[
        str, typer.Option("--for", metavar="PURPOSE", help="inference or training.")
    ] = "inference",
    engine: Annotated[
        str, typer.Option("--engine", metavar="ENGINE", help="auto, native or onnx2tf.")
    ] = "auto",
    layout: Annotated[
        str,
        typer.Option(
            "--layout", metavar="LAYOUT", help="Layout of inputs and outputs: keep, nhwc, nchw."
        ),
    ] = "keep",
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Compare source and target.")
    ] = True,
    device: Annotated[str, typer.Option("--device", metavar="DEVICE", help="cpu or cuda.")] = "cpu",
    report: Annotated[
        Path | None, typer.Option("--report", metavar="DIR", help="Write reports to this folder.")
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Allow files whose reading runs code in them.")
    ] = False,
    written: Annotated[
        bool,
        typer.Option("--source", help="Write source code, too: PyTorch (torch) or Keras (tf)."),
    ] = False,
    keep_failed: Annotated[
        bool, typer.Option("--keep-failed", help="Write a result that does not verify.")
    ] = False,
    keep_paths: Annotated[
        bool, typer.Option("--keep-paths", help="Keep this machine's paths in the provenance.")
    ] = False,
    python_onnx2tf: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Interpreter that has onnx2tf (`make onnx2tf`)."),
    ] = None,
    python_torch: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Interpreter in which all that is PyTorch's is done."),
    ] = None,
    python_tf: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="Interpreter in which all that is TensorFlow's is done."),
    ] = None,
    rtol: Annotated[
        float | None, typer.Option(help="Relative tolerance of the comparison.")
    ] = None,
    atol: Annotated[
        float | None, typer.Option(help="Absolute tolerance of the comparison.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many random inputs per size.")] = 3,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="For the comparison: 30s, 2m or none; what is left out is said."
        ),
    ] = None,
    latency: Annotated[
        bool, typer.Option("--latency/--no-latency", help="Time both sides, interleaved.")
    ] = True,
    inspect: Annotated[
        bool, typer.Option("--inspect", help="Only say what the model is; convert nothing.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Only errors.")] = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Also what the frameworks say.")
    ] = False,
) -> None:
    from converter.command import Invocation

    invocation = Invocation(json=json, quiet=quiet, verbose=verbose)
    if inspect:
        invocation.run(lambda progress: invocation.inspect(source, trust, model))
        return
    if to is None:
        invocation.fail(
            UsageError(
                "--to is missing", hint="Say where to: --to tf, keras, tflite, torch or onnx."
            )
        )
        return

    def work(progress: Any) -> None:
        from converter.checks import check_report_folder
        from converter.pipeline import convert as run

        target = output if output is not None else default_output(source, to)
        if report is not None:
            check_report_folder(report, verify)
        try:
            result = run(
                source, to, inputs=input_ or None, output=target, purpose=purpose, engine=engine,
                layout=layout, verify=verify, device=device, trust=trust, factory=model,
                keep_failed=keep_failed, keep_paths=keep_paths, python_onnx2tf=python_onnx2tf,
                verifier_options={"rtol": rtol, "atol": atol, "seeds": seeds, "latency": latency},
                progress=progress, python_torch=python_torch, python_tf=python_tf, budget=budget,
                signature=signature, source=written,
            )  # fmt: skip
        except VerificationFailed as error:
            invocation.show_report(error.report, report)
            raise
        invocation.show(result, report)

    invocation.run(work)


SUFFIXES = {"tf": "_tf", "torch": "_torch", "keras": ".keras", "tflite": ".tflite", "onnx": ".onnx"}


def default_output(source: str, to: str) -> Path:
    """Return where the result goes without ``-o``: ``model_tf`` in the present folder."""
    name = Path(source).resolve().name
    stem = Path(name).stem if "." in name.lstrip(".") else name
    return Path(f"{stem}{SUFFIXES.get(to, '')}")


def main() -> None:
    """Run the command; every way out has its exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    app()


if __name__ == "__main__":
    main()

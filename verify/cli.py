"""The `verify` command."""

from __future__ import annotations

import os
import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)

STDOUT = "-"


class FailOn(StrEnum):
    """What ends the command with exit code 1."""

    FAILURE = "failure"
    FINDING = "finding"
    NEVER = "never"


@app.command(help="Run two models on the same inputs and compare what comes out.")
def verify(
    context: typer.Context,
    a: Annotated[
        str | None, typer.Argument(help="The source: file or folder.", show_default=False)
    ] = None,
    b: Annotated[
        str | None, typer.Argument(help="The target: file or folder.", show_default=False)
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
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="DATA",
            help="Run on FILE.npz (an array per input), or what file.py:function yields.",
        ),
    ] = None,
    tolerance: Annotated[
        str, typer.Option(metavar="auto|fixed", help="By the measured noise, or by dtype.")
    ] = "auto",
    rtol: Annotated[
        float | None, typer.Option(help="Instead: |a-b| <= atol + rtol*|a| per element.")
    ] = None,
    atol: Annotated[float | None, typer.Option(help="See --rtol.")] = None,
    seeds: Annotated[int, typer.Option(help="How many random inputs, at least.")] = 3,
    seed: Annotated[int, typer.Option(help="The first seed of the random inputs.")] = 0,
    runtime: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Run in this runtime where it can; a=NAME or b=NAME for one side. Repeat.",
        ),
    ] = None,
    device: Annotated[
        list[str] | None,
        typer.Option(
            "--device", metavar="DEVICE", help="cpu or cuda; a=cuda or b=cuda for one side. Repeat."
        ),
    ] = None,
    latency: Annotated[bool, typer.Option("--latency", help="Time both sides, too.")] = False,
    batch_sweep: Annotated[
        bool, typer.Option("--batch-sweep", help="Time over sizes of the first dynamic dimension.")
    ] = False,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads of each framework; all by default.")
    ] = None,
    memory_limit: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="What each side may allocate, such as 4GB (Linux)."),
    ] = None,
    max_slowdown: Annotated[
        float | None,
        typer.Option(metavar="RATIO", help="Fail if b takes more than RATIO times as long as a."),
    ] = None,
    weights: Annotated[
        bool, typer.Option("--weights/--no-weights", help="Look for every weight of a in b.")
    ] = True,
    grad: Annotated[
        bool, typer.Option("--grad", help="Compare training, too: gradients and loss curves.")
    ] = False,
    steps: Annotated[int, typer.Option(help="Of SGD and of Adam, with --grad.")] = 5,
    loss: Annotated[
        str, typer.Option(metavar="mse|cross-entropy", help="What --grad trains on.")
    ] = "mse",
    rename: Annotated[
        list[str] | None,
        typer.Option(metavar="A=B", help="A value's name in a and in b. Repeat for each."),
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Leave out this output. Repeat.")
    ] = None,
    unordered: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME+NAME[:AXIS]",
            help="Outputs that are sets of rows (detections), permuted together. Repeat.",
        ),
    ] = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Compare node by node, not only after a mismatch.")
    ] = False,
    locate: Annotated[
        bool,
        typer.Option("--locate/--no-locate", help="After a mismatch, find where it begins."),
    ] = True,
    repro: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write the node where an error begins, and a script."),
    ] = None,
    frozen: Annotated[
        bool | None,
        typer.Option(
            "--frozen/--no-frozen",
            help="Trace a twice and tell what became a constant; by default after a mismatch.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="pkg.mod:factory",
            help="Builds the model that weights are of; model.py:factory too.",
        ),
    ] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Allow files whose reading runs code in them.")
    ] = False,
    python_torch: Annotated[
        str | None, typer.Option(metavar="PATH", help="Interpreter for a PyTorch side.")
    ] = None,
    python_tf: Annotated[
        str | None, typer.Option(metavar="PATH", help="Interpreter for a TensorFlow side.")
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds for any one step of a side.")] = 600.0,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="30s, 2m or none: the most telling runs first, the rest left out and said.",
        ),
    ] = None,
    fail_on: Annotated[
        FailOn, typer.Option(help="What ends with exit code 1; never: only report.")
    ] = FailOn.FAILURE,
    json: Annotated[
        str | None,
        typer.Option(metavar="[FILE]", help="Write JSON; without FILE, or -: to stdout."),
    ] = None,
    junit: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write JUnit XML; - is stdout.")
    ] = None,
    html: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write one HTML page; - is stdout.")
    ] = None,
    markdown: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write Markdown; - is stdout.")
    ] = None,
    sarif: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write SARIF 2.1.0; - is stdout.")
    ] = None,
    tensorboard: Annotated[
        str | None, typer.Option(metavar="DIR", help="Write TensorBoard event files.")
    ] = None,
    summary: Annotated[
        bool, typer.Option("--summary", help="Append Markdown to $GITHUB_STEP_SUMMARY.")
    ] = False,
    lock: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write a record to verify against later."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(metavar="RECORD", help="Verify as RECORD says and tell what has drifted."),
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No table, no progress.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="One line per run.")] = False,
) -> None:
    from verify.command import Invocation

    files = {"json": json, "junit": junit, "html": html, "markdown": markdown, "sarif": sarif}
    invocation = Invocation(
        {kind: path for kind, path in files.items() if path is not None},
        quiet=quiet,
        verbose=verbose,
        fail_on=fail_on.value,
        summary=summary,
        tensorboard=tensorboard,
        lock=lock,
        against=against,
        given=tuple(name for name in context.params if _is_given(context, name)),
    )
    invocation.run(
        a,
        b,
        rename_texts=rename or [],
        inputs=input_ or None,
        data=data,
        tolerance=tolerance,
        rtol=rtol,
        atol=atol,
        seeds=seeds,
        seed=seed,
        runtime=runtime,
        device=device or "cpu",
        latency=latency,
        batch_sweep=batch_sweep,
        threads=threads,
        memory_limit=memory_limit,
        max_slowdown=max_slowdown,
        ignore=ignore or (),
        unordered=unordered or (),
        frozen=frozen,
        locate=locate,
        deep=deep,
        repro=repro,
        weights=weights,
        grad=grad,
        steps=steps,
        loss=loss,
        factory=model,
        trust=trust,
        python_torch=python_torch,
        python_tf=python_tf,
        timeout=timeout,
        budget=budget,
    )


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name not in ("DEFAULT", "DEFAULT_MAP")


def with_optional_values(arguments: list[str]) -> list[str]:
    """Let ``--json`` stand alone: what follows is its file only if it can be nothing else.

    That is ``-``, a name in ``.json``, or one that is no file or folder yet; ``--json=FILE`` is
    never in doubt.
    """
    result: list[str] = []
    for index, argument in enumerate(arguments):
        if argument == "--":
            return result + arguments[index:]
        result.append(argument)
        if argument == "--json":
            following = arguments[index + 1] if index + 1 < len(arguments) else "--"
            is_file = following == STDOUT or (
                not following.startswith("-")
                and (following.endswith(".json") or not os.path.exists(following))
            )
            if not is_file:
                result.append(STDOUT)
    return result


def main() -> None:
    """Run the command; every way out has its exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    app(with_optional_values(sys.argv[1:]))


if __name__ == "__main__":
    main()

"""One stage of the road in this interpreter: a job comes in, stages and an answer go out.

Runs as ``python -m converter.stages.worker``. Jobs, as plain data::

    {stage: "check", packages, what} -> {}
    {stage: "trace", path, graph, inputs: texts, a signature or null, dynamic, options}
        -> {framework, kind, source_signature, signature}; the ONNX file lies at ``graph``
    {stage: "rebuild", graph, output, signature, framework, options}
        -> {signature, notes}; the artifact lies at ``output``

Each stage is told with ``{begun: name}`` and ``{done: detail}``; what fails is ``{error: ...}``.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from converter.errors import ConversionError, EquiportError, MissingFrameworkError, first_line
from converter.progress import Progress, Stage
from converter.signature import Signature
from converter.stages import told
from converter.stages.child import channels, volunteer


class Telling(Progress):
    """Tells the parent of each stage."""

    def __init__(self, answers: TextIO) -> None:
        super().__init__()
        self.answers = answers

    def tell(self, message: dict[str, Any]) -> None:
        """Send one line."""
        self.answers.write(json.dumps(message) + "\n")
        self.answers.flush()

    @contextmanager
    def shown(self, stage: Stage) -> Iterator[None]:
        self.tell({"begun": stage.name})
        yield

    def finished(self, stage: Stage) -> None:
        self.tell({"done": stage.detail})


def trace(job: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Load a file and trace it to ONNX."""
    from converter.pipeline import Options, load_stage, trace_stage
    from converter.requirements import SOURCE, require
    from converter.stages.graph import write

    options = Options(**job["options"])
    source = load_stage(job["path"], options, progress)
    require(SOURCE[source.framework], f"tracing a {source.framework} model")
    inputs = job["inputs"]
    if isinstance(inputs, dict):
        inputs = Signature.from_json(inputs)
    dynamic = {
        name: {int(axis): word for axis, word in dims} for name, dims in job["dynamic"].items()
    }
    graph, signature = trace_stage(source, inputs, dynamic, options, progress)
    write(graph, Path(job["graph"]), signature, source.framework)
    own = source.signature
    return {
        "framework": source.framework,
        "kind": source.kind,
        "source_signature": own.to_json() if own is not None else None,
        "signature": signature.to_json(),
    }


def rebuild(job: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Rebuild a graph in the target framework and save it."""
    from converter.engines import native
    from converter.formats import Source
    from converter.pipeline import Options
    from converter.requirements import TARGET, require
    from converter.stages.graph import read

    options = Options(**job["options"])
    require(TARGET[options.to], f"a target for {options.to}")
    graph = read(Path(job["graph"]))
    source = Source(job["framework"], "onnx_model", graph)
    signature = Signature.from_json(job["signature"])
    result = native.rebuild(source, graph, signature, Path(job["output"]), options, progress)
    return {"signature": result.signature.to_json(), "notes": result.notes}


def check(job: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Refuse before any work where a package is missing."""
    from converter.requirements import require

    require(tuple(job["packages"]), job["what"])
    return {}


STAGES = {"check": check, "trace": trace, "rebuild": rebuild}


def answer(job: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Do a job; whatever goes wrong becomes the answer."""
    try:
        return STAGES[job["stage"]](job, progress)
    except EquiportError as error:
        if isinstance(error, MissingFrameworkError):
            error.message += f" in {sys.executable}"
        return {"error": told.to_data(error)}
    except Exception as error:
        traceback.print_exc()  # into the parent's file of what the frameworks say
        said = f"{type(error).__name__}: {first_line(error)}"
        text = f"{sys.executable} failed to {job['stage']}: {said}"
        return {"error": told.to_data(ConversionError(text))}


def main() -> None:
    """Do the one job that comes in."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    volunteer()
    jobs, answers = channels()
    progress = Telling(answers)
    progress.tell(answer(json.loads(jobs.readline()), progress))
    sys.stderr.flush()
    os._exit(0)  # some frameworks take seconds, or crash, in tidying up


if __name__ == "__main__":
    main()

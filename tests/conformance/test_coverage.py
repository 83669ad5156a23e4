"""Every operator in every version from opset 7 on has a handler that takes all of it, or a body."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from converter.rebuild import pytorch, tensorflow
from converter.rebuild.registry import Registry
from tests.conformance.coverage import gap, versions

FRAMEWORKS = (pytorch, tensorflow)
SCHEMAS = [schema for schemas in versions().values() for schema in schemas]


@pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda f: f.__name__.rsplit(".", 1)[-1])
@pytest.mark.parametrize(
    "schema", SCHEMAS, ids=lambda s: f"{s.domain or 'ai.onnx'}.{s.name}-{s.since_version}"
)
def test_is_covered(schema, framework) -> None:
    assert gap(framework.load_handlers(), schema) is None


def test_an_empty_table_has_gaps() -> None:
    assert sum(gap(Registry("nothing"), schema) is not None for schema in SCHEMAS) > 200


@pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda f: f.__name__.rsplit(".", 1)[-1])
def test_handlers_are_short_and_files_are_no_hoards(framework) -> None:
    import inspect

    functions = {handler.function for handler in framework.load_handlers()}
    lengths = [len(inspect.getsource(function).splitlines()) for function in functions]
    assert statistics.median(lengths) <= 15
    folder = Path(inspect.getfile(framework)).parent
    assert max(len(path.read_text().splitlines()) for path in folder.glob("*.py")) <= 450

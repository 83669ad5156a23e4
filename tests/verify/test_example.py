"""The worked example of docs/verification.md: the line that it names is the one that is wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.mismatch import RIGHT, WRONG
from verify import verify
from verify.report.location import NodeStatus

FOLDER = Path(__file__).parents[2] / "examples" / "ported"
LINE = "port.py:26"


@pytest.fixture
def repaired(tmp_path: Path) -> Iterator[Path]:
    """Return a folder with the port repaired as the page says."""
    text = (FOLDER / "port.py").read_text(encoding="utf-8")
    assert text.count(WRONG) == 1
    (tmp_path / "port.py").write_text(text.replace(WRONG, RIGHT), encoding="utf-8")
    yield tmp_path
    sys.modules.pop("port", None)


@pytest.mark.slow
def test_the_line_that_the_page_names_is_the_wrong_one(
    repaired: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from examples.ported.original import original
    from examples.ported.port import port

    model = original()
    weights = {weight.path: weight.numpy() for weight in model.weights}
    quick = {"inputs": "image:float32[batch,32,32,3]", "seeds": 1, "sizes": {"batch": [2]}}
    report = verify(port(weights), model, **quick)
    assert not report.passed
    assert report.weights is None or report.weights.passed
    assert report.location is not None
    origins = report.location.origins
    assert [node.module_path for node in origins] == ["blocks.0.pool", "blocks.1.pool"]
    assert {node.op for node in origins} == {"AveragePool"}
    assert all(node.source_line.endswith(LINE) for node in origins)
    statuses = {node.module_path: node.status for node in report.depth.nodes}
    assert statuses["blocks.0.mean"] is NodeStatus.PROPAGATED
    assert (FOLDER / "port.py").read_text().splitlines()[25].strip() == "mean = self.pool(x)"

    results = json.loads(report.to_sarif())["runs"][0]["results"]
    region = results[0]["locations"][0]["physicalLocation"]
    assert region["region"] == {"startLine": 26}
    assert region["artifactLocation"]["uri"].endswith("port.py")
    page = report.to_html()
    assert LINE in page
    assert "blocks.0.pool" in page

    monkeypatch.syspath_prepend(str(repaired))
    from port import port as repaired_port

    assert verify(repaired_port(weights), model, **quick).passed

"""The published schema: every report fits it, and it keeps what it promised."""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass, replace
from pathlib import Path

import jsonschema
import pytest

from converter.errors import OutputError
from tests.verify import fabricated
from tests.verify.test_reports import FAILED
from verify.report import schema as schemas
from verify.report.plain import plain
from verify.report.result import Report, Side

PUBLISHED = Path(__file__).parents[2] / "docs" / "report.schema.json"
VALIDATOR = jsonschema.Draft202012Validator


def errors(data: object, strict: bool = True) -> list[str]:
    return [error.message for error in VALIDATOR(schemas.schema(strict)).iter_errors(data)]


def test_the_schema_is_one() -> None:
    VALIDATOR.check_schema(schemas.schema())
    assert schemas.schema()["$schema"] == VALIDATOR.META_SCHEMA["$id"]


def test_the_published_schema_is_that_of_the_dataclasses() -> None:
    wanted = "write it anew: python -m verify.report.schema docs/report.schema.json"
    assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == schemas.schema(), wanted


@pytest.mark.parametrize("case", ["everything", *FAILED])
def test_every_report_fits(case: str) -> None:
    report = fabricated.everything() if case == "everything" else FAILED[case][0]
    assert errors(json.loads(report.to_json())) == []


FAULTS = {
    "a property gone": lambda data: data["runs"][0].pop("stage"),
    "a property more": lambda data: data["a"].update(colour="red"),
    "another stage": lambda data: data["runs"][0].update(stage="lunch"),
    "a number as text": lambda data: data["outputs"]["hidden"].update(max_abs="0.5"),
    "no verdict": lambda data: data["weights"].pop("passed"),
    "another version": lambda data: data.update(equiport_report=1),
    "a shape of floats": lambda data: data["outputs"]["hidden"].update(shape=[2.5]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_does_not_fit_is_refused(fault: str) -> None:
    data = json.loads(fabricated.everything().to_json())
    FAULTS[fault](data)
    assert errors(data)
    assert bool(errors(data, strict=False)) == (fault != "a property more")


def test_descriptions_come_from_the_docstrings() -> None:
    properties = schemas.schema()["$defs"]["OutputComparison"]["properties"]
    assert properties["max_abs"]["description"].startswith("largest absolute difference")
    assert all("description" in told for told in properties.values())


@dataclass
class WithSet:
    """Something that JSON has no form for."""

    values: set[int]


def test_a_type_without_a_form_is_refused_by_both() -> None:
    with pytest.raises(TypeError, match="set"):
        plain(WithSet({1}))
    with pytest.raises(TypeError, match="set"):
        schemas.of_type(set[int], {}, False)


def test_a_promise_is_not_broken_without_a_new_version(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    schemas.publish(path)
    schemas.publish(path)
    old = json.loads(path.read_text())
    fewer = copy.deepcopy(old)
    del fewer["properties"]["latency"], fewer["$defs"]["Run"]["properties"]["side"]
    assert schemas.broken_promises(fewer, old) == []
    assert schemas.broken_promises(old, fewer) == ["Report.latency is gone", "Run.side is gone"]
    other = copy.deepcopy(old)
    other["$defs"]["Run"]["properties"]["label"] = {"type": "integer"}
    path.write_text(json.dumps(other))
    with pytest.raises(OutputError, match=r"Run\.label has another type"):
        schemas.publish(path)
    assert json.loads(path.read_text()) == other
    path.write_text(json.dumps(other | {"$id": "urn:equiport:report:0"}))
    schemas.publish(path)
    assert json.loads(path.read_text()) == old


def test_parts_that_are_absent_are_null() -> None:
    data = Report(Side("a", "x"), Side("b", "y")).to_data()
    assert [data[name] for name in ("latency", "weights", "depth", "location", "training")] == (
        [None] * 5
    )
    full = fabricated.everything()
    assert replace(full, weights=None).to_data()["weights"] is None
    assert full.to_data()["weights"]["passed"] is False

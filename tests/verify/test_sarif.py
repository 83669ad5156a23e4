"""SARIF: each finding where the user can act on it."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.verify import fabricated
from tests.verify.test_reports import CRASH, MISMATCH, report
from verify.report.location import Depth, NodeStatus
from verify.report.sarif import origins, to_sarif


def results(found: object, rule: str) -> list[dict]:
    log = json.loads(found.to_sarif())
    (run,) = log["runs"]
    rules = [item["id"] for item in run["tool"]["driver"]["rules"]]
    assert len(set(rules)) == len(rules)
    for item in run["results"]:
        assert rules[item["ruleIndex"]] == item["ruleId"]
        assert item["level"] in ("error", "warning", "note")
        assert item["message"]["text"]
    return [item for item in run["results"] if item["ruleId"] == rule]


def test_an_origin_is_shown_at_the_users_line() -> None:
    (item,) = results(fabricated.everything(), "node")
    (location,) = item["locations"]
    place = location["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "models/block.py", "uriBaseId": "SRCROOT"}
    assert place["region"] == {"startLine": 31}
    name = "encoder.layers.1.activation.node_gelu"
    assert location["logicalLocations"][0]["fullyQualifiedName"] == name
    assert "Gelu of encoder.layers.1.activation" in item["message"]["text"]
    assert "rebuilding" in item["message"]["text"]


def test_a_mismatch_is_shown_where_its_error_begins() -> None:
    (item,) = results(fabricated.everything(), "mismatch")
    assert item["locations"][0]["physicalLocation"]["region"] == {"startLine": 31}
    (bare,) = results(report(MISMATCH), "mismatch")
    (location,) = bare["locations"]
    assert location == {
        "physicalLocation": {"artifactLocation": {"uri": "saved_model", "uriBaseId": "SRCROOT"}}
    }


def test_every_kind_of_failure_has_its_rule() -> None:
    full = fabricated.everything()
    for rule, words in {
        "run": "SIGSEGV", "weight": "head.bias", "training": "it is half", "latency": "2.1 times",
        "finding": "'ids' may hold",
    }.items():  # fmt: skip
        assert any(words in item["message"]["text"] for item in results(full, rule)), rule
    assert results(report(), "mismatch") == results(report(), "run") == []
    assert to_sarif(report())["runs"][0]["results"] == []
    assert results(report(CRASH), "run")[0]["level"] == "error"


def test_the_same_finding_keeps_its_fingerprint_when_figures_move() -> None:
    full = fabricated.everything()
    other = replace(fabricated.LINE, error=7.7e-4)
    moved = replace(full, location=replace(full.location, origins=(other,)), depth=None)
    elsewhere = replace(other, module_path="encoder.layers.0.activation", node="node_gelu")
    third = replace(full, location=replace(full.location, origins=(elsewhere,)), depth=None)
    prints = [results(item, "node")[0]["partialFingerprints"] for item in (full, moved, third)]
    assert prints[0] == prints[1] != prints[2]


def test_the_likeliest_origin_comes_first_and_each_once() -> None:
    full = fabricated.everything()
    second = replace(fabricated.LINE, index=2, node="node_2")
    nodes = tuple(second if node.index == 2 else node for node in fabricated.nodes())
    deep = replace(full, depth=Depth(nodes))
    assert [node.index for node in origins(deep)] == [6, 2]
    assert all(node.status is NodeStatus.ORIGIN for node in origins(deep))


def test_a_line_that_is_none_is_not_made_up() -> None:
    full = fabricated.everything()
    for text in ("", "block.py", "block.py:0", "block.py:x"):
        node = replace(fabricated.LINE, source_line=text)
        located = replace(full, location=replace(full.location, origins=(node,)), depth=None)
        place = results(located, "node")[0]["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "encoder_tf"
        assert "region" not in place

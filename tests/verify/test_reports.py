"""One result, several forms; each says what failed, and each can be read back."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from converter.errors import MissingFrameworkError, OutputError, UsageError
from tests.verify import fabricated
from verify.command import job_summary
from verify.report import markdown
from verify.report.location import Depth
from verify.report.result import (
    Latency,
    OutputComparison,
    Report,
    Run,
    Side,
    Stage,
    Timing,
    Uncompared,
)
from verify.report.training import LossCurve

NAN = math.nan


def comparison(name: str = "logits", **changes: object) -> OutputComparison:
    facts = {"compared": 12, "max_abs": 1e-6, "mean_abs": 1e-7,
              "max_rel": 3e-7, "snr_db": 120.0, "count": 12,
             "limit": 2e-5, "limit_reason": "2e-05 of the largest value (float32)"}  # fmt: skip
    return OutputComparison(name, "float32", (3, 4), **{**facts, **changes})


def report(*runs: Run, **changes: object) -> Report:
    a = Side("a", "model.pt2", "torch", "exported_program", "exported_program",
             versions={"torch": "2.13"}, peak_bytes=300_000_000)  # fmt: skip
    b = Side("b", "saved_model", "tensorflow", "saved_model", "saved_model", load_seconds=1.5)
    sound = Run("seed 0", 0, {"batch": 3}, Stage.OK, outputs={"logits": comparison()},
                seconds={"a": 0.01, "b": 0.02})  # fmt: skip
    return Report(a, b, [sound, *runs], **changes)


WRONG = comparison(
    passed=False, max_abs=0.5, max_rel=0.4, snr_db=-math.inf, cosine=NAN, mismatches=3,
    reason="3 of 12 elements differ <b>&\x00 by more than 2e-05",
)  # fmt: skip
MISMATCH = Run("seed 1", 1, {"batch": 9}, Stage.MISMATCH, outputs={"logits": WRONG})
CRASH = Run("seed 2", 2, {"batch": 1}, Stage.CRASH, "b", "the process was ended by SIGSEGV")
REFUSED = Run("seed 3", 3, {"batch": 2}, Stage.REFUSED, "", "a: too small; b: too small",
              uncompared=Uncompared.BOTH_REFUSE)  # fmt: skip
SLOW = Latency(Timing(0.001, 0.002, 20), Timing(0.005, 0.006, 20), 5.0, 1.2, "seed 0")

FAILED = {
    "mismatch": (report(MISMATCH), "3 of 12 elements differ"),
    "crash": (report(CRASH), "SIGSEGV"),
    "slow": (report(latency=SLOW), "5 times as long"),
    "nothing": (Report(Side("a", "x"), Side("b", "y")), "nothing was compared"),
}


@pytest.mark.parametrize("case", FAILED)
@pytest.mark.parametrize("form", ["json", "junit", "html", "markdown", "sarif", "text"])
def test_every_form_says_what_failed(case: str, form: str) -> None:
    result, words = FAILED[case]
    assert not result.passed
    text = str(result) if form == "text" else getattr(result, f"to_{form}")()
    assert words in " ".join(text.split())
    sound = str(report()) if form == "text" else getattr(report(), f"to_{form}")()
    assert words not in sound
    if form == "sarif":
        sound = sound.replace('"passed": true', "passed")
        assert '"passed": false' in text
    assert "assed" in sound or "PASSED" in sound or 'failures="0"' in sound


def test_json_has_no_nan_and_reads_back() -> None:
    def refuse(text: str) -> None:
        raise AssertionError(text)

    data = json.loads(report(MISMATCH, CRASH).to_json(), parse_constant=refuse)
    assert data["passed"] is False
    assert data["outputs"]["logits"]["snr_db"] == "-inf"
    assert data["outputs"]["logits"]["cosine"] == "nan"
    assert [run["stage"] for run in data["runs"]] == ["ok", "mismatch", "crash"]
    assert data["a"]["versions"] == {"torch": "2.13"}
    assert data == report(MISMATCH, CRASH).to_data()


def test_junit_counts_what_it_holds() -> None:
    suites = ElementTree.fromstring(report(MISMATCH, CRASH, REFUSED, latency=SLOW).to_junit())
    suite = suites.find("testsuite")
    assert suite is not None
    assert suite.get("tests") == "5" == str(len(suite.findall("testcase")))
    assert suite.get("failures") == "3" == str(len(suite.findall("testcase/failure")))
    assert suite.get("skipped") == "1"
    kinds = {failure.get("type") for failure in suite.iter("failure")}
    assert kinds == {"mismatch", "crash", "latency"}
    sound = ElementTree.fromstring(report().to_junit())
    assert sound.get("failures") == "0"


def test_html_is_one_page_and_escapes() -> None:
    page = report(MISMATCH, CRASH, latency=SLOW).to_html()
    assert "<b>&" not in page
    assert "&lt;b&gt;" in page
    assert not re.search(r"(src|href)=|@import|url\(", page)
    assert page.count("<tr>") >= 5


def test_html_without_jinja2_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verify.report.html.find_spec", lambda name: None)
    with pytest.raises(MissingFrameworkError, match="jinja2") as caught:
        report().to_html()
    assert "equiport[reports]" in caught.value.hint


def test_the_table_fits_in_80_columns_without_colour_codes() -> None:
    long = comparison("encoder_layer_11_attention_output_dense_last_hidden_state_and_more",
                      max_abs=1.234e-107, cosine=-0.123456, snr_db=-123.0)  # fmt: skip
    run = Run("seed 4", 4, {"batch": 12345, "sequence_length": 123456}, Stage.OK,
              outputs={"long": long})  # fmt: skip
    text = str(report(MISMATCH, CRASH, run, latency=SLOW, findings=["x " * 80]))
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert "-123" in text
    assert "FAIL" in text


def test_the_worst_run_of_an_output_is_shown() -> None:
    assert report(MISMATCH).outputs["logits"] is WRONG
    nan = comparison(passed=False, max_rel=NAN)
    both = report(MISMATCH, Run("d", None, {}, Stage.MISMATCH, outputs={"logits": nan}))
    assert both.outputs["logits"] is nan


def test_files_are_whole_or_not_there(tmp_path: Path) -> None:
    for form in ("json", "junit", "html", "markdown", "sarif"):
        path = tmp_path / "deep" / form
        text = getattr(report(), f"to_{form}")(path)
        assert path.read_text(encoding="utf-8") == text
    assert len(list((tmp_path / "deep").iterdir())) == 5
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        report().to_json(tmp_path / "file" / "x.json")
    with pytest.raises(OutputError):
        report().to_json(tmp_path / "deep")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["deep", "file"]


def test_a_jobs_summary_holds_what_several_steps_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("# Tests\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    for result in (report(), report(CRASH)):
        markdown.append(result, job_summary())
    text = summary.read_text(encoding="utf-8")
    assert text.startswith("# Tests\n")
    assert "passed" in text.partition("### ")[2]
    assert "SIGSEGV" in text
    monkeypatch.delenv("GITHUB_STEP_SUMMARY")
    with pytest.raises(UsageError, match="GITHUB_STEP_SUMMARY"):
        job_summary()
    with pytest.raises(OutputError):
        markdown.append(report(), tmp_path)


def test_junit_has_a_case_for_each_part() -> None:
    suites = ElementTree.fromstring(fabricated.everything().to_junit())
    failures = {case.get("name"): case.find("failure") for case in suites.iter("testcase")}
    for name, words in {"latency": "2.1 times", "weight": "head.bias", "node": "node_gelu",
                        "training": "head.bias"}.items():  # fmt: skip
        assert words in failures[name].get("message")
    sound = replace(fabricated.everything(), latency=None, training=fabricated.training(True))
    cases = {case.get("name"): case for case in ElementTree.fromstring(sound.to_junit()).iter()}
    assert cases["training"].find("failure") is None
    assert "latency" not in cases


def test_the_terminal_shows_the_first_of_many_failures_of_each_kind() -> None:
    many = [replace(MISMATCH, label=f"seed {index}") for index in range(9)]
    text = str(report(*many, CRASH, latency=SLOW))
    assert text.count("3 of 12 elements differ") == 4
    assert "... and 5 more like these" in text
    assert "SIGSEGV" in text
    assert "5 times as long" in text
    assert "more like these" not in str(report(*many[:4]))


@pytest.mark.parametrize("form", ["html", "json", "junit", "markdown", "sarif"])
def test_figures_that_are_no_numbers_stop_no_report(form: str) -> None:
    odd = fabricated.everything()
    bad = {"max_rel": math.inf, "max_abs": math.inf, "limit": 0.0, "noise": NAN, "error": NAN}
    outputs = {name: replace(item, **bad) for name, item in odd.outputs.items()}
    curve = LossCurve("sgd", "float32", (NAN, math.inf), (NAN, 1.0), 1e-4, False)
    odd.runs[0] = replace(odd.runs[0], outputs=outputs)
    odd.training = replace(odd.training, curves=(curve,))
    odd.depth = Depth()
    assert getattr(odd, f"to_{form}")()
    assert "FAIL" in str(odd)

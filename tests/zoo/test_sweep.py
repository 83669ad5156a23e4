"""The sweep: which conversions it runs, what it keeps, and how it goes on."""

from __future__ import annotations

import json
import secrets

import pytest

import zoo.sweep
from converter.errors import OutputError, UsageError
from zoo.case import Outcome, run
from zoo.describe import table
from zoo.registry import ENTRIES
from zoo.sweep import cases, isolated, recorded, sweep


@pytest.fixture
def ran(monkeypatch):
    """Replace the processes: every conversion passes at once; `unet` to TensorFlow fails."""
    calls = []

    def pretend(name, source, target, timeout):
        calls.append((name, source, target))
        failed = (name, source) == ("unet", "torch")
        problems = ["off by 1.0e+00, not 2.0e-05"] if failed else []
        return Outcome(name, source, target, not failed, 1e-7, 2e-5, 3, problems)

    monkeypatch.setattr(zoo.sweep, "isolated", pretend)
    return calls


def test_every_model_runs_in_every_direction_that_it_has():
    labels = cases()
    assert len(labels) == len(set(labels)) == 30
    assert len(ENTRIES) == 20


@pytest.mark.parametrize(
    ("pattern", "count"), [("unet", 2), ("unet:torch", 1), ("keras_*:tf", 5), ("->torch", 15)]
)
def test_the_filter_is_part_of_the_label(pattern, count):
    assert len(cases(pattern)) == count


def test_a_filter_that_nothing_fits_is_refused():
    with pytest.raises(UsageError, match="no model of the zoo fits the filter 'yolo'"):
        cases("yolo")


def test_resume_runs_what_is_missing_and_what_failed(ran, tmp_path):
    results = tmp_path / "results.jsonl"
    wanted = cases("unet") + cases("gru_tagger")
    list(sweep(wanted[:3], results))
    assert len(ran) == 3
    outcomes = list(sweep(wanted, results, resume=True))
    assert ran[3:] == [wanted[0], wanted[3]]
    assert [old for _, old in outcomes] == [False, True, True, False]
    assert [outcome.name for outcome, _ in outcomes] == ["unet"] * 2 + ["gru_tagger"] * 2


def test_a_line_cut_short_costs_only_itself(ran, tmp_path):
    results = tmp_path / "results.jsonl"
    wanted = cases("gru_tagger")
    list(sweep(wanted, results))
    whole = results.read_bytes()
    cut = secrets.randbelow(len(whole.splitlines()[1]) - 1) + 1
    print(f"cut {cut} bytes")
    results.write_bytes(whole[: -1 - cut])
    assert [outcome.label for outcome in recorded(results)] == ["gru_tagger:torch->tf"]
    assert [old for _, old in sweep(wanted, results, resume=True)] == [True, False]
    assert len(recorded(results)) == 2


def test_results_are_not_overwritten(ran, tmp_path):
    results = tmp_path / "results.jsonl"
    results.write_text("mine\n")
    with pytest.raises(OutputError, match="exist already"):
        list(sweep(cases("unet"), results))
    assert results.read_text() == "mine\n"
    assert not ran


def test_a_file_that_cannot_be_written_is_an_error_of_its_own(ran, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        list(sweep(cases("unet"), tmp_path / "file" / "results.jsonl"))


def test_a_process_that_dies_or_hangs_is_an_outcome(tmp_path, monkeypatch):
    dead = isolated("no_such_model", "torch", "tf")
    assert not dead.passed
    assert "ended with code 1" in dead.problems[0]
    assert "no_such_model" in dead.problems[0] or "zoo list" in dead.problems[0]
    hung = isolated("bert", "torch", "tf", timeout=0.01)
    assert hung.problems == ["gave no result within 0.01 s"]


def test_outcomes_come_back_from_the_file_as_they_were():
    score = ("accuracy", 0.98, 0.97)
    outcome = Outcome("a", "torch", "tf", True, 1e-7, 2e-5, 3, ["why"], score, 1.5, 9.0)
    assert Outcome.from_json(json.loads(json.dumps(outcome.to_json()))) == outcome


def test_the_table_names_what_failed(ran, tmp_path):
    outcomes = [outcome for outcome, _ in sweep(cases("unet"), tmp_path / "results.jsonl")]
    text = table(outcomes)
    assert "off by 1.0e+00" in text
    assert "FAILED" in text
    assert text.endswith("1 of 2 passed\n")


def test_a_real_conversion_passes_and_a_wrong_one_does_not(monkeypatch):
    outcome = run("classifier", "tf")
    assert outcome.problems == []
    assert outcome.passed
    assert outcome.parameters == 4
    assert outcome.max_rel <= 2e-5

    import torch

    from converter.rebuild import pytorch

    build = pytorch.build

    def wrong(graph, **options):
        module = build(graph, **options)
        with torch.no_grad():
            next(module.parameters()).add_(0.01)
        return module

    monkeypatch.setattr(pytorch, "build", wrong)
    broken = run("classifier", "tf")
    assert not broken.passed
    assert any("differs" in problem for problem in broken.problems)
    assert any("off by" in problem for problem in broken.problems)

"""A defect of Equiport is no verdict: exit code 70, a typed error, never an `AssertionError`."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import onnx_ir as ir
import pytest

from converter.errors import DefectError, TraceError, UnsupportedOp, UnsupportedOpsError, first_line
from tests.verify.models import classifier
from verify import assert_equivalent, verify
from verify.command import Invocation
from verify.worker import answer
from verify.worker_side import WorkerSide

OURS = {"KeyError": KeyError("a name"), "AssertionError": AssertionError("never so"),
        "OverflowError": OverflowError(34, "Result too large"), "": RuntimeError()}  # fmt: skip


@pytest.fixture(params=OURS)
def defect(request, monkeypatch) -> Exception:
    def broken(*_: object, **__: object) -> None:
        raise OURS[request.param]

    monkeypatch.setattr("verify.job.plan", broken)
    return OURS[request.param]


def test_the_library_raises_a_typed_error(defect: Exception) -> None:
    for compare in (verify, assert_equivalent):
        with pytest.raises(DefectError, match=type(defect).__name__) as caught:
            compare(classifier(), classifier())
        assert caught.value.__cause__ is defect
        assert "no verdict" in caught.value.hint


@pytest.mark.parametrize("verbose", [False, True])
def test_the_command_ends_with_70(source: Path, defect: Exception, verbose, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        Invocation({}, quiet=True, verbose=verbose).run(str(source), str(source), [])
    assert ended.value.code == 70
    told = capsys.readouterr().err
    assert "defect of Equiport" in told
    assert ("Traceback" in told) is verbose


def test_so_does_a_report_that_cannot_be_made(source: Path, tmp_path, monkeypatch, capsys) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("verify.report.junit.to_xml", broken)
    files = {"junit": str(tmp_path / "report.xml")}
    with pytest.raises(SystemExit) as ended:
        Invocation(files, quiet=True).run(str(source), str(source), [], seeds=1)
    assert ended.value.code == 70
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_typed_error_keeps_all_that_it_says_across_the_worker(tmp_path) -> None:
    """What the worker answers, put through JSON, is raised in the parent as it was."""

    class Raising:
        calling = False

        def __init__(self, error: Exception) -> None:
            self.error = error

        def time(self, count: int) -> None:
            raise self.error

    class Told(WorkerSide):
        def _read_line(self) -> bytes:
            return self.line

    operators = (UnsupportedOp("aten.fft", 2, "fft_1", "encoder", "net.py:3"),)
    for error in (
        TraceError("no", hint="do", node="n", module_path="encoder.0", source_line="net.py:3"),
        UnsupportedOpsError(operators, stage="tracing"),
    ):
        server = type("Server", (), {"engine": Raising(error)})()
        server.time = lambda message, server=server: server.engine.time(1)
        side = Told("a", tmp_path, [], "cpu", folder=tmp_path)
        side.line = json.dumps(answer(server, {"command": "time"})).encode()
        with pytest.raises(type(error)) as caught:
            side._receive(None)
        assert str(caught.value) == str(error)
        for name in ("node", "module_path", "source_line", "hint"):
            assert getattr(caught.value, name) == getattr(error, name)
        assert getattr(caught.value, "operators", ()) == getattr(error, "operators", ())


@pytest.mark.parametrize(("text", "line"), [
    ("", "ValueError"), ("\n \n", "ValueError"), ("\n  two\nthree", "two"), ("x" * 999, "x" * 300),
])  # fmt: skip
def test_the_first_line_of_an_exception(text: str, line: str) -> None:
    assert first_line(ValueError(text)) == line


def test_a_failure_without_words_does_not_end_the_comparison(monkeypatch) -> None:
    """A side that cannot be traced, and says nothing of why."""
    from verify.report.result import Stage
    from verify.sides import Failure, LiveSide

    def wordless(*_: object) -> None:
        raise Failure(Stage.TRACE, "")

    monkeypatch.setattr(LiveSide, "graph", wordless)
    monkeypatch.setattr(LiveSide, "weights", wordless)
    report = verify(classifier(), classifier(), seeds=1, grad=True, deep=True)
    assert "Failure" in report.limits.reason


def test_training_takes_an_ordinary_case() -> None:
    from verify.inputs import Case
    from verify.report.result import Report, Run, Side, Stage
    from verify.training.step import _Comparison

    cases = [Case("scaled", {"n": 3}, 0, scale="large"), Case("seed 0", {"n": 3}, 0)]
    runs = [Run(c.label, 0, c.sizes, Stage.OK, seconds={"a": 1.0, "b": 1.0}) for c in cases]
    report = Report(Side("a", "x"), Side("b", "y"), runs)
    assert _Comparison._chosen(None, report, cases).label == "seed 0"


def test_a_new_part_of_a_report_counts_without_being_listed() -> None:
    from dataclasses import dataclass

    from verify.report.result import Report, Run, Side, Stage

    @dataclass
    class Longer(Report):
        part: object = None

    run = Run("seed 0", 0, {}, Stage.OK)
    wrong = type("Part", (), {"passed": False})()
    assert Longer(Side("a", "x"), Side("b", "y"), [run]).passed
    assert not Longer(Side("a", "x"), Side("b", "y"), [run], part=wrong).passed


def test_renamed_inputs_make_room_for_themselves() -> None:
    from converter.graph.names import rename_inputs

    model = ir.serde.deserialize_model(classifier(input_name="sum_"))
    before = [value.name for value in model.graph.outputs]
    rename_inputs(model, {"sum_": "product"})
    assert model.graph.inputs[0].name == "product"
    assert [value.name for value in model.graph.outputs] == before
    onnx.checker.check_model(ir.serde.serialize_model(model))
    rename_inputs(model, {"product": "weight"})
    assert model.graph.inputs[0].name == "weight"
    assert {v.name for v in model.graph.initializers.values()} == set(model.graph.initializers)
    onnx.checker.check_model(ir.serde.serialize_model(model))

"""The verification record: what it holds, and that each kind of drift is told by its name."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from converter.errors import UnreadableModelError, UsageError
from tests.commands import run
from tests.verify import fabricated
from tests.verify.models import classifier, saved
from verify import cli, lock
from verify.digest import digest, of_inputs
from verify.drift import What, drift
from verify.recheck import FREE, against, told
from verify.verification import verify

QUICK = {"seeds": 1, "tolerance": "fixed", "sizes": {"batch": [2]}}


def made(folder: Path, report: object = None, **options: object) -> lock.Record:
    a = folder / "source.onnx"
    if not a.exists():
        saved(classifier(), a)
    report = report or fabricated.everything()
    return lock.record(report, a, a, options, folder)


def lines(old: lock.Record, new: lock.Record) -> list[str]:
    return [f"{change.what}: {change.text}" for change in drift(old, new)]


def test_a_record_reads_back(tmp_path: Path) -> None:
    record = made(tmp_path, seeds=5, rename={"x": "y"})
    lock.write(record, tmp_path / "deep" / "equiport.lock.json")
    read = lock.read(tmp_path / "deep" / "equiport.lock.json")
    assert read.to_json() == record.to_json()
    assert read.options["seeds"] == 5
    assert read.options["rename"] == {"x": "y"}
    assert not {"trust", "timeout", "python_torch"} & read.options.keys()
    assert str(tmp_path) not in json.dumps(read.to_json())
    assert drift(read, record) == []
    assert drift(record, made(tmp_path)) == []


def test_what_is_no_record_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    record = made(tmp_path)
    for text, words in {
        "{": "cannot be read", "[]": "not a record", '{"equiport_lock": 99}': "99",
        json.dumps({"equiport_lock": 1}): "models",
    }.items():  # fmt: skip
        path.write_text(text)
        with pytest.raises(UnreadableModelError, match=words) as caught:
            lock.read(path)
        assert "--lock" in caught.value.hint
    with pytest.raises(UnreadableModelError, match="cannot be read"):
        lock.read(tmp_path / "missing.json")
    unknown = replace(record, options={**record.options, "phase_of_moon": "full"})
    with pytest.raises(UsageError, match="phase_of_moon"):
        lock.arguments(unknown, tmp_path)
    trusting = replace(record, options={**record.options, "trust": True})
    with pytest.raises(UsageError, match="trust"):
        lock.arguments(trusting, tmp_path)
    with pytest.raises(UsageError, match="inputs"):
        made(tmp_path, inputs=[np.zeros(3)])


def test_one_byte_changed_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "variables").mkdir(parents=True)
    (folder / "graph.pb").write_bytes(b"graph")
    (folder / "variables" / "data").write_bytes(b"weights")
    before = digest(folder)
    assert digest(folder) == before
    (folder / "variables" / "data").write_bytes(b"weightz")
    (folder / "extra").write_bytes(b"")
    now = digest(folder)
    assert now.sha256 != before.sha256
    assert [name for name in now.files if before.files.get(name) != now.files[name]] == [
        "extra", "variables/data",
    ]  # fmt: skip
    record = made(tmp_path)
    paths = {**record.paths, "b": "model"}
    then = replace(record, paths=paths, digests={**record.digests, "b": before})
    today = replace(record, paths=paths, digests={**record.digests, "b": now})
    (line,) = lines(then, today)
    assert line == "file: the target model is another one: changed variables/data; new extra"
    (folder / "extra").rename(folder / "moved")
    assert digest(folder).sha256 != now.sha256


def test_weights_beside_an_onnx_file_are_part_of_it(tmp_path: Path) -> None:
    path = saved(classifier(), tmp_path / "model.onnx")
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="model.data", size_threshold=0)
    before = digest(path)
    assert sorted(before.files) == ["model.data", "model.onnx"]
    data = bytearray((tmp_path / "model.data").read_bytes())
    data[-1] ^= 1
    (tmp_path / "model.data").write_bytes(data)
    now = digest(path)
    assert now.files["model.onnx"] == before.files["model.onnx"]
    assert now.sha256 != before.sha256


def test_inputs_have_a_digest(generator: np.random.Generator) -> None:
    x = generator.normal(size=(2, 3)).astype(np.float32)
    same = of_inputs({"x": x, "s": np.array(["a", "b"], dtype=object)})
    assert same == of_inputs({"s": np.array(["a", "b"], dtype=object), "x": x.copy()})
    others = [
        {"x": np.nextafter(x, np.float32(9)), "s": np.array(["a", "b"], dtype=object)},
        {"x": x.reshape(3, 2), "s": np.array(["a", "b"], dtype=object)},
        {"x": x, "s": np.array(["ab", ""], dtype=object)},
        {"y": x, "s": np.array(["a", "b"], dtype=object)},
        {"x": x.view(np.int32), "s": np.array(["a", "b"], dtype=object)},
    ]
    assert len({same, *map(of_inputs, others)}) == 6


def test_every_argument_is_recorded_or_said_not_to_be() -> None:
    known = inspect.signature(verify).parameters
    assert known.keys() >= lock.NOT_RECORDED
    assert inspect.signature(cli.verify).parameters.keys() >= FREE
    # What the command may be given beside a record is nothing that the record holds.
    assert not FREE & (known.keys() - lock.NOT_RECORDED)


def with_figures(record: lock.Record, output: str, **figures: object) -> lock.Record:
    runs = json.loads(json.dumps(record.runs))
    for item in runs:
        if output in item["outputs"]:
            item["outputs"][output].update(figures)
    return replace(record, runs=runs)


def test_an_error_that_grew_beyond_noise_is_named(tmp_path: Path) -> None:
    then = made(tmp_path)  # pooled: max_abs 1e-6, of a largest value of 2.5; its noise 3e-7 of that
    assert lines(then, with_figures(then, "pooled", max_abs=2.9e-6, max_rel=1.16e-6)) == []
    (line,) = lines(then, with_figures(then, "pooled", max_abs=9e-6, max_rel=3.6e-6))
    assert line.startswith("error: output pooled: the error has grown beyond noise, from 1.0e-06")
    assert drift(then, with_figures(then, "pooled", max_abs=1e-9, max_rel=4e-10)) == []
    (line,) = lines(then, with_figures(then, "pooled", max_abs="nan", max_rel="nan"))
    assert "to nan" in line
    (line,) = lines(then, with_figures(then, "hidden", limit=8e-4))
    assert line == "limit: output hidden: limit 8.0e-06 -> 8.0e-04"
    exact = with_figures(then, "pooled", max_abs=0.0, max_rel=0.0)
    # Nothing before, and a few roundings now: noise. Far more: not.
    assert drift(exact, with_figures(then, "pooled", max_abs=2e-6, max_rel=8e-7)) == []
    assert drift(exact, with_figures(then, "pooled", max_abs=2e-4, max_rel=8e-5))


DRIFTS: dict[str, tuple[Callable[[lock.Record], lock.Record], str]] = {
    "verdict": (lambda r: replace(r, passed=True, failures=[]), "it failed then and passed now"),
    "version": (
        lambda r: replace(r, versions={**r.versions, "b": {"tensorflow": "2.99"}}),
        "tensorflow of b: 2.21.0 -> 2.99",
    ),
    "inputs": (lambda r: replace(r, runs=[{**r.runs[0], "inputs": "0"}, *r.runs[1:]]),
               "other values: seed 0, batch=2"),
    "fewer runs": (lambda r: replace(r, runs=r.runs[:2]), "no longer run: seed 2, batch=1"),
    "new failure": (lambda r: replace(r, failures=[*r.failures, "it smells"]), "it smells"),
    "output gone": (
        lambda r: replace(r, runs=[{**run, "outputs": {}} for run in r.runs]),
        "output hidden is no longer compared",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DRIFTS)
def test_what_has_changed_is_named(case: str, tmp_path: Path) -> None:
    change, words = DRIFTS[case]
    record = made(tmp_path)
    changes = drift(record, change(record))
    assert words in "\n".join(item.text for item in changes)
    assert any(item.what.failed for item in changes) == (case == "verdict")
    assert [item.what for item in changes] == sorted(
        (item.what for item in changes), key=list(What).index
    )


def test_it_compares_again_as_the_record_says(tmp_path: Path) -> None:
    a, b = (saved(classifier(), tmp_path / name) for name in ("a.onnx", "b.onnx"))
    data = tmp_path / "x.npz"
    np.savez(data, x=np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32))
    options = {**QUICK, "data": str(data), "sizes": None}
    report = verify(a, b, **options)
    path = tmp_path / "equiport.lock.json"
    lock.write(lock.record(report, a, b, options, tmp_path), path)

    again, changes = against(path)
    assert again.passed
    assert changes == []
    assert "Nothing has changed" in told(changes, path)

    np.savez(data, x=np.ones((3, 4), np.float32))
    saved(classifier(weight_change=0.5), b)
    _, changes = against(path)
    text = told(changes, path)
    assert "DRIFT: it passed then and failed now" in text
    assert "DRIFT: the target b.onnx is another one: changed b.onnx" in text
    assert "the data x.npz is another one" in text
    assert "the source" not in text.replace("the source's", "")
    with pytest.raises(UsageError, match="seeds"):
        against(path, seeds=3)


def test_the_command_tells_drift_by_its_exit_code(tmp_path: Path) -> None:
    for name in ("a.onnx", "b.onnx"):
        saved(classifier(), tmp_path / name)
    first = run("verify.cli", "a.onnx", "b.onnx", "-q", "--tolerance", "fixed", "--seeds", "1",
                "--lock", "equiport.lock.json", folder=tmp_path)  # fmt: skip
    assert first.returncode == 0, first.stderr
    # The same function in other bytes: only the file has drifted.
    model = onnx.load(tmp_path / "b.onnx")
    model.doc_string = "touched"
    onnx.save(model, tmp_path / "b.onnx")
    again = run("verify.cli", "--against", "equiport.lock.json", folder=tmp_path)
    assert again.returncode == 1
    assert "PASSED" in again.stdout
    assert "DRIFT: the target b.onnx is another one" in again.stdout
    refused = run("verify.cli", "--against", "equiport.lock.json", "--seeds", "3", folder=tmp_path)
    assert refused.returncode == 2
    assert "--seeds" in refused.stderr
    alone = run("verify.cli", "a.onnx", folder=tmp_path)
    assert alone.returncode == 2
    assert "two models are needed" in alone.stderr

"""The report as JUnit XML: one test case per output and run, one per run that went wrong."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

from verify.report.failures import Kind, failed
from verify.report.files import write_text
from verify.report.numbers import number
from verify.report.result import OutputComparison, Report, Run

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_xml(report: Report) -> str:
    """Return the XML text."""
    suite = ET.Element("testsuite", name="equiport verify")
    for run in report.runs:
        for item in run.outputs.values():
            _output(suite, report, run, item)
        if not run.outputs:
            _run(suite, report, run)
    _left_out(suite, report)
    _parts(suite, report)
    _count(suite)
    properties = ET.Element("properties")
    ET.SubElement(properties, "property", name="criterion", value=report.limits.criterion)
    if report.limits.warning:
        ET.SubElement(properties, "property", name="warning", value=_clean(report.limits.warning))
    suite.insert(0, properties)
    suites = ET.Element("testsuites", {**suite.attrib, "name": "equiport"})
    suites.append(suite)
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def write(report: Report, path: str | Path | None) -> str:
    """Return the XML text, and write it if there is a path.

    Raises:
        OutputError: the file cannot be written.
    """
    text = to_xml(report)
    if path is not None:
        write_text(text, path)
    return text


def _case(suite: ET.Element, report: Report, name: str, seconds: float = 0.0) -> ET.Element:
    against = _clean(f"{report.a.name} -> {report.b.name}")
    return ET.SubElement(
        suite, "testcase", classname=against, name=_clean(name), time=f"{seconds:.6f}"
    )


def _output(suite: ET.Element, report: Report, run: Run, item: OutputComparison) -> None:
    case = _case(suite, report, f"{item.name} [{run.title}]", sum(run.seconds.values()))
    if not item.passed:
        detail = (
            f"max abs {number(item.max_abs)}, mean abs {number(item.mean_abs)}, of max "
            f"{number(item.max_rel)}, limit {number(item.limit)}, cosine {item.cosine:.9g}, "
            f"SNR {item.snr_db:.4g} dB, {item.mismatches} of {item.count} elements"
        )
        _failure(case, item.reason, "mismatch", detail)
    elif item.random:
        _skipped(case, "random: compared in distribution, see the case random")
    elif not item.compared:
        _skipped(case, "not compared: no finite element came out on both sides")


def _run(suite: ET.Element, report: Report, run: Run) -> None:
    case = _case(suite, report, f"run [{run.title}]", sum(run.seconds.values()))
    if run.uncompared is not None:
        _skipped(case, f"not compared: {run.uncompared.words}: {run.reason}")
    elif run.stage.failed:
        _failure(case, f"{run.side or 'both'}: {run.reason}", run.stage.value)


def _left_out(suite: ET.Element, report: Report) -> None:
    for title in report.budget.left_out if report.budget is not None else ():
        case = _case(suite, report, f"run [{title}]")
        ET.SubElement(case, "skipped", message=_clean("left out: there was no time for it"))


def _parts(suite: ET.Element, report: Report) -> None:
    """Add a case for each thing that was looked at beside the runs."""
    seconds = report.latency.b.median if report.latency is not None else 0.0
    looked_at = {
        Kind.LATENCY: report.latency, Kind.WEIGHT: report.weights, Kind.NODE: report.depth,
        Kind.TRAINING: report.training, Kind.RANDOM: report.random,
    }  # fmt: skip
    found = failed(report)
    for kind, part in looked_at.items():
        if part is not None:
            case = _case(suite, report, kind, seconds if kind is Kind.LATENCY else 0.0)
            lines = [item.text for item in found if item.kind is kind]
            if lines:
                _failure(case, lines[0], kind, "\n".join(lines[1:]))
    for item in found:
        if item.kind is Kind.COMPARISON:
            _failure(_case(suite, report, item.kind), item.text, "load")


def _skipped(case: ET.Element, message: str) -> None:
    ET.SubElement(case, "skipped", message=_clean(message.rstrip(": ")))


def _failure(case: ET.Element, message: str, kind: str, detail: str = "") -> None:
    element = ET.SubElement(case, "failure", message=_clean(message), type=kind)
    element.text = _clean(f"{message}\n{detail}".strip())


def _count(suite: ET.Element) -> None:
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(len(suite.findall("testcase/failure"))))
    suite.set("errors", "0")
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    suite.set("time", f"{sum(float(case.get('time', 0)) for case in cases):.6f}")


def _clean(text: str) -> str:
    """Take out characters that XML does not have."""
    return _NOT_XML.sub("?", text)

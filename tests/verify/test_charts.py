"""What the page draws: every place on an axis can be worked out by hand."""

from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest

from tests.verify import fabricated
from verify.report import charts
from verify.report.location import Depth, NodeStatus
from verify.report.module_tree import tree
from verify.report.result import HISTOGRAM_EDGES, Timing
from verify.report.scale import LogScale, around


def test_a_logarithmic_axis() -> None:
    scale = LogScale(-8, 0)
    assert [scale.percent(v) for v in (1e-8, 1e-4, 1.0)] == [0.0, 50.0, 100.0]
    assert [scale.percent(v) for v in (0.0, 1e-20, 5.0, math.inf, math.nan)] == [
        0,
        0,
        100,
        100,
        100,
    ]
    assert scale.ticks(5) == [("1e-8", 0.0), ("1e-6", 25.0), ("1e-4", 50.0), ("1e-2", 75.0),
                              ("1", 100.0)]  # fmt: skip
    assert around([3e-7, 0.0, math.nan, 2e-3]) == LogScale(-7, -2)
    assert around([]) == LogScale(-8, 0)


def test_the_network_chart_shows_where_the_error_begins() -> None:
    chart = charts.along_the_network(Depth(fabricated.nodes()))
    kinds = [point.kind for point in chart.points]
    assert kinds[-1] == "origin"
    assert sorted(kinds) == sorted(node.status.value for node in fabricated.nodes())
    origin = chart.points[-1]
    # Errors lie between 1e-7 and 1e-3: four decades over 100 %.
    assert origin.x == pytest.approx(100 * 6 / 11, abs=0.01)
    assert origin.y == pytest.approx(100 - 25 * (math.log10(3.1e-4) + 7), abs=0.01)
    assert "models/block.py:31" in origin.text
    assert chart.paths["error"].count("L") == 10  # twelve nodes, one not seen


def test_the_histogram_colours_what_is_over_the_limit() -> None:
    wrong, sound = (fabricated.everything().outputs[name] for name in ("hidden", "pooled"))
    chart = charts.histogram(wrong)
    bars = chart.bars["counts"]
    over = [index for index, bar in enumerate(bars) if bar.kind == "over" and bar.height]
    limit = wrong.limit / (wrong.max_abs / wrong.max_rel)
    edges = [HISTOGRAM_EDGES[index - 2] for index in over]
    assert over
    assert all(edge >= limit for edge in edges)
    assert max(bar.height for bar in bars) == 100.0
    text, place, _ = chart.marks[0]
    assert text.startswith("limit")
    assert HISTOGRAM_EDGES[math.floor(place / 100 * 16) - 2] <= limit
    assert HISTOGRAM_EDGES[math.ceil(place / 100 * 16) - 2] >= limit
    assert {bar.kind for bar in charts.histogram(sound).bars["counts"]} == {"within"}
    assert charts.histogram(replace(wrong, histogram=())) is None


def test_modules_take_the_worst_of_what_is_in_them() -> None:
    model = tree(fabricated.nodes())
    layers = model.children["encoder"].children["layers"].children
    assert [layers[name].status for name in "012"] == [
        NodeStatus.OK, NodeStatus.ORIGIN, NodeStatus.PROPAGATED,
    ]  # fmt: skip
    assert model.status is NodeStatus.ORIGIN
    assert layers["1"].children["activation"].source_lines == "models/block.py:31"
    assert layers["1"].error == 3.1e-4
    assert len(model.everything) == 12
    sound = [replace(n, status=NodeStatus.OK) for n in fabricated.nodes()]
    assert tree(sound).status is NodeStatus.OK
    bare = tree([replace(fabricated.LINE, module_path="")])
    assert not bare.children
    assert bare.operators == "Gelu"


def test_loss_curves_that_part_are_two_lines() -> None:
    sound, wrong = fabricated.training(False).curves
    same, apart = charts.losses(sound).paths, charts.losses(wrong).paths
    assert same["a"] == same["b"]
    assert apart["a"] != apart["b"]
    assert apart["a"].startswith("M0 0 ")
    assert apart["a"].endswith("L100 100")


def test_latencies_count_every_run_once() -> None:
    a = replace(Timing(0.001, 0.0012, 40), samples=fabricated.SECONDS)
    b = replace(Timing(0.002, 0.0024, 40), samples=tuple(2 * s for s in fabricated.SECONDS))
    chart = charts.latencies(a, b)
    for side in "ab":
        counts = [int(re.match(rf"{side}: (\d+) of 40", bar.text)[1]) for bar in chart.bars[side]]
        assert sum(counts) == 40
    first = {side: [bar.height > 0 for bar in chart.bars[side]].index(True) for side in "ab"}
    assert first["a"] < first["b"]
    assert charts.latencies(Timing(0.001, 0.0012, 0), Timing(0.001, 0.0012, 0)) is None


def test_the_page_shows_every_part() -> None:
    page = fabricated.everything().to_html()
    for words in ("Where it comes from", "models/block.py:31", "How the elements differ",
                  "Error along the network", "Modules", "1 permuted", "element 3 is 0.25",
                  "adam, float64", "b takes 2.10 times"):  # fmt: skip
        assert words in page, words
    assert page.startswith("<!DOCTYPE html>")
    assert page.count('<path class="dot ') == 12
    assert not re.search(r"(src|href)=|@import|url\(|<script", page)

"""The node at which an error begins is named, whatever the other graph calls it."""

from __future__ import annotations

import errno
import random

import numpy as np
import onnx_ir as ir
import pytest

from converter.errors import OutputError
from tests.verify.locate.networks import FAULTS, disguised, inputs, network, with_fault
from verify.locate import locate_graphs, record
from verify.report.location import NodeStatus


@pytest.fixture(scope="module")
def seed():
    """Print a fresh seed, which pytest shows where a test fails."""
    value = random.SystemRandom().randrange(1 << 30)
    print(f"seed {value}")
    return value


@pytest.fixture(scope="module")
def recording(seed):
    return record(network(seed), inputs(seed))


def test_a_graph_under_other_names_is_the_same(seed, recording):
    depth = locate_graphs(recording, disguised(network(seed)), inputs(seed))
    assert depth.passed
    assert {node.status for node in depth.nodes} == {NodeStatus.OK}


@pytest.mark.parametrize("title", FAULTS)
def test_the_faulty_node_is_named_first(title, seed, recording):
    planted = FAULTS[title]
    mutant = with_fault(network(seed), planted.node, planted.fault)
    depth = locate_graphs(recording, mutant, inputs(seed))
    assert not depth.passed, title
    origin = depth.origins[0]
    assert origin.node == planted.node, [node.node for node in depth.origins]
    assert origin.module_path == f"net.{planted.node}"
    assert origin.source_line.startswith("net.py:")


def test_what_follows_an_origin_is_propagated_and_a_second_one_is_seen(seed, recording):
    mutant = with_fault(network(seed), "relu", FAULTS["leaky"].fault)
    second = FAULTS["layer scale"]
    index = next(i for i, n in enumerate(network(seed).graph) if n.name == second.node)
    second.fault(list(mutant.graph)[index])
    depth = locate_graphs(recording, mutant, inputs(seed))
    assert [node.node for node in depth.origins] == ["relu", "scale"]
    status = {node.node: node.status for node in depth.nodes}
    assert status["norm"] is NodeStatus.OK
    assert status["softmax"] is NodeStatus.PROPAGATED
    error = {node.node: node.error for node in depth.nodes}
    assert error["softmax"] > 1e-6


def test_an_output_of_another_order_is_an_error(seed):
    model = network(seed)
    mutant = disguised(model)
    turn = next(node for node in mutant.graph if node.op_type == "Softmax")
    flip = ir.Node("", "Transpose", [turn.outputs[0]], [ir.AttrInt64s("perm", [1, 0])])
    mutant.graph.append(flip)
    turn.outputs[0].name = "inner"
    flip.outputs[0].name = "probabilities"
    mutant.graph.outputs[0] = flip.outputs[0]
    depth = locate_graphs(model, mutant, inputs(seed, batch=5))
    assert [node.node for node in depth.origins] == ["softmax"]


def test_weights_are_named(seed, recording):
    conv = next(n for n in locate_graphs(recording, network(seed), inputs(seed)).nodes)
    assert conv.weights == ("conv.weight", "conv.bias")


def folded(model: ir.Model) -> ir.Model:
    """Fold the normalization into the convolution, in float32."""
    copy = disguised(model)
    conv, norm = list(copy.graph)[:2]
    read = [value.const_value.numpy() for value in (*conv.inputs[1:], *norm.inputs[1:])]
    weight, bias, scale, shift, mean, variance = read
    factor = scale / np.sqrt(variance + np.float32(1e-5))
    new = (weight * factor[:, None, None, None], (bias - mean) * factor + shift)
    for value, array in zip(conv.inputs[1:], new, strict=True):
        value.const_value = ir.Tensor(array.astype(np.float32), name=value.name)
    for value in (*copy.graph.outputs, *(v for node in copy.graph for v in node.outputs)):
        for node, place in list(value.uses()):
            if node.inputs[place] is norm.outputs[0]:
                node.replace_input_with(place, conv.outputs[0])
    copy.graph.remove(norm, safe=True)
    return copy


def test_folding_in_float32_is_no_error(seed, recording):
    depth = locate_graphs(recording, folded(network(seed)), inputs(seed))
    assert depth.passed, depth.origins
    status = {node.node: node.status for node in depth.nodes}
    assert status["conv"] is NodeStatus.UNSEEN
    assert status["norm"] is NodeStatus.OK
    assert next(n for n in depth.nodes if n.node == "norm").error > 0


def test_a_fault_in_folded_weights_is_an_error(seed, recording):
    mutant = folded(network(seed))
    FAULTS["one weight element"].fault(list(mutant.graph)[0])
    depth = locate_graphs(recording, mutant, inputs(seed))
    assert {node.node for node in depth.origins} & {"conv", "norm"}


def test_an_error_that_the_next_node_hides_is_seen(seed):
    model = network(seed)
    shift = model.graph.initializers["norm.bias"]
    shift.const_value = ir.Tensor(np.full(6, -1e3, np.float32), name=shift.name)  # all is cut off
    mutant = with_fault(model, "conv", FAULTS["asymmetric pad"].fault)
    depth = locate_graphs(model, mutant, inputs(seed))
    assert depth.nodes[2].status is NodeStatus.OK
    assert [node.node for node in depth.origins] == ["conv"]


def test_what_fills_a_mask_may_be_another_number(seed):
    def attention(fill: float) -> ir.Model:
        return ir.from_onnx_text(f"""<ir_version: 10, opset_import: ["" : 20]>
            g (float[4,4] x, bool[4,4] m) => (float[4,4] y)
            <float fill = {{{fill:e}}}> {{
              z = Where(m, x, fill)
              y = Softmax<axis=-1>(z)
            }}""")

    draw = np.random.default_rng(seed)
    given = {"x": draw.standard_normal((4, 4)).astype(np.float32), "m": np.tri(4, dtype=bool)}
    assert locate_graphs(attention(-1e9), attention(-3e38), given).passed
    assert not locate_graphs(attention(-1e9), attention(-1.0), given).passed


def test_values_that_memory_does_not_hold_lie_in_files(seed, monkeypatch):
    from verify.locate import graph

    monkeypatch.setattr(graph, "MOST_BYTES", 1000)
    recording = record(network(seed), inputs(seed))
    assert recording.table.folder is not None
    assert recording.table.held <= 1000
    assert locate_graphs(recording, disguised(network(seed)), inputs(seed)).passed
    planted = FAULTS["one weight element"]
    mutant = with_fault(network(seed), planted.node, planted.fault)
    origins = locate_graphs(recording, mutant, inputs(seed)).origins
    assert [node.node for node in origins] == [planted.node]


def test_values_for_which_there_is_no_room_are_an_error_that_says_so(seed, monkeypatch):
    """A map of a file on a full disk would kill the process when it is written."""
    from verify.locate import graph

    def full(descriptor: int, offset: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(graph, "MOST_BYTES", 1000)
    monkeypatch.setattr(graph.os, "posix_fallocate", full, raising=False)
    with pytest.raises(OutputError, match="do not fit in memory nor in .*No space left") as caught:
        record(network(seed), inputs(seed))
    assert "TMPDIR" in (caught.value.hint or "")

"""The weight proof: what is right is proved bit by bit, what is planted is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from verify.proof import prove
from verify.proof.held import Holding, Weight, read, weight_of, write
from verify.proof.placement import fingerprint, place
from verify.report.proof import Match, WeightMatch

Arrays = dict[str, np.ndarray]


@pytest.fixture
def arrays(generator: np.random.Generator) -> Arrays:
    """Return the weights of a network: two square matrices, convolutions, a normalisation."""

    def normal(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape).astype(np.float32)

    return {
        "conv.weight": normal(8, 3, 3, 3),
        "conv.bias": normal(8),
        "norm.weight": normal(8),
        "norm.bias": normal(8),
        "norm.running_mean": normal(8),
        "norm.running_var": np.abs(normal(8)) + 0.5,
        "norm.num_batches_tracked": np.array(0, np.int64),
        "first.weight": normal(6, 6),
        "first.bias": normal(6),
        "second.weight": normal(6, 6),
        "second.bias": np.zeros(6, np.float32),
        "head.weight": normal(4, 6),
        "scale": np.array(0.5, np.float32),
    }


def holding(arrays: Arrays, permutations: dict | None = None) -> Holding:
    """Return a side that holds arrays; what is not trained is a buffer."""
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    weights = {
        name: weight_of(name, array, "buffer" if name.endswith(buffers) else "parameter")
        for name, array in arrays.items()
    }
    return Holding(weights, permutations)


LAYOUT = {"conv.weight": (2, 3, 1, 0), "first.weight": (1, 0), "head.weight": (1, 0)}


def recorded(arrays: Arrays) -> Holding:
    """Return a target as Equiport stores it, with its record."""
    stored = {name: a.transpose(LAYOUT.get(name, range(a.ndim))) for name, a in arrays.items()}
    return holding({name: np.array(a, order="C") for name, a in stored.items()}, LAYOUT)


def anonymous(arrays: Arrays) -> Holding:
    """Return a target of another tool: matrices transposed, names lost, no record."""
    stored = {
        f"tensor_{index}": np.array(a.transpose(LAYOUT.get(name, range(a.ndim))), order="C")
        for index, (name, a) in enumerate(arrays.items())
    }
    weights = {name: weight_of(name, a) for name, a in stored.items()}
    return Holding(weights)


def matches(a: Holding, b: Holding) -> dict[str, WeightMatch]:
    return {item.name: item for item in prove(a, b).report.weights}


def test_a_recorded_target_is_proved(arrays: Arrays) -> None:
    proof = prove(holding(arrays), recorded(arrays)).report
    assert proof.passed
    assert not proof.extra
    assert not proof.note
    for item in proof.weights:
        wanted = Match.PERMUTED if item.name in LAYOUT else Match.SAME
        assert (item.match, item.permutation) == (wanted, LAYOUT.get(item.name)), item


def last_bit(arrays: Arrays) -> None:
    arrays["first.weight"].view(np.uint32)[3, 4] ^= 1


def transposed_square(arrays: Arrays) -> None:
    arrays["second.weight"] = np.ascontiguousarray(arrays["second.weight"].T)


def swapped(arrays: Arrays) -> None:
    one, two = arrays["first.weight"], arrays["second.weight"]
    arrays["first.weight"], arrays["second.weight"] = two, one


def no_bias(arrays: Arrays) -> None:
    del arrays["first.bias"]


def zero_bias(arrays: Arrays) -> None:
    arrays["first.bias"] = np.zeros_like(arrays["first.bias"])


def stale_statistics(arrays: Arrays) -> None:
    arrays["norm.running_mean"] = arrays["norm.running_mean"] * np.float32(0.9)


def rounded(arrays: Arrays) -> None:
    arrays["head.weight"] = arrays["head.weight"].astype(np.float16).astype(np.float32)


def halved(arrays: Arrays) -> None:
    arrays["head.weight"] = arrays["head.weight"].astype(np.float16)


def scalar(arrays: Arrays) -> None:
    arrays["scale"] = np.nextafter(arrays["scale"], np.float32(1))


FAULTS = {
    last_bit: {"first.weight": "1 of 36 elements differ; first at [3,4]".replace(",", ", ")},
    transposed_square: {"second.weight": "it matches if transposed (1,0)"},
    swapped: {
        "first.weight": "the values of second.weight",
        "second.weight": "the values of first.weight",
    },
    no_bias: {"first.bias": "the target has no weight of this name"},
    zero_bias: {"first.bias": "these are the values of second.bias"},
    stale_statistics: {"norm.running_mean": "8 of 8 elements differ"},
    rounded: {"head.weight": "rounded to float16"},
    halved: {"head.weight": "dtype float16 instead of float32"},
    scalar: {"scale": "1 of 1 elements differ"},
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_in_a_recorded_target_is_named(fault, arrays: Arrays) -> None:
    spoilt = {name: array.copy() for name, array in arrays.items()}
    fault(spoilt)
    proof = prove(holding(arrays), recorded(spoilt)).report
    assert not proof.passed
    failed = {item.name: item.reason for item in proof.weights if item.match.failed}
    assert set(failed) == set(FAULTS[fault])
    for name, words in FAULTS[fault].items():
        assert words in failed[name]


NAMED = {last_bit, transposed_square, swapped, zero_bias, stale_statistics, rounded}


@pytest.mark.parametrize("fault", NAMED, ids=lambda fault: fault.__name__)
def test_a_target_that_kept_the_names_is_disproved_by_them(fault, arrays: Arrays) -> None:
    spoilt = {name: array.copy() for name, array in arrays.items()}
    fault(spoilt)
    failed = {
        name for name, item in matches(holding(arrays), holding(spoilt)).items()
        if item.match.failed
    }  # fmt: skip
    assert failed == set(FAULTS[fault])


def test_without_names_weights_are_found_by_their_bits(arrays: Arrays) -> None:
    proof = prove(holding(arrays), anonymous(arrays))
    assert proof.report.passed
    assert "no record" in proof.report.note
    target = {name: w.bits for name, w in anonymous(arrays).weights.items()}
    for item in proof.report.weights:
        wanted = Match.PERMUTED if item.name in LAYOUT else Match.SAME
        assert (item.match, item.permutation or LAYOUT.get(item.name)) == (
            wanted,
            LAYOUT.get(item.name),
        )
        found = proof.found[item.name].read(target)
        np.testing.assert_array_equal(found, arrays[item.name])


def test_without_names_a_spoilt_copy_is_recognised_and_a_lost_weight_is_not_held_against_it(
    arrays: Arrays,
) -> None:
    spoilt = {name: array.copy() for name, array in arrays.items()}
    last_bit(spoilt)
    no_bias(spoilt)
    found = matches(holding(arrays), anonymous(spoilt))
    assert found["first.weight"].match is Match.DIFFERENT
    assert "1 of 36 elements differ; first at [3, 4]" in found["first.weight"].reason
    assert found["first.bias"].match is Match.UNKNOWN
    del spoilt["first.weight"]
    proof = prove(holding(arrays), anonymous(spoilt)).report
    assert proof.passed
    assert "2 of 13" in proof.note


def test_values_stored_in_half_precision_are_a_cast(arrays: Arrays) -> None:
    half = {name: a.astype(np.float16) if a.ndim > 1 else a for name, a in arrays.items()}
    found = matches(holding(arrays), anonymous(half))
    assert all(
        (item.match is Match.CAST) == (arrays[name].ndim > 1) for name, item in found.items()
    )
    assert "stored as float16" in found["conv.weight"].reason
    wider = {name: a.astype(np.float32) for name, a in half.items() if a.dtype == np.float16}
    widened = matches(holding({n: half[n] for n in wider}), holding(wider, {}))
    assert {item.match for item in widened.values()} == {Match.CAST}


def test_gates_are_found_in_another_order_and_side_by_side(generator: np.random.Generator) -> None:
    i, f, g, o = generator.standard_normal((4, 5, 3)).astype(np.float32)
    r, s, t, u = generator.standard_normal((4, 5, 3)).astype(np.float32)
    source = {
        "lstm.weight": np.concatenate([i, f, g, o]),
        "lstm.back": np.concatenate([r, s, t, u]),
    }
    stacked = np.stack([np.concatenate([i, o, f, g]), np.concatenate([r, u, s, t])])  # ONNX's way
    proof = prove(holding(source), Holding({"W": weight_of("W", stacked)}))
    assert {item.match for item in proof.report.weights} == {Match.FOLDED}, proof.report
    for name, array in source.items():
        np.testing.assert_array_equal(proof.found[name].read({"W": stacked}), array)
    keras = np.ascontiguousarray(np.concatenate([i, f, g, o]).T)
    one = {"lstm.weight": source["lstm.weight"]}
    assert matches(holding(one), Holding({"k": weight_of("k", keras)}))["lstm.weight"].match is (
        Match.PERMUTED
    )
    stacked[1, 0, 0] += 1
    spoilt = matches(holding(source), Holding({"W": weight_of("W", stacked)}))
    assert spoilt["lstm.back"].match is Match.UNKNOWN
    assert spoilt["lstm.weight"].match is Match.FOLDED


def test_a_folded_normalisation_is_done_again(arrays: Arrays) -> None:
    import onnx
    import onnx_ir as ir
    from onnx import TensorProto, helper

    names = ("weight", "bias", "running_mean", "running_var")
    nodes = [
        helper.make_node("Conv", ["x", "conv.weight", "conv.bias"], ["c"], name="conv"),
        helper.make_node(
            "BatchNormalization", ["c", *(f"norm.{n}" for n in names)], ["y"], epsilon=1e-3
        ),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", None, None, None])
        for name in "xy"
    ]
    tensors = [onnx.numpy_helper.from_array(arrays[name], name) for name in arrays]
    graph = ir.serde.deserialize_model(
        helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors))
    )
    source = {n: a for n, a in arrays.items() if n.startswith(("conv", "norm")) and a.size > 1}
    gamma, beta, mean, variance = (arrays[f"norm.{name}"] for name in names)
    factor = gamma / np.sqrt(variance + np.float32(1e-3))
    kernel = (arrays["conv.weight"] * factor[:, None, None, None]).transpose(2, 3, 1, 0)
    folded = {
        "k": weight_of("k", np.ascontiguousarray(kernel)),
        "b": weight_of("b", (arrays["conv.bias"] - mean) * factor + beta),
    }
    found = prove(holding(source), Holding(folded), lambda: graph).report
    assert {item.match for item in found.weights} == {Match.FOLDED}, found
    stale = {**source, "norm.running_mean": source["norm.running_mean"] * np.float32(1.01)}
    found = prove(holding(stale), Holding(folded), lambda: graph).report
    unknown = {item.name for item in found.weights if item.match is Match.UNKNOWN}
    assert unknown == {"conv.bias", "norm.bias", "norm.running_mean"}


def test_a_record_of_the_way_back_is_not_taken_for_one_of_the_whole_way(
    generator: np.random.Generator,
) -> None:
    arrays = {f"{n}.weight": generator.standard_normal((3, 4)) for n in ("conv", "first", "head")}
    turned = {name: array.T for name, array in arrays.items()}
    back = holding(turned, {})  # as the way back found them, which was not how they were at first
    source = holding(arrays)
    assert not prove(source, back).report.passed
    source.framework = back.framework = "torch"
    back.made_from = "tensorflow"
    assert prove(source, back).report.passed
    spoilt = dict(turned, **{"head.weight": np.nextafter(turned["head.weight"], 9)})
    back = replace(holding(spoilt, {}), framework="torch", made_from="tensorflow")
    found = {item.name: item.match for item in prove(source, back).report.weights}
    assert found["head.weight"] not in (Match.SAME, Match.PERMUTED)
    assert found["conv.weight"] is Match.PERMUTED


def test_weights_cross_in_one_file(tmp_path: Path, generator: np.random.Generator) -> None:
    import ml_dtypes

    weights = {
        "half": weight_of("half", generator.standard_normal(3).astype(ml_dtypes.bfloat16)),
        "view": weight_of("view", generator.standard_normal((3, 5)).T, "parameter", ("tied",)),
        "none": weight_of("none", np.zeros((0, 4), np.float32)),
        "one": Weight("one", np.array(7, np.int64), "int64", "buffer"),
    }
    told = Holding(weights, {"view": (1, 0)}, "a note", "torch", "onnx")
    back = read(write(told, tmp_path / "w"))
    assert (back.framework, back.made_from) == ("torch", "onnx")
    assert back.permutations == {"view": (1, 0)}
    assert back.note == "a note"
    for name, weight in weights.items():
        other = back.weights[name]
        np.testing.assert_array_equal(other.bits, weight.bits)
        assert (other.dtype, other.role, other.aliases) == (
            weight.dtype,
            weight.role,
            weight.aliases,
        )


def test_placement_reads_what_it_finds(generator: np.random.Generator) -> None:
    source = generator.standard_normal((6, 1, 4, 5)).astype(np.float32)
    targets = [
        source.transpose(2, 3, 1, 0),
        source.reshape(2, 3, 4, 5).transpose(2, 3, 1, 0),
        source.reshape(6, 20).T,
    ]
    for target in map(np.ascontiguousarray, targets):
        assert fingerprint(target) == fingerprint(source)
        found = place(source, target, "t")
        assert found is not None
        np.testing.assert_array_equal(found.read({"t": target}), source)
    shuffled = generator.permutation(source.reshape(-1)).reshape(source.shape)
    assert fingerprint(shuffled) == fingerprint(source)
    assert place(source, shuffled, "t") is None


def test_a_record_of_how_a_itself_came_to_be_does_not_hide_what_became_of_it(
    arrays: Arrays,
) -> None:
    """There and back: b's record starts from a as it is stored, not from what a was made of."""
    there = recorded(arrays)
    order = {"conv.weight": (3, 2, 0, 1), "first.weight": (1, 0)}
    held = {name: weight.bits for name, weight in there.weights.items()}
    stored = {name: a.transpose(order.get(name, range(a.ndim))) for name, a in held.items()}
    back = holding({name: np.array(a, order="C") for name, a in stored.items()}, order)
    assert prove(there, back).report.passed
    assert prove(there, recorded(arrays)).report.passed  # two results of one source
    spoilt = {name: np.array(a, order="C") for name, a in stored.items()}
    spoilt["first.weight"] = spoilt["first.weight"].T.copy()
    proof = prove(there, holding(spoilt, order)).report
    assert [item.name for item in proof.weights if item.match.failed] == ["first.weight"]

"""Samples of the operators of `ai.onnx.ml`, for both frameworks, judged by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.conformance.samples import Sample

DOMAIN = "ai.onnx.ml"
Draw = np.random.Generator


def ml(op: str, *inputs: np.ndarray, outputs: int = 1, version: int = 3, **attributes) -> Sample:
    return Sample(op, inputs, attributes, domain=DOMAIN, version=version, outputs=outputs)


def real(rng: Draw, *shape: int) -> np.ndarray:
    return rng.normal(size=shape).astype(np.float32)


def words(rng: Draw, *shape: int) -> np.ndarray:
    return rng.choice(["ant", "bee", "cow", "dog"], shape).astype(object)


def floats(array: np.ndarray) -> list[float]:
    return array.astype(float).ravel().tolist()


def linear_classifier(classes: int, rows: int, post_transform: str, strings: bool) -> Callable:
    def sample(rng: Draw) -> Sample:
        names = ["ant", "bee", "cow", "dog"][:classes]
        labels = (
            {"classlabels_strings": names}
            if strings
            else {"classlabels_ints": [7, 3, 5, 1][:classes]}
        )
        return ml(
            "LinearClassifier",
            real(rng, 6, 4),
            outputs=2,
            coefficients=floats(real(rng, rows, 4)),
            intercepts=floats(real(rng, rows)),
            post_transform=post_transform,
            **labels,
        )

    return sample


def linear_regressor(rng: Draw) -> Sample:
    coefficients, intercepts = floats(real(rng, 2, 4)), floats(real(rng, 2))
    x = real(rng, 6, 4)
    return ml("LinearRegressor", x, coefficients=coefficients, intercepts=intercepts, targets=2)


def svm_regressor(kernel: str) -> Callable:
    def sample(rng: Draw) -> Sample:
        attributes: dict[str, Any] = {
            "coefficients": floats(real(rng, 3)),
            "kernel_params": [0.3, 0.2, 2.0],
            "kernel_type": kernel,
            "n_supports": 3,
            "rho": [0.4],
            "support_vectors": floats(real(rng, 3, 4)),
        }
        return ml("SVMRegressor", real(rng, 6, 4), **attributes)

    return sample


def svm_classifier(classes: int, probabilities: bool) -> Callable:
    def sample(rng: Draw) -> Sample:
        duels = classes * (classes - 1) // 2
        attributes: dict[str, Any] = {
            "classlabels_ints": list(range(classes)),
            "coefficients": floats(real(rng, classes - 1, 2 * classes)),
            "kernel_params": [0.3, 0.2, 3.0],
            "kernel_type": "RBF",
            "rho": floats(real(rng, duels)),
            "support_vectors": floats(real(rng, 2 * classes, 4)),
            "vectors_per_class": [2] * classes,
        }
        if probabilities:
            attributes["prob_a"] = floats(-1 - rng.uniform(size=duels))
            attributes["prob_b"] = floats(0.1 * real(rng, duels))
        return ml("SVMClassifier", real(rng, 6, 4), outputs=2, **attributes)

    return sample


def trees(rng: Draw, count: int, depth: int, mode: str) -> dict[str, list]:
    """Return complete trees as the older operators write them."""
    nodes: dict[str, list] = {
        f"nodes_{name}": []
        for name in ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids")
    }
    nodes |= {"nodes_falsenodeids": [], "nodes_missing_value_tracks_true": []}
    inner, total = 2**depth - 1, 2 ** (depth + 1) - 1
    for tree in range(count):
        for node in range(total):
            leaf = node >= inner
            nodes["nodes_treeids"].append(tree)
            nodes["nodes_nodeids"].append(node)
            nodes["nodes_featureids"].append(0 if leaf else int(rng.integers(4)))
            nodes["nodes_modes"].append("LEAF" if leaf else mode)
            nodes["nodes_values"].append(0.0 if leaf else float(np.float32(rng.normal())))
            nodes["nodes_truenodeids"].append(0 if leaf else 2 * node + 1)
            nodes["nodes_falsenodeids"].append(0 if leaf else 2 * node + 2)
            nodes["nodes_missing_value_tracks_true"].append(0 if leaf else int(rng.integers(2)))
    return nodes


def leaves(count: int, depth: int) -> tuple[list[int], list[int]]:
    own = range(2**depth - 1, 2 ** (depth + 1) - 1)
    return [tree for tree in range(count) for _ in own], [
        node for _ in range(count) for node in own
    ]


def with_missing(rng: Draw) -> np.ndarray:
    x = real(rng, 20, 4)
    x[rng.integers(20, size=4), rng.integers(4, size=4)] = np.nan
    return x


def tree_regressor(aggregate: str, mode: str = "BRANCH_LEQ") -> Callable:
    def sample(rng: Draw) -> Sample:
        tree_ids, node_ids = leaves(3, 2)
        return ml(
            "TreeEnsembleRegressor",
            with_missing(rng),
            n_targets=2,
            aggregate_function=aggregate,
            base_values=[0.5, -0.25],
            target_treeids=tree_ids * 2,
            target_nodeids=node_ids * 2,
            target_ids=[0] * len(tree_ids) + [1] * len(tree_ids),
            target_weights=floats(real(rng, 2 * len(tree_ids))),
            **trees(rng, 3, 2, mode),
        )

    return sample


def tree_classifier(classes: int, post_transform: str, least: float = 0.0) -> Callable:
    def sample(rng: Draw) -> Sample:
        tree_ids, node_ids = leaves(3, 2)
        each = [c for c in range(classes) for _ in tree_ids] if classes > 2 else [0] * len(tree_ids)
        weights = rng.uniform(least, 0.3, len(each))
        return ml(
            "TreeEnsembleClassifier",
            with_missing(rng),
            outputs=2,
            post_transform=post_transform,
            classlabels_int64s=list(range(classes)),
            class_ids=each,
            class_treeids=tree_ids * (len(each) // len(tree_ids)),
            class_nodeids=node_ids * (len(each) // len(tree_ids)),
            class_weights=floats(weights),
            **trees(rng, 3, 2, "BRANCH_LT"),
        )

    return sample


def label_encoder(keys: str, values: str) -> Callable:
    tables = {
        "strings": ["ant", "bee", "cow"],
        "int64s": [3, 1, 2],
        "floats": [0.5, float("nan"), 1.5],
    }
    defaults = {"strings": ("string", "?"), "int64s": ("int64", -7), "floats": ("float", -0.5)}

    def sample(rng: Draw) -> Sample:
        x = {
            "strings": words(rng, 3, 4),
            "int64s": rng.integers(0, 5, (3, 4)),
            "floats": rng.choice([0.5, np.nan, 1.5, 2.5], (3, 4)).astype(np.float32),
        }[keys]
        kind, default = defaults[values]
        given = [1.25, 2.5, -1.0] if values == "floats" else tables[values]
        attributes = {f"keys_{keys}": tables[keys], f"values_{values}": given}
        # From version 4 on NaN is a key like any other.
        return ml("LabelEncoder", x, version=4, **attributes, **{f"default_{kind}": default})

    return sample


SAMPLES: dict[str, Callable[[Draw], Sample]] = {
    "ArrayFeatureExtractor": lambda r: ml(
        "ArrayFeatureExtractor", real(r, 3, 5), np.array([[4, 0, 2]])
    ),
    "Binarizer": lambda r: ml("Binarizer", real(r, 3, 4), threshold=0.25),
    "CategoryMapper_strings": lambda r: ml(
        "CategoryMapper", words(r, 3, 2), cats_int64s=[4, 9], cats_strings=["bee", "cow"]
    ),
    "CategoryMapper_integers": lambda r: ml(
        "CategoryMapper", r.integers(0, 4, (3, 2)), cats_int64s=[1, 2], cats_strings=["bee", "cow"]
    ),
    "FeatureVectorizer": lambda r: ml(
        "FeatureVectorizer", real(r, 3, 2), real(r, 3, 3), inputdimensions=[2, 3]
    ),
    "Imputer": lambda r: ml(
        "Imputer",
        np.where(r.uniform(size=(4, 3)) < 0.4, np.nan, 1.5).astype(np.float32),
        imputed_value_floats=[1.0, 2.0, 3.0],
        replaced_value_float=float("nan"),
    ),
    "Imputer_integers": lambda r: ml(
        "Imputer", r.integers(0, 3, (4, 3)), imputed_value_int64s=[9], replaced_value_int64=1
    ),
    "LabelEncoder_1": lambda r: ml(
        "LabelEncoder", words(r, 5), version=1, classes_strings=["bee", "cow"], default_int64=-3
    ),
    **{
        f"LabelEncoder_{k}_{v}": label_encoder(k, v)
        for k, v in (
            ("strings", "int64s"),
            ("int64s", "strings"),
            ("int64s", "floats"),
            ("floats", "int64s"),
            ("strings", "strings"),
            ("floats", "floats"),
        )
    },
    "LinearClassifier": linear_classifier(3, 3, "SOFTMAX", strings=False),
    "LinearClassifier_strings": linear_classifier(4, 4, "LOGISTIC", strings=True),
    "LinearClassifier_plain": linear_classifier(3, 3, "NONE", strings=False),
    "LinearClassifier_zero": linear_classifier(3, 3, "SOFTMAX_ZERO", strings=False),
    "LinearRegressor": linear_regressor,
    "Normalizer_L1": lambda r: ml("Normalizer", real(r, 3, 4), norm="L1"),
    "Normalizer_L2": lambda r: ml("Normalizer", real(r, 3, 4), norm="L2"),
    # Of negative numbers the runtime takes the largest, the reference the largest absolute value.
    "Normalizer_MAX": lambda r: ml("Normalizer", abs(real(r, 3, 4)), norm="MAX"),
    "OneHotEncoder": lambda r: ml("OneHotEncoder", r.integers(0, 5, (2, 3)), cats_int64s=[4, 0, 2]),
    "OneHotEncoder_strings": lambda r: ml(
        "OneHotEncoder", words(r, 4), cats_strings=["bee", "ant"]
    ),
    "Scaler": lambda r: ml("Scaler", real(r, 3, 2), offset=[0.5, -1.0], scale=[2.0, 0.25]),
    "Scaler_integers": lambda r: ml("Scaler", r.integers(0, 9, (3, 2)), offset=[1.0], scale=[0.5]),
    **{f"SVMRegressor_{k}": svm_regressor(k) for k in ("LINEAR", "POLY", "RBF", "SIGMOID")},
    "SVMClassifier": svm_classifier(3, probabilities=False),
    "SVMClassifier_probabilities": svm_classifier(3, probabilities=True),
    "SVMClassifier_two": svm_classifier(2, probabilities=True),
    **{f"TreeEnsembleRegressor_{a}": tree_regressor(a) for a in ("SUM", "AVERAGE", "MIN", "MAX")},
    "TreeEnsembleRegressor_GT": tree_regressor("SUM", "BRANCH_GT"),
    "TreeEnsembleClassifier": tree_classifier(3, "SOFTMAX"),
    "TreeEnsembleClassifier_two": tree_classifier(2, "LOGISTIC"),
    "TreeEnsembleClassifier_signed": tree_classifier(2, "LOGISTIC", least=-0.3),
    "TreeEnsembleClassifier_signed_plain": tree_classifier(2, "NONE", least=-0.3),
    "TreeEnsembleClassifier_plain": tree_classifier(2, "NONE"),
}

"""Handlers of the domain `ai.onnx.ml`: ensembles of decision trees."""

from __future__ import annotations

import numpy as np
import torch

from converter.rebuild.forest import (
    AGGREGATE,
    LEAF,
    MEMBER,
    MODES,
    POST,
    either,
    forest_of,
    older_forest_of,
)
from converter.rebuild.pytorch.table import op
from converter.rebuild.pytorch.traditionalml import DOMAIN, labelled, real, transformed

_COMPARE = {
    "BRANCH_LEQ": torch.le,
    "BRANCH_LT": torch.lt,
    "BRANCH_GTE": torch.ge,
    "BRANCH_GT": torch.gt,
    "BRANCH_EQ": torch.eq,
    "BRANCH_NEQ": torch.ne,
}


def reached(forest, x):
    """Return which leaf each row of ``x`` reaches in each tree, ``[rows, trees]``."""
    table = {
        name: torch.from_numpy(getattr(forest, name)).to(x.device)
        for name in ("feature", "mode", "when_true", "when_false", "missing", "leaf")
    }
    split, members = (torch.from_numpy(a).to(x) for a in (forest.split, forest.members))
    node = torch.from_numpy(forest.roots).to(x.device).expand(x.shape[0], -1)
    for _ in range(forest.depth):
        value = x.gather(1, table["feature"][node])
        goes = _tests(forest, value, split[node], table["mode"][node], members, node)
        goes = torch.where(value.isnan(), table["missing"][node], goes)
        node = torch.where(goes, table["when_true"][node], table["when_false"][node])
    return table["leaf"][node]


def _tests(forest, value, split, mode, members, node):
    result = torch.zeros_like(value, dtype=torch.bool)
    for kind in np.unique(forest.mode).tolist():
        if kind == MEMBER:
            passed = (value[..., None] == members[node]).any(-1)
        elif kind == LEAF:
            continue
        else:
            passed = _COMPARE[MODES[kind]](value, split)
        result = torch.where(mode == kind, passed, result)
    return result


def _aggregated(leaves, weights, present, aggregate):
    """Combine the leaves' weights ``[leaves, targets]`` over the trees."""
    picked = weights[leaves]
    if aggregate == "SUM":
        return picked.sum(1)
    if aggregate == "AVERAGE":
        return picked.mean(1)
    if aggregate not in ("MIN", "MAX"):
        raise NotImplementedError(f"aggregate_function={aggregate!r}")
    lowest = aggregate == "MIN"
    limit = torch.finfo(weights.dtype).max
    open_ = torch.where(present[leaves], picked, limit if lowest else -limit)
    return open_.amin(1) if lowest else open_.amax(1)


# ------------------------------------------------------------------ TreeEnsemble


@op("TreeEnsemble", since=5, domain=DOMAIN)
def tree_ensemble(
    X,
    *,
    aggregate_function=1,
    leaf_targetids,
    leaf_weights,
    membership_values=None,
    n_targets,
    nodes_falseleafs,
    nodes_falsenodeids,
    nodes_featureids,
    nodes_hitrates=None,
    nodes_missing_value_tracks_true=None,
    nodes_modes,
    nodes_splits,
    nodes_trueleafs,
    nodes_truenodeids,
    post_transform=0,
    tree_roots,
):
    forest = forest_of(
        nodes_featureids,
        tuple(nodes_modes.tolist()),
        tuple(nodes_splits.tolist()),
        nodes_truenodeids,
        nodes_falsenodeids,
        nodes_trueleafs,
        nodes_falseleafs,
        nodes_missing_value_tracks_true,
        None if membership_values is None else tuple(membership_values.tolist()),
        tree_roots,
        len(leaf_targetids),
    )
    x = X if X.is_floating_point() and X.dtype != torch.float16 else X.float()
    weights = x.new_zeros(len(leaf_targetids), n_targets)
    place = (torch.arange(len(leaf_targetids)), torch.tensor(leaf_targetids))
    weights = weights.index_put(place, torch.from_numpy(leaf_weights).to(x))
    present = torch.zeros_like(weights, dtype=torch.bool).index_put(place, torch.tensor(True))
    result = _aggregated(reached(forest, x), weights, present, AGGREGATE[aggregate_function])
    return transformed(result, POST[post_transform]).to(X.dtype)


# ------------------------------------------------------------------ the older operators


def _weights(x, place, count, trees, nodes, targets, values, width):
    """Return every node's weights ``[nodes, targets]`` and which of them are given."""
    rows = torch.tensor([place[key] for key in zip(trees, nodes, strict=True)])
    index = (rows, torch.tensor(targets))
    weights = x.new_zeros(count, width).index_put(index, x.new_tensor(values), accumulate=True)
    present = torch.zeros_like(weights, dtype=torch.bool).index_put(index, torch.tensor(True))
    return weights, present


@op("TreeEnsembleRegressor", since=1, domain=DOMAIN)
def tree_ensemble_regressor(
    X,
    *,
    aggregate_function="SUM",
    base_values=None,
    base_values_as_tensor=None,
    n_targets,
    nodes_falsenodeids,
    nodes_featureids,
    nodes_hitrates=None,
    nodes_hitrates_as_tensor=None,
    nodes_missing_value_tracks_true=None,
    nodes_modes,
    nodes_nodeids,
    nodes_treeids,
    nodes_truenodeids,
    nodes_values=None,
    nodes_values_as_tensor=None,
    post_transform="NONE",
    target_ids,
    target_nodeids,
    target_treeids,
    target_weights=None,
    target_weights_as_tensor=None,
):
    x = real(X)
    place, forest = older_forest_of(
        nodes_treeids,
        nodes_nodeids,
        nodes_featureids,
        nodes_modes,
        either(nodes_values, nodes_values_as_tensor),
        nodes_truenodeids,
        nodes_falsenodeids,
        nodes_missing_value_tracks_true,
    )
    values = either(target_weights, target_weights_as_tensor)
    weights, present = _weights(
        x, place, len(nodes_modes), target_treeids, target_nodeids, target_ids, values, n_targets
    )
    result = _aggregated(reached(forest, x), weights, present, aggregate_function)
    base = either(base_values, base_values_as_tensor)
    result = result if base is None else result + x.new_tensor(base)
    return transformed(result, post_transform).float()


@op("TreeEnsembleClassifier", since=1, domain=DOMAIN)
def tree_ensemble_classifier(
    X,
    *,
    base_values=None,
    base_values_as_tensor=None,
    class_ids,
    class_nodeids,
    class_treeids,
    class_weights=None,
    class_weights_as_tensor=None,
    classlabels_int64s=None,
    classlabels_strings=None,
    nodes_falsenodeids,
    nodes_featureids,
    nodes_hitrates=None,
    nodes_hitrates_as_tensor=None,
    nodes_missing_value_tracks_true=None,
    nodes_modes,
    nodes_nodeids,
    nodes_treeids,
    nodes_truenodeids,
    nodes_values=None,
    nodes_values_as_tensor=None,
    post_transform="NONE",
):
    x = real(X)
    labels = classlabels_strings or classlabels_int64s
    place, forest = older_forest_of(
        nodes_treeids,
        nodes_nodeids,
        nodes_featureids,
        nodes_modes,
        either(nodes_values, nodes_values_as_tensor),
        nodes_truenodeids,
        nodes_falsenodeids,
        nodes_missing_value_tracks_true,
    )
    values = either(class_weights, class_weights_as_tensor)
    weights, present = _weights(
        x, place, len(nodes_modes), class_treeids, class_nodeids, class_ids, values, len(labels)
    )
    scores = _aggregated(reached(forest, x), weights, present, "SUM")
    base = either(base_values, base_values_as_tensor)
    scores = scores if base is None else scores + x.new_tensor(base)
    if len(set(class_ids)) > 1:
        scores = transformed(scores, post_transform)
        places = scores.argmax(1)
    else:  # one score for two classes; as ONNX Runtime reads it, a probability if it cannot be < 0
        positive = scores[:, class_ids[0] if len(labels) > 1 else 0]
        probable = min(values) >= 0
        places = (positive > (0.5 if probable else 0)).long()
        negative = 1 - positive if probable and post_transform == "NONE" else -positive
        scores = transformed(torch.stack((negative, positive), 1), post_transform)
    if len(labels) == 1:
        labels = ("", labels[0]) if classlabels_strings else (0, labels[0])
    return labelled(places, labels, labels if classlabels_strings else None), scores.float()

"""Handlers of the domain `ai.onnx.ml`: ensembles of decision trees.

All rows go down all trees side by side, one level at a time; a leaf leads to itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

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
_MODES = (*_COMPARE, "BRANCH_MEMBER", "LEAF")
_MEMBER, _LEAF = _MODES.index("BRANCH_MEMBER"), _MODES.index("LEAF")
_POST = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
_AGGREGATE = ("AVERAGE", "SUM", "MIN", "MAX")


@dataclass(frozen=True)
class Forest:
    """Nodes of all trees, leaves included, as columns.

    Attributes:
        depth: longest way from a root to a leaf.
        members: values that a membership test accepts, a row for each node, filled up with NaN.
        leaf: row in the table of leaves.
    """

    roots: np.ndarray
    feature: np.ndarray
    mode: np.ndarray
    split: np.ndarray
    when_true: np.ndarray
    when_false: np.ndarray
    missing: np.ndarray
    members: np.ndarray
    leaf: np.ndarray
    depth: int

    def leaves(self, x):
        """Return which leaf each row of ``x`` reaches in each tree, ``[rows, trees]``."""
        table = {
            name: torch.from_numpy(getattr(self, name)).to(x.device)
            for name in ("feature", "mode", "when_true", "when_false", "missing", "leaf")
        }
        split, members = (torch.from_numpy(a).to(x) for a in (self.split, self.members))
        node = torch.from_numpy(self.roots).to(x.device).expand(x.shape[0], -1)
        for _ in range(self.depth):
            value = x.gather(1, table["feature"][node])
            goes = self._tests(value, split[node], table["mode"][node], members, node)
            goes = torch.where(value.isnan(), table["missing"][node], goes)
            node = torch.where(goes, table["when_true"][node], table["when_false"][node])
        return table["leaf"][node]

    def _tests(self, value, split, mode, members, node):
        result = torch.zeros_like(value, dtype=torch.bool)
        for kind in np.unique(self.mode).tolist():
            if kind == _MEMBER:
                passed = (value[..., None] == members[node]).any(-1)
            elif kind == _LEAF:
                continue
            else:
                passed = _COMPARE[_MODES[kind]](value, split)
            result = torch.where(mode == kind, passed, result)
        return result


def _depth(roots, when_true, when_false):
    depth, front = 0, np.unique(roots)
    while True:
        following = np.unique(np.concatenate((when_true[front], when_false[front])))
        following = following[(when_true[following] != following)]
        depth += 1
        if not len(following):
            return depth
        if depth > len(when_true):
            raise ValueError("a decision tree runs in a circle")
        front = following


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
    forest = _forest(
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
    result = _aggregated(forest.leaves(x), weights, present, _AGGREGATE[aggregate_function])
    return transformed(result, _POST[post_transform]).to(X.dtype)


@lru_cache(maxsize=32)
def _forest(
    features, modes, splits, trues, falses, true_leaf, false_leaf, missing, members, roots, leaves
):
    """Put the leaves behind the nodes."""
    count = len(features)
    own = np.arange(count, count + leaves)
    when_true = np.array(trues) + count * np.array(true_leaf)
    when_false = np.array(falses) + count * np.array(false_leaf)
    when_true, when_false = np.concatenate((when_true, own)), np.concatenate((when_false, own))
    blank = np.zeros(leaves, dtype=np.int64)
    return Forest(
        roots=np.array(roots),
        feature=np.concatenate((features, blank)),
        mode=np.concatenate((modes, blank + _LEAF)),
        split=np.concatenate((splits, blank.astype(np.float64))),
        when_true=when_true,
        when_false=when_false,
        missing=np.concatenate((missing or (0,) * count, blank)).astype(bool),
        members=_member_table(modes, members, count + leaves),
        leaf=np.concatenate((np.zeros(count, dtype=np.int64), np.arange(leaves))),
        depth=_depth(np.array(roots), when_true, when_false),
    )


def _member_table(modes, members, count):
    """Return each node's set as a row; the sets stand one after the other, each ended by a NaN."""
    sets, current = [], []
    for value in members or ():
        if value == value:
            current.append(value)
        else:
            sets.append(current)
            current = []
    sets += [current] if current else []
    table = np.full((count, max(map(len, sets), default=1) or 1), np.nan)
    nodes = [i for i, mode in enumerate(modes) if mode == _MEMBER]
    for node, values in zip(nodes, sets, strict=True):
        table[node, : len(values)] = values
    return table


# ------------------------------------------------------------------ the older operators


@lru_cache(maxsize=32)
def _older_forest(trees, nodes, features, modes, values, trues, falses, missing):
    """Nodes name each other by tree and number; a tree's first node is its root."""
    place = {key: i for i, key in enumerate(zip(trees, nodes, strict=True))}
    kind = np.array([_MODES.index(mode) for mode in modes])
    own = np.arange(len(kind))
    inner = kind != _LEAF
    when_true, when_false = own.copy(), own.copy()
    for i in own[inner].tolist():
        when_true[i], when_false[i] = place[trees[i], trues[i]], place[trees[i], falses[i]]
    first = {tree: i for i, tree in reversed(list(enumerate(trees)))}
    roots = np.array([first[tree] for tree in sorted(first)])
    return place, Forest(
        roots=roots,
        feature=np.where(inner, np.array(features), 0),
        mode=kind,
        split=np.array(values, dtype=np.float64),
        when_true=when_true,
        when_false=when_false,
        missing=np.array(missing or (0,) * len(kind)).astype(bool),
        members=np.full((1, 1), np.nan),
        leaf=own,
        depth=_depth(roots, when_true, when_false),
    )


def _weights(x, place, count, trees, nodes, targets, values, width):
    """Return every node's weights ``[nodes, targets]`` and which of them are given."""
    rows = torch.tensor([place[key] for key in zip(trees, nodes, strict=True)])
    index = (rows, torch.tensor(targets))
    weights = x.new_zeros(count, width).index_put(index, x.new_tensor(values), accumulate=True)
    present = torch.zeros_like(weights, dtype=torch.bool).index_put(index, torch.tensor(True))
    return weights, present


def _either(numbers, tensor):
    return numbers if tensor is None else tuple(tensor.ravel().tolist())


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
    place, forest = _older_forest(
        nodes_treeids,
        nodes_nodeids,
        nodes_featureids,
        nodes_modes,
        _either(nodes_values, nodes_values_as_tensor),
        nodes_truenodeids,
        nodes_falsenodeids,
        nodes_missing_value_tracks_true,
    )
    values = _either(target_weights, target_weights_as_tensor)
    weights, present = _weights(
        x, place, len(nodes_modes), target_treeids, target_nodeids, target_ids, values, n_targets
    )
    result = _aggregated(forest.leaves(x), weights, present, aggregate_function)
    base = _either(base_values, base_values_as_tensor)
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
    place, forest = _older_forest(
        nodes_treeids,
        nodes_nodeids,
        nodes_featureids,
        nodes_modes,
        _either(nodes_values, nodes_values_as_tensor),
        nodes_truenodeids,
        nodes_falsenodeids,
        nodes_missing_value_tracks_true,
    )
    values = _either(class_weights, class_weights_as_tensor)
    weights, present = _weights(
        x, place, len(nodes_modes), class_treeids, class_nodeids, class_ids, values, len(labels)
    )
    scores = _aggregated(forest.leaves(x), weights, present, "SUM")
    base = _either(base_values, base_values_as_tensor)
    scores = scores if base is None else scores + x.new_tensor(base)
    if len(set(class_ids)) == 1:  # one weight for two classes
        positive = scores[:, -1:] if len(labels) == 1 else scores[:, class_ids[0]].unsqueeze(1)
        plain = post_transform in ("NONE", "PROBIT")
        scores = torch.cat((1 - positive if plain else -positive, positive), 1)
    scores = transformed(scores, post_transform)
    places = scores.argmax(1)
    if len(labels) == 1:
        labels = ("", labels[0]) if classlabels_strings else (0, labels[0])
    return labelled(places, labels, labels if classlabels_strings else None), scores.float()

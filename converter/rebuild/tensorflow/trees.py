"""Handlers of the domain `ai.onnx.ml`: ensembles of decision trees."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

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
from converter.rebuild.tensorflow.table import op
from converter.rebuild.tensorflow.traditionalml import DOMAIN, labelled, real, transformed

_COMPARE = {
    "BRANCH_LEQ": tf.less_equal,
    "BRANCH_LT": tf.less,
    "BRANCH_GTE": tf.greater_equal,
    "BRANCH_GT": tf.greater,
    "BRANCH_EQ": tf.equal,
    "BRANCH_NEQ": tf.not_equal,
}


def reached(forest, x):
    """Return which leaf each row of ``x`` reaches in each tree, ``[rows, trees]``."""
    split, members = (tf.constant(a, x.dtype) for a in (forest.split, forest.members))
    node = tf.zeros_like(x[:, :1], tf.int64) + tf.constant(forest.roots, tf.int64)
    for _ in range(forest.depth):
        value = tf.gather(x, tf.gather(forest.feature, node), batch_dims=1)
        goes = _tests(forest, value, tf.gather(split, node), members, node)
        goes = tf.where(tf.math.is_nan(value), tf.gather(forest.missing, node), goes)
        following = (tf.gather(forest.when_true, node), tf.gather(forest.when_false, node))
        node = tf.cast(tf.where(goes, *following), tf.int64)
    return tf.gather(forest.leaf, node)


def _tests(forest, value, split, members, node):
    result, mode = tf.zeros_like(value, tf.bool), tf.gather(forest.mode, node)
    for kind in np.unique(forest.mode).tolist():
        if kind == MEMBER:
            passed = tf.reduce_any(value[..., None] == tf.gather(members, node), -1)
        elif kind == LEAF:
            continue
        else:
            passed = _COMPARE[MODES[kind]](value, split)
        result = tf.where(mode == kind, passed, result)
    return result


def _aggregated(leaves, weights, present, aggregate):
    """Combine the leaves' weights ``[leaves, targets]`` over the trees."""
    picked = tf.gather(weights, leaves)
    if aggregate == "SUM":
        return tf.reduce_sum(picked, 1)
    if aggregate == "AVERAGE":
        return tf.reduce_mean(picked, 1)
    if aggregate not in ("MIN", "MAX"):
        raise NotImplementedError(f"aggregate_function={aggregate!r}")
    lowest = aggregate == "MIN"
    limit = tf.constant(weights.dtype.max if lowest else weights.dtype.min, weights.dtype)
    open_ = tf.where(tf.gather(present, leaves), picked, limit)
    return tf.reduce_min(open_, 1) if lowest else tf.reduce_max(open_, 1)


def _table(x, rows, columns, values, shape):
    """Return weights by leaf and target, and which of them are given."""
    weights, present = np.zeros(shape), np.zeros(shape, bool)
    np.add.at(weights, (rows, columns), values)
    present[rows, columns] = True
    return tf.constant(weights, x.dtype), tf.constant(present)


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
    x = X if X.dtype in (tf.float32, tf.float64) else tf.cast(X, tf.float32)
    count = len(leaf_targetids)
    weights, present = _table(
        x, np.arange(count), list(leaf_targetids), leaf_weights, (count, n_targets)
    )
    result = _aggregated(reached(forest, x), weights, present, AGGREGATE[aggregate_function])
    return tf.cast(transformed(result, POST[post_transform]), X.dtype)


# ------------------------------------------------------------------ the older operators


def _weights(x, place, count, trees, nodes, targets, values, width):
    """Return every node's weights ``[nodes, targets]`` and which of them are given."""
    rows = [place[key] for key in zip(trees, nodes, strict=True)]
    return _table(x, rows, list(targets), values, (count, width))


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
    result = result if base is None else result + tf.constant(base, x.dtype)
    return tf.cast(transformed(result, post_transform), tf.float32)


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
    scores = scores if base is None else scores + tf.constant(base, x.dtype)
    if len(set(class_ids)) > 1:
        scores = transformed(scores, post_transform)
        places = tf.argmax(scores, 1)
    else:  # one score for two classes; as ONNX Runtime reads it, a probability if it cannot be < 0
        positive = scores[:, class_ids[0] if len(labels) > 1 else 0]
        probable = min(values) >= 0
        places = tf.cast(positive > (0.5 if probable else 0), tf.int64)
        negative = 1 - positive if probable and post_transform == "NONE" else -positive
        scores = transformed(tf.stack([negative, positive], 1), post_transform)
    if len(labels) == 1:
        labels = ("", labels[0]) if classlabels_strings else (0, labels[0])
    chosen = labelled(places, labels, labels if classlabels_strings else None)
    return chosen, tf.cast(scores, tf.float32)

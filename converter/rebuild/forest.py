"""Decision trees as columns of nodes: the operators' attributes as tables, for both frameworks.

All rows go down all trees side by side, one level at a time; a leaf leads to itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

MODES = (
    "BRANCH_LEQ",
    "BRANCH_LT",
    "BRANCH_GTE",
    "BRANCH_GT",
    "BRANCH_EQ",
    "BRANCH_NEQ",
    "BRANCH_MEMBER",
    "LEAF",
)
MEMBER, LEAF = MODES.index("BRANCH_MEMBER"), MODES.index("LEAF")
POST = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
AGGREGATE = ("AVERAGE", "SUM", "MIN", "MAX")


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


@lru_cache(maxsize=32)
def forest_of(
    features, modes, splits, trues, falses, true_leaf, false_leaf, missing, members, roots, leaves
):
    """Read the attributes of `TreeEnsemble`: the leaves stand behind the nodes."""
    count = len(features)
    own = np.arange(count, count + leaves)
    when_true = np.array(trues) + count * np.array(true_leaf)
    when_false = np.array(falses) + count * np.array(false_leaf)
    when_true, when_false = np.concatenate((when_true, own)), np.concatenate((when_false, own))
    blank = np.zeros(leaves, dtype=np.int64)
    return Forest(
        roots=np.array(roots),
        feature=np.concatenate((features, blank)),
        mode=np.concatenate((modes, blank + LEAF)),
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
    nodes = [i for i, mode in enumerate(modes) if mode == MEMBER]
    for node, values in zip(nodes, sets, strict=True):
        table[node, : len(values)] = values
    return table


@lru_cache(maxsize=32)
def older_forest_of(trees, nodes, features, modes, values, trues, falses, missing):
    """Read the attributes of the older operators.

    Nodes name each other by tree and number; a tree's first node is its root.
    """
    place = {key: i for i, key in enumerate(zip(trees, nodes, strict=True))}
    kind = np.array([MODES.index(mode) for mode in modes])
    own = np.arange(len(kind))
    inner = kind != LEAF
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


def either(numbers, tensor):
    """Return the numbers of an attribute that may be given as a tensor instead."""
    return numbers if tensor is None else tuple(tensor.ravel().tolist())

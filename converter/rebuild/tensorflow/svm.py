"""Handlers of the domain `ai.onnx.ml`: support vector machines."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from converter.rebuild.tensorflow.table import op
from converter.rebuild.tensorflow.traditionalml import DOMAIN, labelled, real, transformed


def _kernel(x, vectors, kind, parameters):
    """Return the kernel between rows, ``[rows of x, rows of vectors]``."""
    gamma, offset, degree = parameters or (0.0, 0.0, 0.0)
    if kind == "RBF":
        distance = tf.reduce_sum(tf.square(x[:, None] - vectors), -1)
        return tf.exp(-gamma * distance)
    product = tf.matmul(x, vectors, transpose_b=True)
    if kind == "LINEAR":
        return product
    if kind == "POLY":
        return (gamma * product + offset) ** int(degree)
    if kind == "SIGMOID":
        return tf.tanh(gamma * product + offset)
    raise NotImplementedError(f"kernel_type={kind!r}")


@op("SVMRegressor", since=1, domain=DOMAIN)
def svm_regressor(
    X,
    *,
    coefficients,
    kernel_params=None,
    kernel_type="LINEAR",
    n_supports=0,
    one_class=0,
    post_transform="NONE",
    rho,
    support_vectors=None,
):
    x = real(X)
    weight = tf.constant(coefficients, x.dtype)
    if n_supports:
        vectors = tf.reshape(tf.constant(support_vectors, x.dtype), [n_supports, -1])
        kernel = _kernel(x, vectors, kernel_type, kernel_params)
        scores = tf.matmul(kernel, weight[:, None]) + rho[0]
    else:
        scores = _kernel(x, weight[None], kernel_type, kernel_params) + rho[0]
    if one_class:
        return tf.where(scores > 0, 1.0, -1.0)
    return tf.cast(transformed(scores, post_transform), tf.float32)


@op("SVMClassifier", since=1, domain=DOMAIN)
def svm_classifier(
    X,
    *,
    classlabels_ints=None,
    classlabels_strings=None,
    coefficients,
    kernel_params=None,
    kernel_type="LINEAR",
    post_transform="NONE",
    prob_a=None,
    prob_b=None,
    rho,
    support_vectors=None,
    vectors_per_class=None,
):
    """Vote between every two classes (or score linearly); probabilities by Platt's method."""
    x = real(X)
    weight = tf.constant(coefficients, x.dtype)
    classes = max(len(classlabels_ints or classlabels_strings or ()), 1)
    names = (classlabels_ints, classlabels_strings, post_transform)
    if not vectors_per_class:
        scores = tf.matmul(x, tf.reshape(weight, [classes, -1]), transpose_b=True) + rho[0]
        return _labels_and_scores(scores, scores, len(rho), *names)
    total = sum(vectors_per_class)
    vectors = tf.reshape(tf.constant(support_vectors, x.dtype), [total, -1])
    kernel = _kernel(x, vectors, kernel_type, kernel_params)
    scores, votes = _duels(kernel, tf.reshape(weight, [-1, total]), vectors_per_class, rho)
    if prob_a:
        scores = _probabilities(scores, classes, prob_a, prob_b)
    return _labels_and_scores(scores, votes, len(rho), *names)


def _duels(kernel, weight, sizes, rho):
    """Return the decision between every two classes and how many each class has won."""
    per_class, weights = tf.split(kernel, list(sizes), 1), tf.split(weight, list(sizes), 1)
    votes = [tf.zeros_like(kernel[:, 0]) for _ in sizes]
    scores = []
    for i in range(len(sizes)):
        for j in range(i + 1, len(sizes)):
            score = tf.linalg.matvec(per_class[i], weights[i][j - 1])
            score += tf.linalg.matvec(per_class[j], weights[j][i]) + rho[len(scores)]
            votes[i] += tf.cast(score > 0, score.dtype)
            votes[j] += tf.cast(score <= 0, score.dtype)
            scores.append(score)
    return tf.stack(scores, 1), tf.stack(votes, 1)


def _probabilities(scores, classes, prob_a, prob_b):
    """Couple the duels' probabilities (Wu, Lin and Weng 2004, second method, as in LIBSVM)."""
    a, b = tf.constant(prob_a, scores.dtype), tf.constant(prob_b, scores.dtype)
    won = tf.clip_by_value(1 - tf.sigmoid(scores * a + b), 1e-7, 1 - 1e-7)
    upper = np.stack(np.triu_indices(classes, 1), 1)
    places = np.concatenate([upper, upper[:, ::-1]])
    pairs = tf.transpose(tf.concat([won, 1 - won], 1))
    shape = [classes, classes, tf.shape(scores)[0]]
    r = tf.transpose(tf.scatter_nd(places, pairs, shape), [2, 0, 1])
    q = tf.linalg.set_diag(-tf.transpose(r, [0, 2, 1]) * r, tf.reduce_sum(tf.square(r), 1))
    p = tf.ones_like(r[:, 0]) / classes
    running = tf.ones_like(p[:, :1], tf.bool)

    def body(step, p, running):
        product = tf.linalg.matvec(q, p)
        expected = tf.reduce_sum(p * product, 1, keepdims=True)
        error = tf.reduce_max(tf.abs(product - expected), 1, keepdims=True)
        running &= error >= 0.005 / classes
        return step + 1, tf.where(running, _round_of_updates(p, q, product), p), running

    rounds = max(100, classes)
    state = (tf.constant(0), p, running)
    return tf.while_loop(lambda i, p, r: (i < rounds) & tf.reduce_any(r), body, state)[1]


def _round_of_updates(p, q, product):
    quadratic = tf.reduce_sum(p * product, 1)
    for t in range(p.shape[1]):
        step = (quadratic - product[:, t]) / q[:, t, t]
        grown = 1 + step
        moved = tf.one_hot(t, p.shape[1], dtype=p.dtype)
        quadratic = quadratic + step * (step * q[:, t, t] + 2 * product[:, t])
        quadratic = quadratic / grown**2
        product = (product + step[:, None] * q[:, t]) / grown[:, None]
        p = (p + step[:, None] * moved) / grown[:, None]
    return p


def _labels_and_scores(scores, votes, duels, integers, strings, post_transform):
    labels = strings or integers or tuple(range(votes.shape[1]))
    winner = tf.argmax(votes, 1)
    if duels == 1 and len(labels) != 2:  # one decision, no two labels: positive or negative
        winner, labels = tf.cast(tf.reduce_max(votes, 1) > 0, tf.int64), (0, 1)
    if scores.shape[1] == 1 and duels == 1 and len(labels) == 2:
        scores = tf.concat([-scores, scores], 1)
    chosen = labelled(winner, labels, labels if isinstance(labels[0], str) else None)
    return chosen, tf.cast(transformed(scores, post_transform), tf.float32)

"""Handlers of the domain `ai.onnx.ml`: support vector machines."""

from __future__ import annotations

import torch

from converter.rebuild.pytorch.table import op
from converter.rebuild.pytorch.traditionalml import DOMAIN, labelled, real, transformed


def _kernel(x, vectors, kind, parameters):
    """Return the kernel between rows, ``[rows of x, rows of vectors]``."""
    gamma, offset, degree = parameters or (0.0, 0.0, 0.0)
    if kind == "RBF":
        distance = (x[:, None] - vectors).square().sum(-1)
        return torch.exp(-gamma * distance)
    product = x @ vectors.t()
    if kind == "LINEAR":
        return product
    if kind == "POLY":
        return (gamma * product + offset) ** int(degree)
    if kind == "SIGMOID":
        return torch.tanh(gamma * product + offset)
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
    weight = torch.tensor(coefficients, dtype=x.dtype, device=x.device)
    if n_supports:
        vectors = torch.tensor(support_vectors, dtype=x.dtype, device=x.device)
        kernel = _kernel(x, vectors.reshape(n_supports, -1), kernel_type, kernel_params)
        scores = kernel @ weight[:, None] + rho[0]
    else:
        scores = _kernel(x, weight[None], kernel_type, kernel_params) + rho[0]
    if one_class:
        return torch.where(scores > 0, 1.0, -1.0)
    return transformed(scores, post_transform).float()


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
    weight = torch.tensor(coefficients, dtype=x.dtype, device=x.device)
    classes = max(len(classlabels_ints or classlabels_strings or ()), 1)
    if not vectors_per_class:
        scores = x @ weight.reshape(classes, -1).t() + rho[0]
        return _labels_and_scores(
            scores, scores, len(rho), classlabels_ints, classlabels_strings, post_transform
        )
    vectors = torch.tensor(support_vectors, dtype=x.dtype, device=x.device)
    kernel = _kernel(x, vectors.reshape(sum(vectors_per_class), -1), kernel_type, kernel_params)
    scores, votes = _duels(kernel, weight.reshape(-1, kernel.shape[1]), vectors_per_class, rho)
    if prob_a:
        scores = _probabilities(scores, classes, prob_a, prob_b)
    return _labels_and_scores(
        scores, votes, len(rho), classlabels_ints, classlabels_strings, post_transform
    )


def _duels(kernel, weight, sizes, rho):
    """Return the decision between every two classes and how many each class has won."""
    per_class, weights = kernel.split(list(sizes), 1), weight.split(list(sizes), 1)
    votes = [torch.zeros_like(kernel[:, 0]) for _ in sizes]
    scores = []
    for i in range(len(sizes)):
        for j in range(i + 1, len(sizes)):
            score = per_class[i] @ weights[i][j - 1] + per_class[j] @ weights[j][i]
            score = score + rho[len(scores)]
            votes[i] = votes[i] + (score > 0)
            votes[j] = votes[j] + (score <= 0)
            scores.append(score)
    return torch.stack(scores, 1), torch.stack(votes, 1)


def _probabilities(scores, classes, prob_a, prob_b):
    """Couple the duels' probabilities (Wu, Lin and Weng 2004, second method, as in LIBSVM)."""
    a, b = scores.new_tensor(prob_a), scores.new_tensor(prob_b)
    won = (1 - torch.sigmoid(scores * a + b)).clamp(1e-7, 1 - 1e-7)
    upper = torch.triu_indices(classes, classes, 1, device=scores.device)
    r = scores.new_zeros(scores.shape[0], classes, classes)
    r = r.index_put((slice_all(scores), upper[0], upper[1]), won)
    r = r.index_put((slice_all(scores), upper[1], upper[0]), 1 - won)
    q = -r.transpose(1, 2) * r
    q = q + torch.diag_embed(r.square().sum(1))
    p = torch.full_like(r[:, 0], 1 / classes)
    running = torch.ones_like(p[:, :1], dtype=torch.bool)
    for _ in range(max(100, classes)):
        product = torch.einsum("nij,nj->ni", q, p)
        error = (product - (p * product).sum(1, keepdim=True)).abs().amax(1, keepdim=True)
        running = running & (error >= 0.005 / classes)
        p = torch.where(running, _round_of_updates(p, q, product), p)
    return p


def slice_all(scores):
    """Return row numbers that broadcast against pairs of classes."""
    return torch.arange(scores.shape[0], device=scores.device)[:, None]


def _round_of_updates(p, q, product):
    quadratic = (p * product).sum(1)
    for t in range(p.shape[1]):
        step = (quadratic - product[:, t]) / q[:, t, t]
        grown = 1 + step
        moved = torch.nn.functional.one_hot(torch.tensor(t), p.shape[1]).to(p)
        quadratic = quadratic + step * (step * q[:, t, t] + 2 * product[:, t])
        quadratic = quadratic / grown**2
        product = (product + step[:, None] * q[:, t]) / grown[:, None]
        p = (p + step[:, None] * moved) / grown[:, None]
    return p


def _labels_and_scores(scores, votes, duels, integers, strings, post_transform):
    labels = strings or integers or tuple(range(votes.shape[1]))
    winner = votes.argmax(1)
    if duels == 1 and len(labels) != 2:  # one decision, no two labels: positive or negative
        winner, labels = (votes.amax(1) > 0).long(), (0, 1)
    if scores.shape[1] == 1 and duels == 1 and len(labels) == 2:
        scores = torch.cat((-scores, scores), 1)
    chosen = labelled(winner, labels, labels if isinstance(labels[0], str) else None)
    return chosen, transformed(scores, post_transform).float()

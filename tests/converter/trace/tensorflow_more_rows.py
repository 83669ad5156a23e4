"""Further calls: ``python -m tests.converter.trace.tensorflow_more_rows`` tries all of them."""

from __future__ import annotations

import tensorflow as tf

from tests.converter.trace.tensorflow_operators import (
    RAW,
    I,
    L,
    M,
    N,
    Row,
    b,
    f,
    i,
    refused_operator,
    u,
    v,
)
from tests.converter.trace.tensorflow_rows import bx, nb, sc

MORE: list[Row] = []


def row(name, call, *inputs, **options) -> None:
    """Add a row."""
    MORE.append(Row(name, call, inputs, refused=refused_operator(name), **options))


row("inv", lambda x: L.inv(x + 3 * tf.eye(3)), f(2, 3, 3))
row("det", lambda x: L.det(x), f(2, 3, 3))
row("slogdet", lambda x: L.slogdet(x), f(2, 3, 3))
row("cholesky", lambda x: L.cholesky(x @ L.matrix_transpose(x) + tf.eye(3)), f(3, 3))
row("solve", lambda x, y: L.solve(x, y), f(3, 3), f(3, 2))
row("triangular_solve", lambda x, y: L.triangular_solve(x, y), f(3, 3), f(3, 2))
row("svd", lambda x: L.svd(x, compute_uv=False), f(3, 3))
row("qr", lambda x: L.qr(x)[1], f(3, 3))
row("eigh", lambda x: L.eigvalsh(x), f(3, 3))
row("norm", lambda x: L.norm(x), f(3, 3))
row("norm1", lambda x: L.norm(x, ord=1, axis=1), f(3, 3))
row("matvec", lambda x, y: L.matvec(x, y), f(2, 3, 4), f(2, 4))
row("cross", lambda x, y: L.cross(x, y), f(2, 3), f(2, 3))
row("expm", lambda x: L.expm(x), f(2, 2))
row("tensordot", lambda x, y: tf.tensordot(x, y, [[1], [0]]), f(2, 3), f(3, 4))
row("adjoint", lambda x: L.adjoint(x), f(2, 3, 4))
row("matmul_t", lambda x, y: tf.matmul(x, y, transpose_a=True), f(2, 3, 4), f(2, 3, 5))
row("matmul_int", lambda x, y: tf.matmul(x, y), i(2, 3), i(3, 2))
row(
    "matmul_bcast",
    lambda x, y: tf.matmul(x, y, transpose_b=True),
    f(5, 1, 3, 4),
    f(2, 6, 4),
    fixed=False,
)
row("lu", lambda x: L.lu(x)[0], f(3, 3))
row("pinv", lambda x: L.pinv(x), f(3, 2))
row("lstsq", lambda x, y: L.lstsq(x, y), f(4, 2), f(4, 1))
row("global_norm", lambda x, y: L.global_norm([x, y]), f(4, 2), f(4, 1))
row(
    "nms_padded_thr",
    lambda q, s: I.non_max_suppression_padded(q, s, 5, 0.5, 0.55, pad_to_max_output_size=True),
    nb,
    sc,
)
row("nms_padded_nopad", lambda q, s: I.non_max_suppression_padded(q, s, 3, 0.5), nb, sc)
row(
    "nms_padded_open",
    lambda q, s: I.non_max_suppression_padded(q, s, 5, 0.5, pad_to_max_output_size=True),
    nb,
    sc,
    fixed=False,
)
row("flip", lambda x: I.flip_left_right(x), u(1, 2, 3, 3))
row("rot90", lambda x: I.rot90(x), u(1, 2, 3, 3))
row("per_image_std", I.per_image_standardization, f(2, 4, 4, 3))
row(
    "extract_patches",
    lambda x: I.extract_patches(x, [1, 2, 2, 1], [1, 2, 2, 1], [1, 1, 1, 1], "VALID"),
    f(1, 4, 4, 2),
)
row("sobel", lambda x: I.sobel_edges(x), f(1, 4, 4, 2))
row("pad_to_box", lambda x: I.pad_to_bounding_box(x, 1, 2, 7, 8), f(1, 4, 4, 2))
row("crop_center", lambda x: I.central_crop(x, 0.5), f(1, 4, 4, 2))
row("crop_or_pad", lambda x: I.resize_with_crop_or_pad(x, 6, 3), f(1, 4, 4, 2))
row("resize_with_pad", lambda x: I.resize_with_pad(x, 6, 3), f(1, 4, 4, 2))
row("ssim", lambda x, y: I.ssim(x, y, 1.0), u(1, 12, 12, 1), u(1, 12, 12, 1))
row("total_variation", I.total_variation, u(1, 4, 4, 1))
row("rgb_yuv", I.rgb_to_yuv, u(1, 4, 4, 3))
row(
    "convert_dtype",
    lambda x: I.convert_image_dtype(x, tf.float32),
    i(1, 4, 4, 3, high=255, dtype="uint8"),
)
row(
    "draw_boxes",
    lambda x, q: I.draw_bounding_boxes(x, q[None], v([[1.0, 0, 0]], "float32")(None)),
    u(1, 8, 8, 3),
    bx,
)
row("image_gradients", lambda x: I.image_gradients(x)[0], u(1, 4, 4, 1))
row(
    "proj_transform",
    lambda x: RAW.ImageProjectiveTransformV3(
        images=x,
        transforms=tf.constant([[1.0, 0.1, 0, 0, 1, 0, 0, 0]]),
        output_shape=[4, 4],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    ),
    u(1, 4, 4, 1),
)
row("moments", lambda x: N.moments(x, [0, 1]), f(2, 3, 4))
row("lrn", lambda x: N.local_response_normalization(x, 2), f(1, 4, 4, 6))
row("l2n", lambda x: N.l2_normalize(x, 1), f(2, 3))
row("foldl", lambda x: tf.foldl(lambda a, b: a + b, x), f(5, 3))
row("vectorized_map", lambda x: tf.vectorized_map(lambda a: a * 2, x), f(5, 3))
row("as_string", lambda k: tf.strings.as_string(k), i(3))
row("rn", lambda x: tf.random.normal(tf.shape(x)) * 0 + x, f(2, 3))
row("ru", lambda x: tf.random.uniform(tf.shape(x)) * 0 + x, f(2, 3))
row("rn_fixed", lambda x: tf.random.normal([2, 3]) * 0 + x, f(2, 3))
row("rui", lambda x: tf.random.uniform([2, 3], 0, 9, tf.int32) * 0 + x, i(2, 3))
row("rt", lambda x: tf.random.truncated_normal([2, 3]) * 0 + x, f(2, 3))
row("sn", lambda x: tf.random.stateless_normal([2, 3], [1, 2]) * 0 + x, f(2, 3))
row("su", lambda x: tf.random.stateless_uniform([2, 3], [1, 2]) * 0 + x, f(2, 3))
row("st", lambda x: tf.random.stateless_truncated_normal([2, 3], [1, 2]) * 0 + x, f(2, 3))
row("sui", lambda x: tf.random.stateless_uniform([2, 3], [1, 2], 0, 9, tf.int32) * 0 + x, i(2, 3))
row("shuffle", lambda x: tf.sort(tf.random.shuffle(x)), f(5))
row("categorical", lambda x: tf.random.categorical(x, 4) * 0, f(2, 3))
row("scategorical", lambda x: tf.random.stateless_categorical(x, 4, [1, 2]) * 0, f(2, 3))
row("poisson", lambda x: tf.random.poisson([3], x) * 0, u(2))
row("gamma", lambda x: tf.random.gamma([3], x) * 0, u(2))
row(
    "sbinomial",
    lambda x: tf.random.stateless_binomial([3], [1, 2], 4, 0.5) + tf.cast(x, tf.int32) * 0,
    u(3),
)
row("dropout", lambda x: tf.nn.dropout(x, 0.5) * 0 + x, f(2, 3))
row("sdropout", lambda x: tf.nn.experimental.stateless_dropout(x, 0.5, [1, 2]) * 0 + x, f(2, 3))
for p in ("SAME", "VALID"):
    row("conv1d" + p, lambda x, w, p=p: N.conv1d(x, w, 2, p), f(1, 7, 3), f(3, 3, 4))
    row("conv2d" + p, lambda x, w, p=p: N.conv2d(x, w, 2, p), f(1, 7, 8, 3), f(3, 2, 3, 4))
    row(
        "conv3d" + p,
        lambda x, w, p=p: N.conv3d(x, w, [1, 1, 2, 1, 1], p),
        f(1, 5, 7, 8, 3),
        f(3, 2, 2, 3, 4),
    )
    row(
        "dw" + p,
        lambda x, w, p=p: N.depthwise_conv2d(x, w, [1, 2, 2, 1], p),
        f(1, 7, 8, 3),
        f(3, 2, 3, 2),
    )
    row(
        "sep" + p,
        lambda x, w, z, p=p: N.separable_conv2d(x, w, z, [1, 1, 1, 1], p),
        f(1, 7, 8, 3),
        f(3, 2, 3, 2),
        f(1, 1, 6, 4),
    )
    row("atrous" + p, lambda x, w, p=p: N.atrous_conv2d(x, w, 2, p), f(1, 9, 8, 3), f(3, 2, 3, 4))
    row(
        "convd" + p,
        lambda x, w, p=p: N.conv2d(x, w, 1, p, dilations=2),
        f(1, 9, 8, 3),
        f(3, 2, 3, 4),
    )
    row(
        "convT" + p,
        lambda x, w, p=p: N.conv2d_transpose(
            x, w, [1, 8, 8, 4] if p == "SAME" else [1, 9, 9, 4], 2, p
        ),
        f(1, 4, 4, 3),
        f(3, 3, 4, 3),
    )
    row("avg" + p, lambda x, p=p: N.avg_pool2d(x, 3, 2, p), f(1, 7, 8, 3))
    row("max" + p, lambda x, p=p: N.max_pool2d(x, 3, 2, p), f(1, 7, 8, 3))
    row("max1" + p, lambda x, p=p: N.max_pool1d(x, 3, 2, p), f(1, 7, 3))
    row("avg3" + p, lambda x, p=p: N.avg_pool3d(x, 2, 2, p), f(1, 5, 7, 8, 3))
    row(
        "dilation2d" + p,
        lambda x, w, p=p: N.dilation2d(x, w, [1, 1, 1, 1], p, "NHWC", [1, 1, 1, 1]),
        f(1, 7, 8, 3),
        f(3, 2, 3),
    )
    row("maxargmax" + p, lambda x, p=p: N.max_pool_with_argmax(x, 2, 2, p), f(1, 6, 6, 2))
    row(
        "conv1dT" + p,
        lambda x, w, p=p: N.conv1d_transpose(x, w, [1, 8, 4] if p == "SAME" else [1, 9, 4], 2, p),
        f(1, 4, 3),
        f(3, 4, 3),
    )
    row(
        "conv3dT" + p,
        lambda x, w, p=p: N.conv3d_transpose(
            x, w, [1, 4, 4, 4, 2] if p == "SAME" else [1, 5, 5, 5, 2], 2, p
        ),
        f(1, 2, 2, 2, 3),
        f(3, 3, 3, 2, 3),
    )
    row(
        "erosion" + p,
        lambda x, w, p=p: N.erosion2d(x, w, [1, 1, 1, 1], p, "NHWC", [1, 1, 1, 1]),
        f(1, 7, 8, 3),
        f(3, 2, 3),
    )
    row(
        "pool" + p,
        lambda x, p=p: N.pool(x, [2, 2], "MAX", padding=p, dilations=[2, 2]),
        f(1, 7, 8, 3),
    )
row(
    "conv_explicit",
    lambda x, w: N.conv2d(x, w, 2, [[0, 0], [1, 2], [0, 3], [0, 0]]),
    f(1, 7, 8, 3),
    f(3, 2, 3, 4),
)
row("conv_group", lambda x, w: N.conv2d(x, w, 1, "SAME"), f(1, 7, 8, 4), f(3, 2, 2, 4))
row("frac_pool", lambda x: N.fractional_max_pool(x, 1.5, seed=1)[0], f(1, 8, 8, 2))
row("d2s", lambda x: N.depth_to_space(x, 2), f(1, 2, 2, 8))
row("s2d", lambda x: N.space_to_depth(x, 2), f(1, 4, 4, 2))
row("s2b", lambda x: tf.space_to_batch(x, [2, 2], [[0, 0], [0, 0]]), f(1, 4, 4, 2))
row("b2s", lambda x: tf.batch_to_space(x, [2, 2], [[0, 0], [0, 0]]), f(4, 2, 2, 2))
row(
    "s2b_open", lambda x: tf.space_to_batch(x, [2, 2], [[0, 0], [0, 0]]), f(1, 4, 4, 2), fixed=False
)
for n in (
    "relu",
    "relu6",
    "elu",
    "selu",
    "softplus",
    "softsign",
    "sigmoid",
    "tanh",
    "silu",
    "gelu",
    "leaky_relu",
    "softmax",
    "log_softmax",
    "crelu",
):
    row(n, getattr(N, n), f(3, 4))
row("gelu_exact", lambda x: N.gelu(x, False), f(3, 4))
row("xent", lambda x, y: N.softmax_cross_entropy_with_logits(N.softmax(y), x), f(3, 4), f(3, 4))
row("sxent", lambda y, x: N.sparse_softmax_cross_entropy_with_logits(y, x), i(3, high=4), f(3, 4))
row("bxent", lambda x, y: N.sigmoid_cross_entropy_with_logits(y, x), f(3, 4), u(3, 4))
row("in_topk", lambda t, p: M.in_top_k(t, p, 2), i(3, high=4), f(3, 4))
row("topk", lambda x: M.top_k(x, 2), f(3, 4))
row("topk_dyn", lambda x, k: M.top_k(x, k), f(3, 4), v(2, "int32"))
row("topk_int", lambda x: M.top_k(x, 2), v([[3, 1, 2, 0]], "int32"))
row("approx_topk", lambda x: M.approx_max_k(x, 2)[0], f(3, 40))
row("softmax_axis", lambda x: N.softmax(x, 1), f(2, 3, 4))
row("bias_add", lambda x, c: N.bias_add(x, c), f(2, 3, 4), f(4))
row("bias_nchw", lambda x, c: N.bias_add(x, c, "NCHW"), f(2, 4, 3), f(4))
row("ctc_greedy", lambda x: N.ctc_greedy_decoder(x, [5, 5])[1], f(5, 2, 4))
row(
    "ctc_loss", lambda x: N.ctc_loss([[1, 2], [2, 1]], x, [2, 2], [5, 5], blank_index=0), f(5, 2, 4)
)
row(
    "embedding_sparse",
    lambda k: N.safe_embedding_lookup_sparse(tf.ones([5, 2]), tf.sparse.from_dense(k)),
    i(3, 2),
)
row("normalize", lambda x: N.l2_normalize(x, [1, 2]), f(2, 3, 4))
row("attention", lambda q, k: tf.keras.layers.Attention()([q, k]), f(1, 3, 4), f(1, 5, 4))
row("weighted_moments", lambda x, w: N.weighted_moments(x, [0], w), f(3, 4), u(3, 4))
row("isotonic", lambda x: N.isotonic_regression(x)[0], f(3, 4))
for n in (
    "abs",
    "acos",
    "acosh",
    "angle",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "bessel_i0",
    "bessel_i1",
    "bessel_i0e",
    "bessel_i1e",
    "ceil",
    "cos",
    "cosh",
    "digamma",
    "erf",
    "erfc",
    "erfcinv",
    "erfinv",
    "exp",
    "expm1",
    "floor",
    "lgamma",
    "log",
    "log1p",
    "log_sigmoid",
    "ndtri",
    "negative",
    "reciprocal",
    "rint",
    "round",
    "rsqrt",
    "sigmoid",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "tan",
    "tanh",
    "is_nan",
    "is_inf",
    "is_finite",
    "softplus",
    "reduce_std",
    "reduce_variance",
    "reduce_logsumexp",
    "reduce_euclidean_norm",
    "cumsum",
    "invert_permutation" if False else "abs",
):
    row(
        "m_" + n,
        getattr(M, n),
        (lambda d: 1 + d.uniform(0.1, 0.9, size=(3, 4)).astype("f4")) if n == "acosh" else u(3, 4),
    )
row("round_half", M.round, v([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5], "float32"))
row("rint_half", M.rint, v([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5], "float32"))
for n in (
    "add",
    "subtract",
    "multiply",
    "divide",
    "pow",
    "floordiv",
    "floormod",
    "maximum",
    "minimum",
    "atan2",
    "squared_difference",
    "xdivy",
    "xlogy",
    "xlog1py",
    "igamma",
    "igammac",
    "zeta",
    "polygamma",
    "divide_no_nan",
    "multiply_no_nan",
    "less",
    "less_equal",
    "greater",
    "greater_equal",
    "equal",
    "not_equal",
    "nextafter",
    "truediv",
):
    row("b_" + n, getattr(M, n), lambda d: d.uniform(1.1, 3, size=(3, 4)).astype("f4"), u(1, 4))
for n in ("floordiv", "floormod", "add", "multiply", "pow", "maximum"):
    row(
        "bi_" + n,
        getattr(M, n),
        i(3, 4, low=-9, high=9) if n != "pow" else i(3, 4),
        v([[3, -2, 2, -5]], "int32") if n != "pow" else i(3, 4),
    )
row(
    "truncdiv",
    lambda x, y: tf.truncatediv(x, y),
    i(3, 4, low=-9, high=9),
    v([[3, -2, 2, -5]], "int32"),
)
row(
    "truncmod",
    lambda x, y: tf.truncatemod(x, y),
    i(3, 4, low=-9, high=9),
    v([[3, -2, 2, -5]], "int32"),
)
row("truncmod_f", lambda x, y: tf.truncatemod(x, y), f(3, 4), v([[3, -2, 2, -5]], "float32"))
row("floormod_f", lambda x, y: M.floormod(x, y), f(3, 4), v([[3, -2, 2, -5]], "float32"))
row("floordiv_f", lambda x, y: M.floordiv(x, y), f(3, 4), v([[3, -2, 2, -5]], "float32"))
row(
    "floordiv_i64",
    lambda x, y: M.floordiv(x, y),
    i(3, 4, low=-9, high=9, dtype="int64"),
    v([[3, -2, 2, -5]], "int64"),
)
row("div_i", lambda x, y: x / y, i(3, 4), v([[3, -2, 2, -5]], "int32"))
row("betainc", M.betainc, u(3), u(3), u(3))
row("bincount", lambda x: M.bincount(x, minlength=6, maxlength=6), i(9))
row("histogram", lambda x: tf.histogram_fixed_width(x, [0.0, 1.0], 4), u(9))
row("confusion", lambda x, y: M.confusion_matrix(x, y, 5), i(9), i(9))
row("argmax", lambda x: tf.argmax(x, -1), f(3, 4))
row("argmin32", lambda x: tf.argmin(x, 0, tf.int32), f(3, 4))
row("argmax_int", lambda x: tf.argmax(x, -1), v([[3, 1, 3]], "int32"))
row("unsorted_mean_grad", lambda x: M.reduce_mean(x, [0, -1], keepdims=True), f(2, 3, 4))
row("reduce_all", lambda x: tf.reduce_all(x, 1), b(2, 3))
row("reduce_any", lambda x: tf.reduce_any(x), b(2, 3))
row("reduce_dyn", lambda x, a: tf.reduce_sum(x, a), f(2, 3), v([1], "int32"))
row("count_nonzero", lambda x: M.count_nonzero(x, 1), i(3, 4, high=2))
row("add_n", lambda x, y: tf.add_n([x, y, x]), f(3), f(3))
row("accumulate_n", lambda x, y: M.accumulate_n([x, y]), f(3), f(3))
row("clip", lambda x: tf.clip_by_value(x, -0.5, 0.5), f(3))
row("clip_norm", lambda x: tf.clip_by_norm(x, 1.0), f(3))
row("l2loss", N.l2_loss, f(3))
row("lerp", lambda x, y: x + (y - x) * 0.5, f(3), f(3))
row("complex_abs", lambda x, y: tf.abs(tf.complex(x, y)), f(3), f(3))
row("rfft", lambda x: tf.abs(tf.signal.rfft(x)), f(2, 8))
row("fft", lambda x: tf.abs(tf.signal.fft(tf.cast(x, tf.complex64))), f(2, 8))
row("stft", lambda x: tf.abs(tf.signal.stft(x, 8, 4)), f(1, 32))
row("dct", lambda x: tf.signal.dct(x), f(2, 8))
row("frame", lambda x: tf.signal.frame(x, 4, 2), f(1, 12))
row("rfft2d", lambda x: tf.abs(tf.signal.rfft2d(x)), f(2, 4, 8))
row("irfft", lambda x: tf.signal.irfft(tf.signal.rfft(x)), f(2, 8))
row("mfcc", lambda x: tf.signal.mfccs_from_log_mel_spectrograms(x), f(2, 8))
row("bitand", lambda x, y: tf.bitwise.bitwise_and(x, y), i(3), i(3))
row("bitxor", lambda x, y: tf.bitwise.bitwise_xor(x, y), i(3), i(3))
row("invert", tf.bitwise.invert, i(3))
row("lshift", lambda x, y: tf.bitwise.left_shift(x, y), i(3), i(3))
row("rshift_neg", lambda x, y: tf.bitwise.right_shift(x, y), i(3, low=-9, high=0), i(3, high=3))
row("popcount", RAW.PopulationCount if False else lambda x: RAW.PopulationCount(x=x), i(3))
row("sobol", lambda x: M.sobol_sample(2, 3) + x * 0, f(3, 2))
row("nextafter", M.nextafter, f(3), f(3))
row("cumcount", lambda x: M.cumulative_logsumexp(x), f(4))
row("approx_eq", lambda x, y: RAW.ApproximateEqual(x=x, y=y, tolerance=0.5), f(3), f(3))
row("l_bucketize", lambda x: RAW.Bucketize(input=x, boundaries=[-1.0, 0.0, 1.0]), f(5))
row("searchsorted", lambda x: tf.searchsorted([-1.0, 0.0, 1.0], x), f(5))
row(
    "searchsorted_r",
    lambda x: tf.searchsorted([[-1.0, 0.0, 0.0, 1.0]], x, side="right"),
    v([[0.0, 0.5, -3.0]], "float32"),
)
row("interp", lambda x: tf.linspace(0.0, 1.0, 4) + x, f(4))
row("linspace_dyn", lambda x, n: tf.linspace(x, 2.0, n), f(), v(4, "int32"))
row("range_dyn", lambda n: tf.range(n), v(4, "int32"))
row("range_f", lambda n: tf.range(0.0, n, 0.5), v(2.2, "float32"))
row("unravel", lambda x: tf.unravel_index(x, [3, 4]), i(5))
row("cast", lambda x: tf.cast(x * 3, tf.int32), f(5))
row("cast_u8", lambda x: tf.cast(x, tf.uint8), i(5, high=255))
row("bitcast", lambda x: tf.bitcast(x, tf.int32), f(5))
row("saturate", lambda x: tf.saturate_cast(x, tf.uint8), i(5, low=-300, high=600))
row("gather_nd", lambda x, k: tf.gather_nd(x, k), f(3, 4), i(2, 2, high=3))
row(
    "gather_nd_batch", lambda x, k: tf.gather_nd(x, k, batch_dims=1), f(2, 3, 4), i(2, 2, 1, high=3)
)
row("gather_batch", lambda x, k: tf.gather(x, k, batch_dims=1, axis=1), f(2, 3, 4), i(2, 2, high=3))
row(
    "gather_batch2", lambda x, k: tf.gather(x, k, batch_dims=1, axis=2), f(2, 3, 4), i(2, 2, high=3)
)
row(
    "gather_batch_open",
    lambda x, k: tf.gather(x, k, batch_dims=1, axis=1),
    f(2, 3, 4),
    i(2, 2, high=3),
    fixed=False,
)
row("scatter_nd", lambda k, x: tf.scatter_nd(k, x, [4]), v([[0], [2], [2]], "int32"), f(3))
for n in ("update", "add", "sub", "min", "max"):
    row(
        "tscatter_" + n,
        lambda x, k, y, n=n: getattr(tf, f"tensor_scatter_nd_{n}")(x, k, y),
        f(5, 2),
        v([[0], [2], [4]], "int32"),
        f(3, 2),
    )
row("strided", lambda x: x[1:, ::-1, tf.newaxis, ...], f(3, 4, 2))
row("strided_neg", lambda x: x[-2:, -1], f(3, 4, 2))
row("strided_dyn", lambda x, k: x[k : k + 2], f(5, 2), v(1, "int32"))
row("strided_shrinkneg", lambda x: x[..., -1], f(3, 4, 2), fixed=False)
row("strided_revstep", lambda x: x[::-2], f(5, 2))
row("strided_endrev", lambda x: x[3:0:-1], f(5, 2))
row("slice_dyn", lambda x, k: tf.slice(x, k, [2, -1]), f(5, 2), v([1, 0], "int32"))
row("reverse_seq", lambda x, l: tf.reverse_sequence(x, l, 1, 0), f(3, 4, 2), v([1, 4, 2], "int32"))
row("seqmask", lambda l: tf.sequence_mask(l, 5), v([1, 4, 2], "int32"))
row("seqmask_dyn", lambda l: tf.sequence_mask(l), v([1, 4, 2], "int32"))
row("one_hot", lambda k: tf.one_hot(k, 4, 2.0, -1.0, axis=0), i(3, low=-1, high=6))
row("one_hot_int", lambda k: tf.one_hot(k, 4, dtype=tf.int64), i(3))
row("one_hot_bool", lambda k: tf.one_hot(k, 4, True, False, dtype=tf.bool), i(3))
row("pad_reflect", lambda x: tf.pad(x, [[1, 1], [2, 0]], "REFLECT"), f(3, 4))
row("pad_symm", lambda x: tf.pad(x, [[1, 1], [2, 0]], "SYMMETRIC"), f(3, 4))
row("pad_const", lambda x: tf.pad(x, [[1, 1], [2, 0]], constant_values=3.0), f(3, 4))
row("pad_dyn", lambda x, p: tf.pad(x, p), f(3, 4), v([[1, 1], [2, 0]], "int32"))
row("pad_int", lambda x: tf.pad(x, [[1, 1], [2, 0]]), i(3, 4))
row("roll", lambda x: tf.roll(x, [1, -2], [0, 1]), f(3, 4))
row("repeat", lambda x: tf.repeat(x, 2, 1), f(3, 4))
row("repeat_v", lambda x, r: tf.repeat(x, r, 0), f(3, 4), v([1, 0, 2], "int32"))
row("tile", lambda x: tf.tile(x, [2, 1]), f(3, 4))
row("bcast", lambda x: tf.broadcast_to(x, [2, 3, 4]), f(3, 1))
row("bcast_dyn", lambda x, y: tf.broadcast_to(x, tf.shape(y)), f(3, 1), f(2, 3, 4), fixed=False)
row("meshgrid", lambda x, y: tf.meshgrid(x, y), f(3), f(2))
row("where3", lambda c, x, y: tf.where(c, x, y), b(3, 1), f(3, 2), f(2))
row("where1", lambda c: tf.where(c), b(3, 2))
row("select_v1", lambda c, x, y: RAW.Select(condition=c, x=x, y=y), b(3), f(3, 2), f(3, 2))
row("unique", lambda x: tf.unique(x), i(9))
row("unique_counts", lambda x: tf.unique_with_counts(x), i(9))
row("unique_v2", lambda x: RAW.UniqueV2(x=x, axis=[0]), i(9, 1))
row("stack", lambda x, y: tf.stack([x, y], 1), f(3), f(3))
row("unstack", lambda x: tf.unstack(x, axis=1), f(3, 2))
row("split", lambda x: tf.split(x, 2, 1), f(3, 4))
row("split_neg", lambda x: tf.split(x, [1, -1], 1), f(3, 4))
row("concat", lambda x, y: tf.concat([x, y], -1), f(3, 4), f(3, 2))
row("squeeze", lambda x: tf.squeeze(x), f(3, 1, 2))
row("squeeze_axis", lambda x: tf.squeeze(x, [1]), f(3, 1, 2), fixed=False)
row("expand", lambda x: tf.expand_dims(x, -1), f(3, 2))
row("size", lambda x: tf.size(x) + tf.rank(x), f(3, 2))
row("shape_n", lambda x: tf.shape(x), f(3, 2), fixed=False)
row("dyn_stitch", lambda x, y: tf.dynamic_stitch([[0, 2], [1, 3]], [x, y]), f(2), f(2))
row("dyn_part", lambda x, p: tf.dynamic_partition(x, p, 2), f(4), v([0, 1, 1, 0], "int32"))
row(
    "setdiff",
    lambda x, y: tf.sets.difference(x[None], y[None]).values if False else RAW.ListDiff(x=x, y=y),
    i(5),
    i(3),
)
row("booleanmask", lambda x, c: tf.boolean_mask(x, c), f(5, 2), b(5))
row("sort", lambda x: tf.sort(x, axis=0, direction="DESCENDING"), f(5, 2))
row("argsort", lambda x: tf.argsort(x), f(5))
row("reverse", lambda x: tf.reverse(x, [1]), f(5, 2))
row("invperm", lambda x: M.invert_permutation(x), v([2, 0, 1], "int32"))
row("ensure_shape", lambda x: tf.ensure_shape(x, [3, 2]), f(3, 2), fixed=False)
row("identity_n", lambda x, y: tf.identity_n([x, y]), f(3), f(3))
row("stopgrad", tf.stop_gradient, f(3))
row("checknum", lambda x: tf.debugging.check_numerics(x, "m"), f(3))
row("assert", lambda x: (tf.debugging.assert_greater(x, -100.0), x + 1)[1], f(3))
row("print", lambda x: (tf.print(x), x + 1)[1], f(3))
row("zeros_like", lambda x: tf.zeros_like(x) + x, f(3))
row("ones_like_int", lambda x: tf.ones_like(x), i(3), fixed=False)
row("fill", lambda k: tf.fill(k, 2.0), v([2, 3], "int32"))
row("sparse_dense", lambda x: tf.sparse.to_dense(tf.sparse.from_dense(x)), i(3, 2))
row(
    "sparse_matmul",
    lambda x, y: tf.sparse.sparse_dense_matmul(tf.sparse.from_dense(x), y),
    f(3, 2),
    f(2, 3),
)
row("ragged", lambda x: tf.RaggedTensor.from_row_lengths(x, [1, 0, 2]).to_tensor(), f(3))
row("ragged_max", lambda x: tf.reduce_max(tf.RaggedTensor.from_row_lengths(x, [1, 0, 2]), 1), f(3))
row("ragged_sum", lambda x: tf.reduce_sum(tf.RaggedTensor.from_row_lengths(x, [1, 0, 2]), 1), f(3))
row(
    "ragged_mean", lambda x: tf.reduce_mean(tf.RaggedTensor.from_row_lengths(x, [1, 0, 2]), 1), f(3)
)
row(
    "lookup",
    lambda x: (
        tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer([0, 1], [5, 6]), -1).lookup(x)
        if False
        else x
    ),
    i(3),
)
row(
    "extract_vol",
    lambda x: RAW.ExtractVolumePatches(
        input=x, ksizes=[1, 2, 2, 2, 1], strides=[1, 2, 2, 2, 1], padding="VALID"
    ),
    f(1, 4, 4, 4, 1),
)
row("batchgather", lambda x, k: tf.compat.v1.batch_gather(x, k), f(2, 3), i(2, 2, high=3))
row(
    "edit",
    lambda x: tf.edit_distance(tf.sparse.from_dense(x), tf.sparse.from_dense(x)),
    i(2, 3, low=1),
)
row("fingerprint", lambda x: tf.cast(x, tf.int64), i(3))
row("tri_eye", lambda x: tf.linalg.band_part(tf.ones([4, 4]), -1, 0) * x, f(4, 4))
row(
    "causal_dyn",
    lambda x: tf.linalg.band_part(tf.ones([tf.shape(x)[0]] * 2), -1, 0),
    f(4),
    fixed=False,
)
row("multinomial_like", lambda x: tf.argmax(x, 1), f(2, 3))
row(
    "tensor_shape_prod",
    lambda x: tf.reshape(x, [tf.reduce_prod(tf.shape(x))]),
    f(2, 3),
    fixed=False,
)
row("gradients", lambda x: tf.gradients(tf.reduce_sum(x**3), x)[0], f(3))
row("grad_tanh", lambda x: tf.gradients(tf.tanh(x), x)[0], f(3))
row("custom_gradient", lambda x: tf.custom_gradient(lambda z: (z * 2, lambda d: d))(x), f(3))
row("pyfunc", lambda x: tf.numpy_function(lambda z: z, [x], tf.float32), f(3))

row(
    "nms_padded_batched",
    lambda q, s: I.non_max_suppression_padded(
        q[None], s[None], 5, 0.5, pad_to_max_output_size=True, sorted_input=False
    ),
    nb,
    sc,
)
row(
    "str_scatter",
    lambda k: tf.scatter_nd(k[:, None], tf.constant(["a", "b", "c"]), [5]),
    v([0, 2, 4], "int32"),
)
row(
    "str_tscatter",
    lambda k: tf.tensor_scatter_nd_update(
        tf.constant(["-"] * 5), k[:, None], tf.constant(["a", "b", "c"])
    ),
    v([0, 2, 4], "int32"),
)
row(
    "str_concat",
    lambda k: tf.concat([tf.gather(tf.constant(["a", "b"]), k), tf.constant(["z"])], 0),
    i(3, high=2),
)
row("str_tile", lambda k: tf.tile(tf.constant(["z"]), k), v([3], "int32"))
row("str_fill", lambda k: tf.fill(k, "z"), v([3], "int32"))
row("str_eq", lambda k: tf.gather(tf.constant(["A", "Bb"]), k) == tf.constant("A"), i(3, high=2))
row("str_stack", lambda k: tf.stack([tf.gather(tf.constant(["abc", "xyz"]), k)] * 2), i(3, high=2))
row("str_slice", lambda k: tf.gather(tf.constant(["abc", "xyz"]), k)[::2], i(3, high=2))
row("zero_reshape2", lambda x: tf.reshape(x, [tf.shape(x)[0], -1]), f(0, 3, 2))
row("zero_resize", lambda x: tf.image.resize(x, [2, 2]), f(0, 4, 4, 3))
row("zero_lse", lambda x: tf.reduce_logsumexp(x[:0]), f(2, 3))
row("zero_map", lambda x: tf.map_fn(lambda a: a * 2, x), f(0, 3))


def main() -> None:
    """Try all rows and print those that do not come out as they are written down."""
    from converter.errors import UnsupportedOpsError
    from tests.converter.trace.tensorflow_against_torch import compare
    from tests.converter.trace.tensorflow_rows import ROWS

    for one in (*ROWS, *MORE):
        try:
            compare(one, seed=7)
            outcome = f"{one.refused} is translated" if one.refused else ""
        except UnsupportedOpsError as error:
            known = one.refused in {item.op for item in error.operators}
            outcome = "" if known else f"refused: {error.message}"
        except Exception as error:
            outcome = f"{type(error).__name__}: {error}"
        if outcome:
            print(f"{one.name}: {outcome}")


if __name__ == "__main__":
    main()

"""Calls that go through every run of the tests."""

from __future__ import annotations

import tensorflow as tf

from tests.converter.trace.tensorflow_operators import (
    RAW,
    I,
    L,
    M,
    N,
    Row,
    S,
    b,
    f,
    i,
    refused_operator,
    u,
    v,
)

ROWS: list[Row] = []


def row(name, call, *inputs, **options) -> None:
    """Add a row."""
    ROWS.append(Row(name, call, inputs, refused=refused_operator(name), **options))


ids = v([0, 0, 2, 2, 5], "int32")
un = v([3, -1, 0, 3, 1], "int32")
for n in ("sum", "prod", "min", "max", "mean"):
    row(
        f"segment_{n}",
        lambda x, s, n=n: getattr(M, f"segment_{n}")(x, s),
        f(5, 3),
        ids,
        fixed=False,
    )
    row(
        f"segment_{n}_int",
        lambda x, s, n=n: getattr(M, f"segment_{n}")(x, s),
        i(5, 3, low=-9, high=-2),
        ids,
    )
    row(f"segment_{n}_fixed1d", lambda x, s, n=n: getattr(M, f"segment_{n}")(x, s), f(5), ids)
for n in ("sum", "prod", "min", "max", "mean", "sqrt_n"):
    row(
        f"unsorted_{n}",
        lambda x, s, n=n: getattr(M, f"unsorted_segment_{n}")(x, s, 6),
        f(5, 3),
        un,
        fixed=False,
    )
    row(
        f"unsorted_{n}_2d",
        lambda x, s, n=n: getattr(M, f"unsorted_segment_{n}")(x, s, 6),
        f(2, 3, 2),
        i(2, 3, low=-1, high=5),
    )
    if n not in ("mean", "sqrt_n"):
        row(
            f"unsorted_{n}_int64",
            lambda x, s, n=n: getattr(M, f"unsorted_segment_{n}")(x, s, 6),
            i(5, low=-9, high=9, dtype="int64"),
            un,
        )
    row(
        f"unsorted_{n}_empty",
        lambda x, s, n=n: getattr(M, f"unsorted_segment_{n}")(x, s, 3),
        f(0, 3),
        v([], "int32"),
        fixed=False,
    )
    row(
        f"unsorted_{n}_dyn",
        lambda x, s, k, n=n: getattr(M, f"unsorted_segment_{n}")(x, s, k),
        f(5, 3),
        un,
        v(5, "int32"),
    )
for n in ("sum", "mean", "sqrt_n"):
    row(
        f"sparse_segment_{n}",
        lambda x, a, s, n=n: getattr(S, f"segment_{n}")(x, a, s),
        f(7, 3),
        i(5, high=7),
        ids,
    )
    row(
        f"sparse_segment_{n}_num",
        lambda x, a, s, n=n: getattr(S, f"segment_{n}")(x, a, s, num_segments=8),
        f(7, 3),
        i(5, high=7),
        ids,
        fixed=False,
    )
for sh in ((4, 4), (3, 5), (2, 5, 3)):
    t = str(sh)
    row("diag_part" + t, lambda x: L.diag_part(x), f(*sh))
    row("diag_part_k1" + t, lambda x: L.diag_part(x, k=1), f(*sh))
    row("diag_part_k-1" + t, lambda x: L.diag_part(x, k=-1), f(*sh))
    row("diag_part_band" + t, lambda x: L.diag_part(x, k=(-1, 2), padding_value=7.0), f(*sh))
    for al in ("LEFT_RIGHT", "LEFT_LEFT", "RIGHT_RIGHT", "RIGHT_LEFT"):
        row(
            "diag_part_band_" + al + t, lambda x, al=al: L.diag_part(x, k=(-2, 1), align=al), f(*sh)
        )
    row("diag_part_open" + t, lambda x: L.diag_part(x), f(*sh), fixed=False)
    row("diag_part_band_open" + t, lambda x: L.diag_part(x, k=(-1, 1)), f(*sh), fixed=False)
    row("set_diag" + t, lambda x, d: L.set_diag(x, d), f(*sh), f(*sh[:-2], min(sh[-2:])))
    row(
        "set_diag_open" + t,
        lambda x, d: L.set_diag(x, d),
        f(*sh),
        f(*sh[:-2], min(sh[-2:])),
        fixed=False,
    )
    row("band_part" + t, lambda x: L.band_part(x, 1, 0), f(*sh))
    row("band_part_-1" + t, lambda x: L.band_part(x, -1, 1), f(*sh))
    row("band_part_both" + t, lambda x: L.band_part(x, -1, -1), f(*sh))
    row("band_part_open" + t, lambda x: L.band_part(x, 1, 2), f(*sh), fixed=False)
    row("band_part_dyn" + t, lambda x, k: L.band_part(x, k, k), f(*sh), v(1, "int32"), fixed=False)
    row("band_part_int" + t, lambda x: L.band_part(x, 1, 0), i(*sh))
    row("trace" + t, lambda x: L.trace(x), f(*sh))
row("set_diag_k1", lambda x, d: L.set_diag(x, d, k=1), f(3, 4), f(3))
row("set_diag_band", lambda x, d: L.set_diag(x, d, k=(-1, 1)), f(4, 4), f(3, 4))
row(
    "set_diag_band_ll",
    lambda x, d: L.set_diag(x, d, k=(-1, 1), align="LEFT_LEFT"),
    f(2, 4, 5),
    f(2, 3, 4),
)
row("diag", lambda d: L.diag(d), f(4))
row("diag_batch", lambda d: L.diag(d), f(2, 4))
row("diag_open", lambda d: L.diag(d), f(2, 4), fixed=False)
row("diag_k1", lambda d: L.diag(d, k=1), f(2, 4))
row("diag_k-2", lambda d: L.diag(d, k=-2), f(2, 4))
row("diag_band", lambda d: L.diag(d, k=(-1, 1)), f(3, 4))
row(
    "diag_band_rows",
    lambda d: L.diag(d, k=(-1, 0), num_rows=5, num_cols=4, padding_value=9.0),
    f(2, 4),
)
row("diag_rows", lambda d: L.diag(d, num_rows=3, num_cols=5), f(3))
row("diag_int", lambda d: L.diag(d), i(4))
row("diag_bool", lambda d: L.diag(d), b(4))
row("MatrixDiag", lambda d: RAW.MatrixDiag(diagonal=d), f(2, 4))
row("MatrixDiagPart", lambda d: RAW.MatrixDiagPart(input=d), f(2, 4, 3))
row("MatrixSetDiag", lambda x, d: RAW.MatrixSetDiag(input=x, diagonal=d), f(2, 4, 3), f(2, 3))
row(
    "MatrixDiagV2",
    lambda d: RAW.MatrixDiagV2(diagonal=d, k=1, num_rows=-1, num_cols=-1, padding_value=0.0),
    f(2, 4),
)
row(
    "MatrixDiagPartV2",
    lambda d: RAW.MatrixDiagPartV2(input=d, k=[-1, 1], padding_value=0.0),
    f(2, 4, 3),
)
row(
    "MatrixSetDiagV2",
    lambda x, d: RAW.MatrixSetDiagV2(input=x, diagonal=d, k=0),
    f(2, 4, 3),
    f(2, 3),
)
row("tensor_diag", lambda d: L.tensor_diag(d), f(4))
row("tensor_diag_part", lambda d: L.tensor_diag_part(d), f(4, 4))
row("tensor_diag2", lambda d: L.tensor_diag(d), f(2, 3))
row("tensor_diag_part2", lambda d: L.tensor_diag_part(d), f(2, 3, 2, 3))
row("eye", lambda x: tf.eye(tf.shape(x)[0]) + x, f(4, 4), fixed=False)
row("eye_batch", lambda x: tf.eye(3, 5, batch_shape=[2]) + x, f(2, 3, 5))
row("eye_dyn_batch", lambda x: tf.eye(3, batch_shape=[tf.shape(x)[0]]) + x, f(2, 3, 3), fixed=False)
row("einsum", lambda x, y: tf.einsum("bij,bjk->bik", x, y), f(2, 3, 4), f(2, 4, 5))
row("einsum2", lambda x: tf.einsum("bii->bi", x), f(2, 3, 3))
row("einsum3", lambda x, y: tf.einsum("...ij,jk->...ik", x, y), f(2, 3, 4), f(4, 5), fixed=False)
for n in ("cumsum", "cumprod"):
    for ax in (0, 1, -1):
        for ex in (False, True):
            for rv in (False, True):
                row(
                    f"{n}_{ax}_{ex}_{rv}",
                    lambda x, n=n, ax=ax, ex=ex, rv=rv: getattr(M, n)(
                        x, axis=ax, exclusive=ex, reverse=rv
                    ),
                    f(2, 3, 4),
                    fixed=ax == 0,
                )
    row(n + "_int", lambda x, n=n: getattr(M, n)(x, axis=1), i(2, 3, low=1))
    row(n + "_int64", lambda x, n=n: getattr(M, n)(x, axis=1), i(2, 3, low=1, dtype="int64"))
row("cumprod_empty", lambda x: M.cumprod(x, axis=1), f(2, 0))
row("cumprod_1", lambda x: M.cumprod(x), f(5))
row("cumprod_len1", lambda x: M.cumprod(x, exclusive=True), f(1, 2))
row("cumulative_logsumexp", lambda x: M.cumulative_logsumexp(x, axis=1), f(2, 4))
row(
    "cumlogsumexp_rev",
    lambda x: M.cumulative_logsumexp(x, axis=1, exclusive=True, reverse=True),
    f(2, 4),
)
bx = v(
    [[0.0, 0.0, 0.5, 0.5], [0.1, 0.2, 0.9, 1.0], [-0.2, 0.1, 1.2, 0.8], [0.9, 0.8, 0.1, 0.2]],
    "float32",
)
for me in ("bilinear", "nearest"):
    row(
        "crop_and_resize_" + me,
        lambda im, q, k, me=me: I.crop_and_resize(im, q, k, [3, 4], me, extrapolation_value=2.0),
        f(2, 6, 5, 3),
        bx,
        v([0, 1, 0, 1], "int32"),
    )
    row(
        "crop_and_resize_open_" + me,
        lambda im, q, k, me=me: I.crop_and_resize(im, q, k, [3, 4], me),
        f(2, 6, 5, 3),
        bx,
        v([0, 1, 0, 1], "int32"),
        fixed=False,
    )
    row(
        "crop_and_resize_11_" + me,
        lambda im, q, k, me=me: I.crop_and_resize(im, q, k, [1, 1], me),
        f(2, 6, 5, 3),
        bx,
        v([0, 1, 0, 1], "int32"),
    )
row(
    "crop_and_resize_uint8",
    lambda im, q, k: I.crop_and_resize(im, q, k, [3, 4]),
    i(2, 6, 5, 3, high=255, dtype="uint8"),
    bx,
    v([0, 1, 0, 1], "int32"),
)
row(
    "crop_and_resize_dynsize",
    lambda im, q, k, z: I.crop_and_resize(im, q, k, z),
    f(2, 6, 5, 3),
    bx,
    v([0, 1, 0, 1], "int32"),
    v([4, 2], "int32"),
)
nb = v(
    [
        [0, 0, 1, 1],
        [0, 0.1, 1, 1.1],
        [0, -0.1, 1, 0.9],
        [0, 10, 1, 11],
        [0, 10.1, 1, 11.1],
        [0, 100, 1, 101],
    ],
    "float32",
)
sc = v([0.9, 0.75, 0.6, 0.95, 0.5, 0.3], "float32")
row("nms", lambda q, s: I.non_max_suppression(q, s, 3, 0.5), nb, sc)
row("nms_thr", lambda q, s: I.non_max_suppression(q, s, 6, 0.5, 0.4), nb, sc)
row("nms_open", lambda q, s: I.non_max_suppression(q, s, 3), nb, sc, fixed=False)
row(
    "nms_padded",
    lambda q, s: I.non_max_suppression_padded(q, s, 5, 0.5, pad_to_max_output_size=True),
    nb,
    sc,
)
row(
    "nms_v4",
    lambda q, s: RAW.NonMaxSuppressionV4(
        boxes=q,
        scores=s,
        max_output_size=5,
        iou_threshold=0.5,
        score_threshold=0.4,
        pad_to_max_output_size=True,
    ),
    nb,
    sc,
)
row(
    "nms_v4b",
    lambda q, s: RAW.NonMaxSuppressionV4(
        boxes=q, scores=s, max_output_size=5, iou_threshold=0.5, score_threshold=0.4
    ),
    nb,
    sc,
)
row(
    "nms_v1",
    lambda q, s: RAW.NonMaxSuppression(boxes=q, scores=s, max_output_size=5, iou_threshold=0.5),
    nb,
    sc,
)
row(
    "nms_v2",
    lambda q, s: RAW.NonMaxSuppressionV2(boxes=q, scores=s, max_output_size=5, iou_threshold=0.5),
    nb,
    sc,
)
row("nms_scores", lambda q, s: I.non_max_suppression_with_scores(q, s, 5, 0.5, 0.1), nb, sc)
row(
    "nms_soft",
    lambda q, s: I.non_max_suppression_with_scores(q, s, 5, 0.5, 0.1, soft_nms_sigma=0.5),
    nb,
    sc,
)
row("nms_overlaps", lambda o, s: I.non_max_suppression_overlaps(o, s, 5), u(6, 6), sc)
row(
    "combined_nms",
    lambda q, s: I.combined_non_max_suppression(q[None, :, None], s[None, :, None], 3, 5, 0.5, 0.2),
    nb,
    sc,
)
row(
    "combined_nms_cls",
    lambda q, s: I.combined_non_max_suppression(
        q[None, :, None], tf.stack([s, s * 0.5], -1)[None], 3, 5, 0.5, 0.2, clip_boxes=False
    ),
    nb,
    sc,
)
for me in (
    "bilinear",
    "nearest",
    "bicubic",
    "area",
    "lanczos3",
    "gaussian",
    "mitchellcubic",
    "lanczos5",
):
    row("resize_" + me, lambda im, me=me: I.resize(im, [7, 4], me), f(1, 5, 6, 2))
    row(
        "resize_int_" + me,
        lambda im, me=me: I.resize(im, [7, 4], me),
        i(1, 5, 6, 2, high=255, dtype="uint8"),
    )
    row("resize_open_" + me, lambda im, me=me: I.resize(im, [7, 4], me), f(1, 5, 6, 2), fixed=False)
row("resize_aa", lambda im: I.resize(im, [3, 4], antialias=True), f(1, 7, 6, 2))
row("rgb_to_hsv", I.rgb_to_hsv, u(2, 3, 3))
row("hsv_to_rgb", I.hsv_to_rgb, u(2, 3, 3))
row("rgb_gray", I.rgb_to_grayscale, u(1, 2, 3, 3))
row("adjust_hue", lambda x: I.adjust_hue(x, 0.2), u(2, 3, 3))
row("adjust_sat", lambda x: I.adjust_saturation(x, 0.5), u(2, 3, 3))
row("contrast", lambda x: I.adjust_contrast(x, 2.0), u(1, 2, 3, 3))
row("gamma", lambda x: I.adjust_gamma(x, 2.0), u(1, 2, 3, 3))
for lo, hi in ((-1.0, 1.0), (0.5, 6.0), (-6.0, -0.5), (0.0, 6.0), (-3.0, 0.0), (-0.1, 4.0)):
    row(
        f"fq_args{lo},{hi}",
        lambda x, lo=lo, hi=hi: tf.quantization.fake_quant_with_min_max_args(x * 3, lo, hi),
        f(3, 4),
    )
    row(
        f"fq_vars{lo},{hi}",
        lambda x, lo=lo, hi=hi: tf.quantization.fake_quant_with_min_max_vars(
            x * 3, lo, hi, num_bits=4, narrow_range=True
        ),
        f(3, 4),
    )
row(
    "fq_perch",
    lambda x: tf.quantization.fake_quant_with_min_max_vars_per_channel(
        x * 3, [-1.0, 0.2, -5.0, 0.0], [1.0, 2.0, -1.0, 4.0]
    ),
    f(3, 4),
)
row(
    "fq_dyn",
    lambda x, lo, hi: tf.quantization.fake_quant_with_min_max_vars(x * 3, lo, hi),
    f(3, 4),
    v(-1.0, "float32"),
    v(2.0, "float32"),
)
row(
    "qdq",
    lambda x: tf.quantization.quantize_and_dequantize_v2(x, -1.0, 1.0, range_given=True),
    f(3, 4),
)
row(
    "qdq_unsigned",
    lambda x: tf.quantization.quantize_and_dequantize_v2(
        x, 0.0, 6.0, signed_input=False, range_given=True
    ),
    f(3, 4),
)
row("qdq_norange", lambda x: tf.quantization.quantize_and_dequantize_v2(x, 0.0, 0.0), f(3, 4))
for dt in ("float32", "float16", "bfloat16"):
    row(
        "bn_" + dt,
        lambda x, g, o, m, w, dt=dt: tf.cast(
            RAW.FusedBatchNormV3(
                x=tf.cast(x, dt), scale=g, offset=o, mean=m, variance=w, is_training=False
            ).y,
            tf.float32,
        ),
        f(2, 4, 4, 3),
        f(3),
        f(3),
        f(3),
        u(3),
    )
    row(
        "bn_nchw_" + dt,
        lambda x, g, o, m, w, dt=dt: tf.cast(
            RAW.FusedBatchNormV3(
                x=tf.cast(x, dt),
                scale=g,
                offset=o,
                mean=m,
                variance=w,
                is_training=False,
                data_format="NHWC",
            ).y,
            tf.float32,
        ),
        f(2, 4, 4, 3),
        f(3),
        f(3),
        f(3),
        u(3),
        fixed=False,
    )
row(
    "bn_train",
    lambda x, g, o: RAW.FusedBatchNormV3(
        x=x, scale=g, offset=o, mean=[], variance=[], is_training=True
    )[:3],
    f(2, 4, 4, 3),
    f(3),
    f(3),
)
row(
    "bn_train_y",
    lambda x, g, o: (
        RAW.FusedBatchNormV3(x=x, scale=g, offset=o, mean=[], variance=[], is_training=True).y
    ),
    f(2, 4, 4, 3),
    f(3),
    f(3),
)
row(
    "bn_exp",
    lambda x, g, o, m, w: RAW.FusedBatchNormV3(
        x=x, scale=g, offset=o, mean=m, variance=w, is_training=True, exponential_avg_factor=0.3
    )[:3],
    f(2, 4, 4, 3),
    f(3),
    f(3),
    f(3),
    u(3),
)
row(
    "bn_plain",
    lambda x, g, o, m, w: N.batch_normalization(x, m, w, o, g, 0.001),
    f(2, 3),
    f(3),
    f(3),
    f(3),
    u(3),
)
row(
    "bn_5d",
    lambda x, g, o, m, w: (
        RAW.FusedBatchNormV3(
            x=x, scale=g, offset=o, mean=m, variance=w, is_training=False, data_format="NDHWC"
        ).y
    ),
    f(2, 2, 4, 4, 3),
    f(3),
    f(3),
    f(3),
    u(3),
)
row(
    "bn_double",
    lambda x, g: (
        RAW.FusedBatchNormV3(
            x=x, scale=g, offset=g, mean=g, variance=tf.abs(g), is_training=False
        ).y
    ),
    f(2, 4, 4, 3),
    f(3),
)
row(
    "cond_merged",
    lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: (x, x), lambda: (x + 1, x)),
    f(2, 3),
)
row(
    "cond_repl",
    lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: (x * 2,) * 2, lambda: (x + 1,) * 2),
    f(2, 3),
)
row(
    "cond_const",
    lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: tf.constant(1.0), lambda: tf.constant(2.0)),
    f(2, 3),
)
row("cond_pass", lambda x, y: tf.cond(tf.reduce_sum(x) > 0, lambda: x, lambda: y), f(2, 3), f(2, 3))
row(
    "cond_nested",
    lambda x: tf.cond(
        tf.reduce_sum(x) > 0, lambda: tf.cond(x[0, 0] > 0, lambda: x, lambda: x * 2), lambda: x * 3
    ),
    f(2, 3),
)
row(
    "cond_merged2",
    lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: (x, tf.nn.relu(x), x), lambda: (x, x, x)),
    f(2, 3),
    fixed=False,
)
row(
    "cond_sameresult",
    lambda x: tf.cond(tf.reduce_sum(x) > 0, lambda: (lambda r: (r, r))(x * 2), lambda: (x, x)),
    f(2, 3),
)
row(
    "cond_same_branch_outer",
    lambda x: (lambda z: tf.cond(tf.reduce_sum(x) > 0, lambda: (z, z), lambda: (x, z)))(x * 3),
    f(2, 3),
)
row(
    "case",
    lambda x, k: tf.switch_case(k, [lambda: x, lambda: x + 1, lambda: x * 2]),
    f(2, 3),
    v(1, "int32"),
)
row(
    "case_oob",
    lambda x, k: tf.switch_case(k, [lambda: x, lambda: x + 1, lambda: x * 2]),
    f(2, 3),
    v(7, "int32"),
)
row(
    "case_merged",
    lambda x, k: tf.switch_case(k, [lambda: (x, x), lambda: (x + 1, x), lambda: (x, x * 2)]),
    f(2, 3),
    v(1, "int32"),
)
row(
    "while",
    lambda x, n: tf.while_loop(lambda i, a: i < n, lambda i, a: (i + 1, a * 1.5), (0, x))[1],
    f(2, 3),
    v(3, "int32"),
)
row(
    "while_cond",
    lambda x: tf.while_loop(lambda a: tf.reduce_sum(tf.abs(a)) < 50, lambda a: (a * 2,), (x,))[0],
    f(2, 3),
)
row(
    "while_max",
    lambda x: tf.while_loop(
        lambda a: tf.reduce_sum(tf.abs(a)) < 50, lambda a: (a * 2,), (x,), maximum_iterations=2
    )[0],
    f(2, 3),
)
row(
    "while_swap",
    lambda x, y: tf.while_loop(lambda i, a, b: i < 3, lambda i, a, b: (i + 1, b, a), (0, x, y))[1:],
    f(2, 3),
    f(2, 3),
)
row(
    "while_dup",
    lambda x, y: tf.while_loop(lambda i, a, b: i < 3, lambda i, a, b: (i + 1, b, b), (0, x, y))[1:],
    f(2, 3),
    f(2, 3),
)
row("scan", lambda x: tf.scan(lambda a, b: a + b, x), f(5, 3))
row("map_fn", lambda x: tf.map_fn(lambda a: a * 2 + 1, x), f(5, 3))
row("map_fn_open", lambda x: tf.map_fn(lambda a: tf.reduce_sum(a) * a, x), f(5, 3), fixed=False)
row("ta", lambda x: tf.TensorArray(tf.float32, 3).unstack(x).stack(), f(3, 2))


def ta_write(x):
    ta = tf.TensorArray(tf.float32, 3)
    for k in range(3):
        ta = ta.write(k, x[k] * k)
    return ta.stack()


row("ta_write", ta_write, f(3, 2))
row("ta_concat", lambda x: tf.TensorArray(tf.float32, 3).unstack(x).concat(), f(3, 2))


def while_ta(x):

    def body(i, ta):
        return (i + 1, ta.write(i, x[i] * 2))

    return tf.while_loop(
        lambda i, ta: i < tf.shape(x)[0], body, (0, tf.TensorArray(tf.float32, tf.shape(x)[0]))
    )[1].stack()


row("while_ta", while_ta, f(3, 2), fixed=False)
row("while_ta_fixed", while_ta, f(3, 2))
row(
    "while_rev",
    lambda x: tf.while_loop(lambda i, a: i >= 0, lambda i, a: (i - 1, a + x[i]), (2, x[0] * 0))[1],
    f(3, 2),
)
row(
    "while_step2",
    lambda x: tf.while_loop(lambda i, a: i < 6, lambda i, a: (i + 2, a + x[i]), (0, x[0] * 0))[1],
    f(6, 2),
)
row(
    "while_le",
    lambda x: tf.while_loop(lambda i, a: i <= 2, lambda i, a: (i + 1, a + x[i]), (0, x[0] * 0))[1],
    f(6, 2),
)
row(
    "while_gt",
    lambda x, n: tf.while_loop(lambda i, a: n > i, lambda i, a: (i + 1, a + x[i]), (0, x[0] * 0))[
        1
    ],
    f(6, 2),
    v(3, "int32"),
)
row("str_const", lambda x: tf.where(x > 0, tf.constant("yes"), tf.constant("no")), f(4))
row("str_gather", lambda k: tf.gather(tf.constant(["a", "b", "c", "d", "é"]), k), i(4))
row("str_out", lambda x: (x, tf.constant(["a", "b"])), f(2))
row(
    "str_join",
    lambda k: tf.strings.join([tf.gather(tf.constant(["a", "b"]), k), tf.constant("z")]),
    i(3, high=2),
)
row("str_len", lambda k: tf.strings.length(tf.gather(tf.constant(["a", "bb"]), k)), i(3, high=2))
row("str_lower", lambda k: tf.strings.lower(tf.gather(tf.constant(["A", "Bb"]), k)), i(3, high=2))
row(
    "str_hash",
    lambda k: tf.strings.to_hash_bucket_fast(tf.gather(tf.constant(["A", "Bb"]), k), 7),
    i(3, high=2),
)
row(
    "str_split",
    lambda k: tf.strings.split(tf.gather(tf.constant(["A b", "Bb"]), k)).values,
    i(3, high=2),
)
row(
    "str_regex",
    lambda k: tf.strings.regex_replace(tf.gather(tf.constant(["A b", "Bb"]), k), "b", "c"),
    i(3, high=2),
)
row(
    "str_tonum",
    lambda k: tf.strings.to_number(tf.gather(tf.constant(["1.5", "2"]), k)),
    i(3, high=2),
)
row(
    "str_substr",
    lambda k: tf.strings.substr(tf.gather(tf.constant(["abc", "xyz"]), k), 1, 2),
    i(3, high=2),
)
row(
    "str_reshape",
    lambda k: tf.reshape(tf.gather(tf.constant(["abc", "xyz"]), k), [3, 1]),
    i(3, high=2),
)
row(
    "str_select",
    lambda k: tf.where(k > 0, tf.gather(tf.constant(["abc", "xyz"]), k), "none"),
    i(3, high=2),
)
row("str_onehot", lambda k: tf.one_hot(k, 2, on_value="a", off_value="b"), i(3, high=2))
row("zero_concat", lambda x: tf.concat([x, tf.zeros([0, 3])], 0), f(2, 3))
row("zero_rows", lambda x: tf.nn.relu(x) @ tf.ones([3, 2]), f(0, 3))
row("zero_slice", lambda x: x[:, 3:], f(2, 3))
row("zero_sum", lambda x: tf.reduce_sum(x[:0]), f(2, 3))
row("zero_max", lambda x: tf.reduce_max(x[:0], 0), f(2, 3))
row("zero_mean", lambda x: tf.reduce_mean(x[:0], 0), f(2, 3))
row("zero_const", lambda x: tf.reduce_sum(x) + tf.reduce_sum(tf.zeros([0])), f(2, 3))
row("zero_gather", lambda x: tf.gather(x, tf.zeros([0], tf.int32)), f(2, 3))
row(
    "zero_gather_fixed",
    lambda x: tf.gather(x, [] if False else tf.constant([], tf.int32), axis=1),
    f(2, 3),
)
row("zero_split", lambda x: tf.split(x, [0, 3], 1), f(2, 3))
row("zero_split_open", lambda x: tf.split(x, [2, 0, 1], 1), f(2, 3))
row("zero_matmul", lambda x: x[:, :0] @ tf.ones([0, 4]), f(2, 3))
row("zero_reshape", lambda x: tf.reshape(x, [0, 3]), f(0, 3))
row("zero_reshape_open", lambda x: tf.reshape(x, [tf.shape(x)[0], -1]), f(0, 3, 2), fixed=False)
row("zero_pad", lambda x: tf.pad(x, [[1, 0], [0, 0]]), f(0, 3))
row("zero_argmax", lambda x: tf.argmax(x, 1), f(0, 3))
row("zero_range", lambda x: tf.cast(tf.range(0), tf.float32) + tf.reduce_sum(x), f(2))
row("zero_tile", lambda x: tf.tile(x, [0, 1]), f(2, 3))
row("zero_tile_dyn", lambda x, k: tf.tile(x, k), f(2, 3), v([0, 2], "int32"))
row("zero_fill", lambda x: tf.fill([0, 2], x), f())
row("zero_topk", lambda x: tf.math.top_k(x, 0).values, f(2, 3))
row("zero_stack", lambda x: tf.stack([x, x]), f(0))
row("zero_onehot", lambda k: tf.one_hot(k, 0), i(3))
row("zero_onehot_rows", lambda k: tf.one_hot(k, 4), i(0))
row("zero_softmax", lambda x: tf.nn.softmax(x), f(2, 0))
row("zero_where", lambda x: tf.where(x > 100), f(2, 3))
row("zero_bool", lambda x: tf.boolean_mask(x, x[:, 0] > 100), f(2, 3))
row("zero_unique", lambda x: tf.unique(x)[0], i(0))
row("zero_transpose", lambda x: tf.transpose(x), f(0, 3))
row("zero_cumsum", lambda x: tf.cumsum(x), f(0, 3))
row("zero_batchmm", lambda x, y: x @ y, f(0, 2, 3), f(0, 3, 4))
row("zero_einsum", lambda x, y: tf.einsum("bij,jk->bik", x, y), f(0, 2, 3), f(3, 4))
row("zero_pool", lambda x: tf.nn.max_pool2d(x, 2, 2, "SAME"), f(0, 4, 4, 3))
row("zero_sort", lambda x: tf.sort(x), f(0))
row("zero_reverse", lambda x: tf.reverse(x, [0]), f(0, 3))
row(
    "zero_scatter",
    lambda x: tf.tensor_scatter_nd_update(x, tf.zeros([0, 1], tf.int32), tf.zeros([0, 3])),
    f(2, 3),
)
row("zero_all", lambda x: tf.reduce_all(x[:0] > 0), f(2, 3))
row("zero_prod", lambda x: tf.reduce_prod(x[:0]), f(2, 3))
row("zero_prod_int", lambda x: tf.reduce_prod(x[:0]), i(2, 3))
row("zero_max_int", lambda x: tf.reduce_max(x[:0]), i(2, 3))
row("zero_l2", lambda x: tf.nn.l2_loss(x[:0]), f(2, 3))
row("zero_std", lambda x: tf.math.reduce_std(x[:0]), f(2, 3))
row("zero_embedding", lambda k: tf.nn.embedding_lookup(tf.ones([5, 2]), k), i(0))
row("zero_seg", lambda x: tf.math.segment_sum(x, tf.zeros([0], tf.int32)), f(0, 3))
row("zero_feature", lambda x: tf.concat([x, tf.zeros([2, 0])], 1), f(2, 3))
row("zero_stridedassign", lambda x: x[0:0] + 1, f(2, 3))
row("zero_roll", lambda x: tf.roll(x, 1, 0), f(0, 3))
row(
    "zero_while",
    lambda x: tf.while_loop(lambda i, a: i < 0, lambda i, a: (i + 1, a * 2), (0, x))[1],
    f(2, 3),
)
row("zero_fraction", N.zero_fraction, i(3, 3, high=2))

CONVOLVED = (f(2, 6, 6, 2), f(3, 3, 2, 4))
POLE = v([[0.0, 1.0, -1.0], [2.0, 0.0, 3.0]], "float32")
row("ellipsis_of_none", lambda x: x[..., tf.newaxis, :], f(3))
row("ellipsis_of_none_after", lambda x: x[tf.newaxis, 1, ..., tf.newaxis, ::-2], f(3, 4))
row("ellipsis_of_none_last", lambda x: x[tf.newaxis, 1:, :, ...], f(3, 4))
row("ellipsis_of_one", lambda x: x[..., tf.newaxis, :], f(3, 4), fixed=False)
row("where_pole", lambda x: tf.where(x > 0, M.log(x), 0.0), POLE)
row("where_pole_else", lambda x: tf.where(x > 0, 0.0, x / 0.0), POLE)
row("bfloat16_equal", lambda x: tf.cast(x, tf.bfloat16) == tf.constant(0.5, tf.bfloat16), POLE)
row("bfloat16_differs", lambda x: tf.cast(x, tf.bfloat16) != tf.constant(0.5, tf.bfloat16), POLE)
row("map_nothing", lambda x: tf.map_fn(lambda r: r * 2, x), f(0, 3))
row("map_nothing_sum", lambda x: tf.map_fn(tf.reduce_sum, x), f(0, 3), fixed=False)
row("logsumexp_nothing", lambda x: M.reduce_logsumexp(x, 0), f(0, 3))
row("conv_slice", lambda x, w: N.conv2d(x, w, 1, "SAME")[:, 1:, ::2, ..., 0], *CONVOLVED)
row("conv_new_axis", lambda x, w: N.conv2d(x, w, 1, "SAME")[:, tf.newaxis, 1], *CONVOLVED)
row("cross_of_three", lambda x, y: L.cross(x, y), f(2, 3), f(2, 3))

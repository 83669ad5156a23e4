"""Handlers of the room `image`."""

from __future__ import annotations

import io

import numpy as np
import tensorflow as tf

from converter.rebuild.tensorflow.table import op

_FORMATS = (
    (0, b"\xff\xd8", lambda data: tf.io.decode_jpeg(data, 3, dct_method="INTEGER_ACCURATE")),
    (0, b"\x89PNG", lambda data: tf.io.decode_png(data, 3)),
    (0, b"BM", lambda data: tf.io.decode_bmp(data)[..., :3]),
    (8, b"WEBP", lambda data: tf.io.decode_webp(data, 3)[0]),  # of an animation, the first
)
"""Where a file of each format says what, and TensorFlow's kernel for it."""


@op("ImageDecoder", since=20)
def image_decoder(encoded_stream, *, pixel_format="RGB"):
    """Decode a file's bytes to uint8 ``[height, width, channels]``.

    JPEG, PNG, BMP and WebP by TensorFlow's kernels. JPEG 2000, PNM and TIFF by Pillow, on the host
    and in the process that built the model: a SavedModel read elsewhere does not have them.
    """
    if pixel_format not in ("RGB", "BGR", "Grayscale"):
        raise NotImplementedError(f"ImageDecoder with pixel_format={pixel_format!r}")
    characters = tf.constant([bytes([code]) for code in range(256)])
    data = tf.strings.reduce_join(tf.gather(characters, tf.cast(encoded_stream, tf.int32)))
    said = [tf.strings.substr(data, at, len(magic)) == magic for at, magic, _ in _FORMATS]
    kind = tf.argmax(tf.cast(tf.stack([*said, True]), tf.int32), output_type=tf.int32)
    decoders = [lambda decode=decode: decode(data) for _, _, decode in _FORMATS]
    pixels = tf.switch_case(kind, [*decoders, lambda: tf.numpy_function(_pillow, [data], tf.uint8)])
    pixels = tf.ensure_shape(pixels, [None, None, 3])
    if pixel_format == "Grayscale":
        return _luma(pixels)
    return tf.reverse(pixels, [2]) if pixel_format == "BGR" else pixels


def _luma(pixels):
    """ITU-R 601 in integers, rounded as Pillow does."""
    total = tf.reduce_sum(tf.cast(pixels, tf.int32) * [19595, 38470, 7471], -1, keepdims=True)
    return tf.cast(tf.bitwise.right_shift(total + 0x8000, 16), tf.uint8)


def _pillow(data):
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("this image needs Pillow: pip install pillow") from error
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))

"""Handlers of the room `image`."""

from __future__ import annotations

import io

import numpy as np
import torch

from converter.errors import MissingFrameworkError
from converter.rebuild.pytorch.table import op


@op("ImageDecoder", since=20)
def image_decoder(encoded_stream, *, pixel_format="RGB"):
    """Decode a file's bytes to uint8 ``[height, width, channels]``.

    Host work by Pillow, which has all formats that ONNX names (BMP, JPEG, JPEG 2000, PNG, PNM,
    TIFF, WebP).

    Raises:
        MissingFrameworkError: Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        hint = "pip install 'equiport[images]'"
        raise MissingFrameworkError("ImageDecoder needs Pillow.", hint=hint) from error
    if pixel_format not in ("RGB", "BGR", "Grayscale"):
        raise NotImplementedError(f"ImageDecoder with pixel_format={pixel_format!r}")
    image = Image.open(io.BytesIO(encoded_stream.cpu().numpy().tobytes()))
    pixels = np.array(image.convert("L" if pixel_format == "Grayscale" else "RGB"))
    result = torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1)).to(encoded_stream.device)
    return result.flip(2) if pixel_format == "BGR" else result

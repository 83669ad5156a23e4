"""The handwritten-digit CNN, really trained."""

from zoo.entry import Entry, Side
from zoo.rules import batch_norm, conv2d, linear_after_flatten

ENTRY = Entry(
    name="digits_cnn",
    summary="handwritten-digit CNN, trained on scikit-learn's 8x8 digits",
    torch=Side(
        ("x:float32[batch,1,8,8]",),
        "zoo.twins.digits_cnn.pytorch:build",
        "zoo.twins.digits_cnn.pytorch:train",
    ),
    tf=Side(
        ("x:float32[batch,8,8,1]",),
        "zoo.twins.digits_cnn.keras:build",
        "zoo.twins.digits_cnn.keras:train",
    ),
    name_map=(
        *conv2d("conv1", "conv1", bias=False),
        *batch_norm("norm1", "norm1"),
        *conv2d("conv2", "conv2", bias=False),
        *batch_norm("norm2", "norm2"),
        *linear_after_flatten("logits", "logits", (32, 2, 2)),
    ),
    permutations={"x": (0, 2, 3, 1)},
    score="zoo.twins.digits_cnn.data:score",
)

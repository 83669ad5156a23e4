"""A MobileNet-like CNN."""

from zoo.entry import Entry, Rule, Side
from zoo.rules import batch_norm, conv2d, depthwise_conv2d, linear

BLOCKS = 4


def _block(index: int) -> tuple[Rule, ...]:
    torch, keras = f"blocks.{index}", f"block{index}"
    return (
        *conv2d(f"{torch}.expand", f"{keras}_expand", bias=False),
        *batch_norm(f"{torch}.expand_norm", f"{keras}_expand_norm"),
        *depthwise_conv2d(f"{torch}.depthwise", f"{keras}_depthwise", bias=False),
        *batch_norm(f"{torch}.depthwise_norm", f"{keras}_depthwise_norm"),
        *conv2d(f"{torch}.squeeze", f"{keras}_squeeze"),
        *conv2d(f"{torch}.excite", f"{keras}_excite"),
        *conv2d(f"{torch}.project", f"{keras}_project", bias=False),
        *batch_norm(f"{torch}.project_norm", f"{keras}_project_norm"),
    )


ENTRY = Entry(
    name="mobilenet",
    summary="MobileNet-like CNN: depthwise separable, squeeze-excite, ReLU6 and hard-swish",
    torch=Side(("x:float32[batch,3,32,32]",), "zoo.twins.mobilenet.pytorch:build"),
    tf=Side(("x:float32[batch,32,32,3]",), "zoo.twins.mobilenet.keras:build"),
    seed=7,
    name_map=(
        *conv2d("stem", "stem", bias=False),
        *batch_norm("stem_norm", "stem_norm"),
        *(rule for index in range(BLOCKS) for rule in _block(index)),
        *linear("logits", "logits"),
    ),
    permutations={"x": (0, 2, 3, 1)},
)

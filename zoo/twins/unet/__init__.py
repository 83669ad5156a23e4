"""A U-Net with transposed convolutions and skip connections."""

from zoo.entry import Entry, Rule, Side
from zoo.rules import batch_norm, conv2d, conv2d_transpose

STAGES = ("down1", "down2", "bottom", "up2", "up1")


def _stage(name: str) -> tuple[Rule, ...]:
    return tuple(
        rule
        for index in (1, 2)
        for rule in (
            *conv2d(f"{name}.conv{index}", f"{name}_conv{index}", bias=False),
            *batch_norm(f"{name}.norm{index}", f"{name}_norm{index}"),
        )
    )


ENTRY = Entry(
    name="unet",
    summary="U-Net: transposed convolutions, skip connections, logits per pixel",
    torch=Side(("x:float32[batch,3,32,32]",), "zoo.twins.unet.pytorch:build"),
    tf=Side(("x:float32[batch,32,32,3]",), "zoo.twins.unet.keras:build"),
    seed=8,
    name_map=(
        *(rule for stage in STAGES for rule in _stage(stage)),
        *conv2d_transpose("grow2", "grow2"),
        *conv2d_transpose("grow1", "grow1"),
        *conv2d("logits", "logits"),
    ),
    permutations={"x": (0, 2, 3, 1), "output": (0, 2, 3, 1)},
)

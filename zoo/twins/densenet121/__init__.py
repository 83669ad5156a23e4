"""DenseNet-121 with 14 sigmoid outputs, the chest X-ray architecture."""

from zoo.entry import Entry, Rule, Side
from zoo.rules import batch_norm, conv2d, linear

BLOCKS = (6, 12, 24, 16)


def _layer(block: int, layer: int) -> tuple[Rule, ...]:
    torch = f"features.denseblock{block}.denselayer{layer}"
    keras = f"block{block}_layer{layer}"
    return (
        *batch_norm(f"{torch}.norm1", f"{keras}_norm1"),
        *conv2d(f"{torch}.conv1", f"{keras}_conv1", bias=False),
        *batch_norm(f"{torch}.norm2", f"{keras}_norm2"),
        *conv2d(f"{torch}.conv2", f"{keras}_conv2", bias=False),
    )


def _transition(block: int) -> tuple[Rule, ...]:
    torch, keras = f"features.transition{block}", f"transition{block}"
    return (
        *batch_norm(f"{torch}.norm", f"{keras}_norm"),
        *conv2d(f"{torch}.conv", f"{keras}_conv", bias=False),
    )


ENTRY = Entry(
    name="densenet121",
    summary="DenseNet-121 with 14 sigmoid outputs, the chest X-ray architecture",
    torch=Side(("x:float32[batch,3,64,64]",), "zoo.twins.densenet121.pytorch:build"),
    tf=Side(("x:float32[batch,64,64,3]",), "zoo.twins.densenet121.keras:build"),
    seed=6,
    name_map=(
        *conv2d("features.conv0", "conv0", bias=False),
        *batch_norm("features.norm0", "norm0"),
        *(
            rule
            for block, layers in enumerate(BLOCKS, 1)
            for layer in range(1, layers + 1)
            for rule in _layer(block, layer)
        ),
        *(rule for block in (1, 2, 3) for rule in _transition(block)),
        *batch_norm("features.norm5", "norm5"),
        *linear("classifier", "classifier"),
    ),
    permutations={"x": (0, 2, 3, 1)},
    sizes={"batch": (1, 2, 3)},
)

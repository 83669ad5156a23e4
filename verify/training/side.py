"""A side's part in the comparison of training, by its framework."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from verify.training.plan import Ability, Arrays, Learned, Plan

if TYPE_CHECKING:
    from converter.signature import Signature
    from verify.engine import Engine


def ability(engine: Engine) -> Ability:
    """Tell whether a loaded model trains."""
    result: Ability = _room(engine).ability(engine)
    return result


def learn(
    engine: Engine, plan: Plan, inputs: Arrays, targets: Arrays, signature: Signature | None
) -> Learned:
    """Carry out a plan.

    Args:
        inputs: arrays by the side's names for its inputs.
        targets: what the loss wants, by the side's names for its outputs.
        signature: the inputs, for a model that does not say itself what they look like.

    Raises:
        EquiportError: the model cannot be had in the precision that the plan wants.
    """
    result: Learned = _room(engine).learn(engine, plan, inputs, targets, signature)
    return result


def _room(engine: Engine) -> Any:
    name = "tensorflow" if engine.source.framework == "tensorflow" else "pytorch"
    return import_module(f"verify.training.{name}")

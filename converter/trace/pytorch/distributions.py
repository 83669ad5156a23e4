"""`torch.distributions` without its checks of arguments while a module is traced.

The checks read values (``if not valid.all(): raise``), which a trace has not got. They change no
number; the model itself keeps them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from torch.distributions import Distribution


@contextmanager
def without_checks() -> Iterator[None]:
    """Make every distribution as if with ``validate_args=False``."""
    made = Distribution.__init__

    def unchecked(self: Distribution, *args: Any, **kwargs: Any) -> None:
        made(self, *args[:2], **{**kwargs, "validate_args": False})

    with mock.patch.object(Distribution, "__init__", unchecked):
        yield

"""A pytest plugin: the fixture `assert_equivalent`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def assert_equivalent() -> Callable[..., None]:
    """Return `verify.assert_equivalent`: raises with the report's text unless two models agree."""

    def check(a: Any, b: Any, inputs: Any = None, **options: Any) -> None:
        __tracebackhide__ = True
        from verify.verification import assert_equivalent

        assert_equivalent(a, b, inputs, **options)

    return check

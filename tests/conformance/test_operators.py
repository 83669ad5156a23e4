"""The page of operators lists every operator with all of its versions."""

from __future__ import annotations

import pytest

from tests.conformance.coverage import versions
from tests.conformance.differences import DIFFERENCES
from tests.conformance.operators import PAGE, stored


def rows() -> dict[str, str]:
    lines = PAGE.read_text().splitlines()
    return {line.split("`")[1]: line for line in lines if line.startswith("| `")}


def test_every_operator_is_on_the_page_with_its_versions() -> None:
    found = rows()
    for (_, name), schemas in versions().items():
        since = ", ".join(str(schema.since_version) for schema in schemas)
        assert found[name].split(" | ")[1] == since, name
    assert len(found) == len(versions())


def test_every_known_difference_is_on_the_page() -> None:
    for name, notes in DIFFERENCES.items():
        for note in notes.values():
            assert note in rows()[name]


@pytest.mark.parametrize("framework", ["pytorch", "tensorflow"])
def test_what_the_suite_has_of_an_operator_passes(framework: str) -> None:
    """Fewer cases pass only where a difference is written down."""
    assert stored(framework)
    for name, figures in stored(framework).items():
        if figures["passed"] < figures["cases"]:
            assert framework in DIFFERENCES[name.split("::")[1]]

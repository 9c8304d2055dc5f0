"""Procedural scenes as downloads of every data set, written once per test run."""

from __future__ import annotations

import pytest

from tests.prepare.exported import DATASETS, export


@pytest.fixture(scope="session")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Name of a data set -> the sources that its command takes. Only read."""
    return {name: export(name, tmp_path_factory.mktemp(name)) for name in DATASETS}

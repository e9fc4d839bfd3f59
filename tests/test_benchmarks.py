"""Benchmarks run seldom: what they import must not have moved away under them."""

import importlib
from pathlib import Path

import pytest

NAMES = sorted(path.stem for path in (Path(__file__).parents[1] / "benchmarks").glob("*.py") if path.stem != "__init__")


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_still_imports(name: str) -> None:
    assert importlib.import_module(f"benchmarks.{name}").__doc__

"""Fixtures for the whole suite: brokers that are started for one test and ended after it."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.brokers import Embedded, Mosquitto, require_mosquitto

if TYPE_CHECKING:
    from tests.reference import Reference

# A shell gives its background jobs an ignored SIGINT, which every child inherits: tests of Ctrl-C would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def embedded_broker(tmp_path: Path) -> Iterator[Embedded]:
    """The embedded broker, running; ``.endpoint`` says where."""
    broker = Embedded(tmp_path / "embedded")
    yield broker
    broker.stop()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A real mosquitto, running; ``.endpoint`` says where. Mark tests that use it with ``broker``."""
    require_mosquitto()
    broker = Mosquitto(tmp_path / "mosquitto")
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Reference]":
    """One undisturbed federation of real processes, recorded; run once, and only when a test wants it."""
    from tests.reference import undisturbed

    with undisturbed(tmp_path_factory.mktemp("reference")) as run:
        yield run

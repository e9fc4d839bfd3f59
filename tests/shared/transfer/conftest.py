from pathlib import Path

import pytest

from shared.blobs import BlobStore
from tests.shared.transfer.source import Source


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return Source(tmp_path)


@pytest.fixture
def store(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path / "blobs")

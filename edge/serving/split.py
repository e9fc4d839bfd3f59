"""A split export as a source: one backbone's session, and for each client that is asked for a head of a few KiB."""

import threading
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

from edge.serving.graph import Graph
from edge.serving.model import ServedModel
from edge.serving.opener import Opener
from edge.serving.sources import stamp
from export.layout import BACKBONE, GENERIC, head_path
from export.loading import check_described, load, read_unchanged
from export.record import ExportRecord, read_record, record_path
from export.screening import screen
from shared.errors import VerificationError
from shared.topics import NAME_PATTERN


@dataclass(frozen=True, slots=True, kw_only=True)
class _Backbone:
    """A backbone that is open.

    Attributes:
        files: State of its files on disk when it was opened.
        record: Its certificate.
        graph: Its session; heads that were loaded behind it keep it alive when another takes over.
    """

    files: Hashable
    record: ExportRecord
    graph: Graph


class SplitSource:
    """One folder of a split export.

    A head names the backbone it was certified behind by digest and is loaded behind no other. While the files of a new
    backbone come in one by one, each client therefore stays with its old pair until its own new head is there.

    Args:
        folder: With ``backbone.onnx`` and ``heads/``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._backbone: _Backbone | None = None
        self._opening = threading.Lock()

    def token(self, client: str | None) -> Hashable:
        """Return the state on disk of the backbone's and the head's file, each with its certificate."""
        head = self._head(client)
        return self._files(), stamp(head), stamp(record_path(head))

    def load(self, client: str | None, opener: Opener) -> ServedModel:
        """Open a client's head behind the backbone, which is opened once."""
        path = self._head(client)
        record = read_record(path)
        if record.part != "head":
            raise VerificationError(f"{path} is a {record.part}, expected a head", remedy="write the heads again")
        payload = read_unchanged(path, sha256=record.sha256, size_bytes=record.size_bytes)
        check_described(path, screen(payload, name=str(path), external={}), record)
        backbone = self._opened(opener)
        _check_behind(path, record, backbone.record)
        return ServedModel(digest=record.sha256, body=backbone.graph, head=opener.open(payload, {}))

    def _opened(self, opener: Opener) -> _Backbone:
        with self._opening:
            files = self._files()
            if self._backbone is None or self._backbone.files != files:
                loaded = load(self._folder / BACKBONE)
                graph = opener.open(loaded.payload, loaded.others)
                self._backbone = _Backbone(files=files, record=loaded.record, graph=graph)
            return self._backbone

    def _files(self) -> Hashable:
        path = self._folder / BACKBONE
        return stamp(path), stamp(record_path(path))

    def _head(self, client: str | None) -> Path:
        if client is not None and not NAME_PATTERN.fullmatch(client):
            raise VerificationError(f"client {client!r} can have no head here", remedy="check the client's id")
        return head_path(self._folder, GENERIC if client is None else client)


def _check_behind(path: Path, head: ExportRecord, backbone: ExportRecord) -> None:
    """Refuse a head that was certified behind another backbone.

    Raises:
        VerificationError: The head's certificate names other files than those that are open.
    """
    needed = {other.name: other.sha256 for other in head.others}
    there = {BACKBONE: backbone.sha256} | {other.name: other.sha256 for other in backbone.others}
    if needed != there:
        raise VerificationError(
            f"{path} belongs behind another backbone than the one in {path.parent.parent}",
            remedy="write the heads again behind this backbone",
        )

"""``Predictor``: images in, answers out; another model takes over between two calls, never within one."""

import logging
import threading
import time
from collections.abc import Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.serving.answers import Answers
from edge.serving.model import ServedModel
from edge.serving.opener import Opener
from edge.serving.providers import Device
from edge.serving.sources import source_of
from shared.errors import ExportError, FedlogeError, SettingsError, VerificationError

log = logging.getLogger(__name__)

BATCH: Final = 64
"""Images per call of the runtime: bounds memory, and more gains little on a CPU."""


LOAD_SECONDS: Final = 120.0
"""Longest wait for another caller to load the first model: the largest backbones take seconds."""

SETTLING_SECONDS: Final = 2.0
"""How long a first file may lie beside another one's record: an exporter flushes to disk between its two renames."""

LOOK_SECONDS: Final = 0.02
"""Between two looks while that lasts."""


@dataclass(slots=True)
class _Slot:
    """One client's model. ``model`` is replaced as a whole, so a reader has the old one or the new one."""

    model: ServedModel | None = None
    token: Hashable = None
    refused: Hashable = None
    loading: threading.Lock = field(default_factory=threading.Lock)


class Predictor:
    """Answers from exported models; any number of threads may call it.

    ::

        predictor = Predictor("agent")                      # an agent's folder, an exported file, or a split export
        answers = predictor.predict(images, top_k=3)        # uint8, (N, channels, height, width)
        predictor.predict(images, client="device-7")        # a split export: one backbone, many heads

    What serves is looked up at every call, which costs microseconds. A model that takes over is loaded by one caller;
    the others are answered by the one before until it is ready, and for ever when it is refused.

    Args:
        path: Where the models are.
        device: "auto" measures what is there; "cpu", "cuda" or "tensorrt" asks for one, and the CPU answers with one
            warning where it is missing.
        threads: Threads within one operator on the CPU.
        batch: Images per call of the runtime.

    Raises:
        VerificationError: There is no model at the path.
        SettingsError: The device is unknown, or a number is below 1.
        ExportError: ONNX Runtime is not installed.
    """

    def __init__(self, path: Path | str, *, device: str = "auto", threads: int = 1, batch: int = BATCH) -> None:
        if threads < 1 or batch < 1:
            raise SettingsError(f"threads is {threads} and batch is {batch}, both must be at least 1")
        self._source = source_of(Path(path))
        self._opener = Opener(device, threads=threads)
        self._batch = batch
        self._slots: dict[str | None, _Slot] = {}
        self._adding = threading.Lock()

    def predict(self, images: NDArray[np.uint8], *, client: str | None = None, top_k: int = 1) -> Answers:
        """Answer images with the model that serves now.

        Args:
            images: (N, channels, height, width), uint8, N at least 1.
            client: Whose head answers, where there are several.
            top_k: Classes per image, at least 1.

        Raises:
            VerificationError: There is no such model, or its files are damaged and none served before.
            ExportError: The images do not fit.
            SettingsError: ``top_k`` is below 1.
        """
        if top_k < 1:
            raise SettingsError(f"top_k is {top_k}, must be at least 1")
        if len(images) == 0:
            raise ExportError("no image to answer")
        return self.model(client).answer(images, top_k=top_k, batch=self._batch)

    def model(self, client: str | None = None) -> ServedModel:
        """Return the model that serves now; it stays as it is, whatever takes over later.

        Raises:
            VerificationError: There is no such model, or its files are damaged and none served before.
        """
        slot = self._slot(client)
        try:
            token = self._source.token(client)
        except FedlogeError:
            if slot.model is None:
                raise
            return slot.model  # files that are gone for a moment, as between two renames
        if slot.model is not None and token in (slot.token, slot.refused):
            return slot.model
        return self._refreshed(slot, client, token)

    @property
    def device(self) -> Device | None:
        """Where models run; None before the first was opened, where there is a choice."""
        return self._opener.device

    def _slot(self, client: str | None) -> _Slot:
        slot = self._slots.get(client)
        if slot is None:
            with self._adding:
                slot = self._slots.setdefault(client, _Slot())
        return slot

    def _refreshed(self, slot: _Slot, client: str | None, token: Hashable) -> ServedModel:
        """Load what the token stands for, or return what serves while another caller does."""
        if not slot.loading.acquire(timeout=LOAD_SECONDS if slot.model is None else 0):
            if slot.model is None:  # only a first load is waited for
                raise ExportError(f"the first model took more than {LOAD_SECONDS:.0f} s to load")
            return slot.model
        try:
            if slot.model is not None and slot.token == token:
                return slot.model
            model = self._load(slot, client, token)
        except FedlogeError as error:
            slot.refused = token
            if slot.model is None:
                raise
            log.warning("the model before goes on answering: %s", error)
            return slot.model
        else:
            slot.model, slot.token = model, token
            return model
        finally:
            slot.loading.release()

    def _load(self, slot: _Slot, client: str | None, token: Hashable) -> ServedModel:
        """Load what is there; where nothing served before, wait a moment for files that do not belong together yet."""
        waits = slot.model is None and slot.refused != token
        deadline = time.monotonic() + SETTLING_SECONDS
        while True:
            try:
                return self._source.load(client, self._opener)
            except VerificationError:
                if not waits or time.monotonic() > deadline:
                    raise
            threading.Event().wait(LOOK_SECONDS)

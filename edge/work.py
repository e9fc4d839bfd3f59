"""What the device does with a task: each result is on disk, with its record, before anyone hears of it."""

import logging
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from torch import Tensor

from edge.device_data import DeviceData, load_device_data
from edge.finish import Finished, finish
from edge.journal import Journal, TrainedRound
from edge.model_history import ModelHistory, current_model
from edge.personal import Personal, load_personal, store_personal
from edge.round import run_round
from edge.versions import Versions
from shared.blobs import BlobStore
from shared.encoding import encode_update
from shared.errors import TransferError
from shared.messages import (
    ClientFigures,
    CurrentModel,
    FinalReport,
    FinishTask,
    Manifest,
    Receipt,
    TrainTask,
    UpdateOffer,
)
from shared.model import SharedModel, unpack
from shared.settings import Codec, SharedSettings, UpdateSettings
from shared.tensors import decode

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Work:
    """One device's images, journal and files.

    Attributes:
        client: Its id.
        data_spec: Where its images are.
        state: Its folder: journal, blobs, personal model.
        journal: What it did so far.
        blobs: Models and the frozen classifier as they came, and updates: what the exchange reads and writes.
        heads: Personal heads, in a folder of their own that the exchange cannot reach.
        device: Where to train.
    """

    client: str
    data_spec: str
    state: Path
    journal: Journal
    blobs: BlobStore
    heads: BlobStore
    device: torch.device
    _settings: SharedSettings | None = None
    _etf_blob: str = ""
    _data: DeviceData | None = None

    def learn(self, settings: SharedSettings, *, etf_blob: str) -> None:
        """Take the federation's settings; read the images when they are new.

        Raises:
            DataError: The images do not fit the federation.
        """
        if self._data is None or settings != self._settings:
            torch.set_num_threads(settings.training.threads)
            self._data = self._load(settings)
            log.info("%d training and %d held-out images", len(self._data.train), len(self._data.held_out))
        self._settings, self._etf_blob = settings, etf_blob

    def _load(self, settings: SharedSettings) -> DeviceData:
        return load_device_data(self.data_spec, settings, self.client)

    def ready(self) -> bool:
        """Tell whether settings, images and the frozen classifier are here."""
        return self._settings is not None and self._etf_blob in self.blobs

    def wanted(self, model: str) -> set[str]:
        """Return the blobs a task on this model needs: whatever else is on its way is wanted no longer."""
        return {model, self._etf_blob}

    def train(self, task: TrainTask) -> TrainedRound:
        """Train a round, or return what was trained before a restart; recorded and on disk when this returns.

        Raises:
            ArtifactError: The disk is full.
        """
        known = self.journal.round(task.round)
        if known is not None and known.base == task.model.blob and known.update_blob in self.blobs:
            return known
        settings, data, etf = self._ready()
        before = self.journal.before(task.round)
        started = time.monotonic()
        outcome = run_round(
            self._model(task.model),
            etf=etf,
            personal=self._kept(before),
            data=data,
            settings=settings,
            round_number=task.round,
            client=self.client,
            device=self.device,
        )
        trained = TrainedRound(
            round_number=task.round,
            base=task.model.blob,
            update_blob=self.blobs.put(encode_update(outcome.delta, settings.update.codec)),
            num_examples=outcome.num_examples,
            figures=msgspec.json.encode(outcome.figures).decode(),
            phi_blob=store_personal(outcome.personal, self.heads),
        )
        self.journal.record(trained)
        log.info("round %d: %d images, %.1f s", task.round, outcome.num_examples, time.monotonic() - started)
        return trained

    @property
    def codec(self) -> Codec:
        """How the federation's updates are encoded; known once its settings are."""
        return UpdateSettings().codec if self._settings is None else self._settings.update.codec

    def offer(self, trained: TrainedRound, payload: Manifest) -> UpdateOffer:
        """Return what the coordinator is told of a trained round."""
        return UpdateOffer(
            client=self.client,
            round=trained.round_number,
            base=trained.base,
            num_examples=trained.num_examples,
            payload=payload,
            figures=msgspec.json.decode(trained.figures, type=ClientFigures),
        )

    def settle(self, receipt: Receipt) -> None:
        """Record what became of an update, and free what no later round needs."""
        self.journal.settle(receipt.round, "accepted" if receipt.accepted else f"refused: {receipt.reason}")
        if not receipt.accepted:
            log.warning("round %d: the update was refused: %s", receipt.round, receipt.reason)
        for blob in self.journal.superseded(keep_from=receipt.round):
            self.blobs.discard(blob)
            self.heads.discard(blob)

    def finish(self, task: FinishTask) -> FinalReport:
        """Make, measure and export the personal model, or return the report made before a restart.

        Raises:
            GateRefusedError: The new model is worse than the one that serves, which goes on serving.
            ExportError: ONNX Runtime does not compute what PyTorch does; likewise.
            ArtifactError: The disk is full.
        """
        known = self.journal.report(task.model.blob)
        if known is not None:
            return msgspec.json.decode(known, type=FinalReport)
        settings, data, etf = self._ready()
        model, last = self._model(task.model), self.journal.before(task.round + 1)
        finished = finish(
            model,
            etf=etf,
            personal=self._kept(last),
            personal_round=0 if last is None else last.round_number,
            rounds_trained=self.journal.rounds_trained(),
            final_round=task.round,
            data=data,
            settings=settings,
            client=self.client,
            device=self.device,
        )
        report = self._report(task, settings, model, finished, data)
        self.journal.record_report(task.round, task.model.blob, msgspec.json.encode(report).decode())
        return report

    def _report(
        self, task: FinishTask, settings: SharedSettings, model: SharedModel, finished: Finished, data: DeviceData
    ) -> FinalReport:
        from edge.final_model import put_forward  # noqa: PLC0415 - the exporter takes seconds to load
        from export.committed import CommittedModel  # noqa: PLC0415 - likewise

        store_personal(finished.personal, self.heads)
        committed = CommittedModel(
            settings=settings,
            model=model,
            blob=task.model.blob,
            round_number=task.round,
            etf=decode(self.blobs.get(self._etf_blob))["etf"],
            etf_blob=self._etf_blob,
        )
        serving, note = put_forward(
            committed,
            finished,
            self.state,
            self.journal,
            client=self.client,
            data=data,
            data_spec=self.data_spec,
        )
        log.info("version %d serves: %s (%s)", serving.version, self.state / "personal.onnx", note)
        return FinalReport(
            client=self.client,
            round=task.round,
            figures=finished.figures,
            onnx=serving.digest,
            head_note=note[:500],
            current=current_model(serving),
        )

    def serving(self) -> CurrentModel | None:
        """Return the model that serves on this device, or None before the first."""
        version = Versions(self.state).current()
        known = None if version is None else ModelHistory(self.journal).version(version)
        return None if known is None else current_model(known)

    def _kept(self, trained: TrainedRound | None) -> Personal | None:
        return None if trained is None else load_personal(trained.phi_blob, self.heads)

    def _model(self, manifest: Manifest) -> SharedModel:
        return unpack(decode(self.blobs.get(manifest.blob)))

    def _ready(self) -> tuple[SharedSettings, DeviceData, Tensor]:
        if self._settings is None or self._data is None:
            raise TransferError("a task came before the federation's settings")
        return self._settings, self._data, decode(self.blobs.get(self._etf_blob))["etf"]

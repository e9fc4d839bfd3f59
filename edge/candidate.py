"""A new model on its way to serving: staged, run in shadow, judged, switched to, each step harmless to be killed at."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout
from torch import Tensor

from edge.device_data import DeviceData
from edge.gate import Verdict, judge
from edge.journal import Journal
from edge.model_history import ModelHistory, ModelVersion, Origin
from edge.shadow import open_checked, shadow
from edge.versions import FILES, ONNX, STAGED, Versions
from export.bundle import Kind
from export.record import ExportRecord, read_record
from shared.blobs import write_durably
from shared.errors import AlreadyRunningError, ExportError, GateRefusedError, RoundError, VerificationError

log = logging.getLogger(__name__)

LOCK: Final = "models.lock"
LOCK_SECONDS: Final = 120.0
"""An export of a large backbone takes tens of seconds; longer is a process that hangs."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """This device's models: what serves, and what may take its place. Made by ``open_candidates``.

    Attributes:
        versions: The files.
        history: The record.
    """

    versions: Versions
    history: ModelHistory

    def put_forward(
        self,
        make: Callable[[Path], ExportRecord],
        *,
        data: DeviceData,
        origin: Origin,
        baseline: Tensor | None = None,
        why: str = "",
    ) -> ModelVersion:
        """Make a model and let it serve if the gate allows it.

        Args:
            make: Writes the model's files, with their record, into a folder.
            data: Its held-out images are what the models are compared on.
            origin: How the model was made.
            baseline: (N,), int64, what else would serve answers on the held-out images: compared with, overall
                alone, where nothing serves yet. Without it a first model needs no comparison.
            why: Said in the record of a first model that nothing is compared with.

        Returns:
            The version that serves: this one, or the same bytes that served already.

        Raises:
            ExportError: The model was refused by ``make``.
            GateRefusedError: It is worse than what serves; nothing has changed.
            ArtifactError: The disk is full; likewise.
        """
        record = make(self.versions.stage())
        serving = self.serving()
        if serving is not None and serving.digest == record.sha256:
            return serving
        answers = shadow(self.versions.folder(STAGED) / ONNX, data.held_out)
        compared = baseline if serving is None else self._answers_of(serving.version, data)
        verdict = Verdict(accepted=True, reason=why or "the first model: nothing to compare with")
        if compared is not None:
            verdict = judge(
                answers,
                compared,
                data.held_out.labels,
                train_counts=data.train.class_counts(),
                tail_counts=serving is not None,
            )
        right = int((answers == data.held_out.labels).sum())
        version = self.history.add(
            digest=record.sha256,
            kind=_kind(record),
            round_number=record.round,
            origin=origin,
            max_abs_error=record.parity.max_abs_error,
            accuracy=right / len(data.held_out) if len(data.held_out) else None,
        )
        if not verdict.accepted:
            self._refuse(version, verdict)
        return self._let_serve(version, verdict)

    def _answers_of(self, current: int, data: DeviceData) -> Tensor | None:
        """Return the serving model's answers, or None where its files were damaged: it can be compared with no more."""
        try:
            return shadow(self.versions.folder(current) / ONNX, data.held_out)
        except VerificationError as error:
            log.warning("the model that serves is damaged, any certified one may replace it: %s", error)
            return None

    def _refuse(self, version: int, verdict: Verdict) -> None:
        current = self.versions.current()
        self.history.decide(
            version, previous=current, event="activate", state="refused", reason=verdict.reason, verdict=verdict
        )
        self.versions.stage()  # the refused files are of no use
        serves = "the generic model" if current is None else f"version {current}"
        raise GateRefusedError(
            f"the new model was refused: {verdict.reason}", remedy=f"{serves} serves; see: fedloge edge models"
        )

    def _let_serve(self, version: int, verdict: Verdict) -> ModelVersion:
        current = self.versions.current()
        decision = self.history.decide(
            version, previous=current, event="activate", state="pending", reason=verdict.reason, verdict=verdict
        )
        self.versions.adopt(version)
        self.versions.switch(version)
        self.history.settle(decision, "done")
        self.versions.prune({version} if current is None else {version, current})
        return self._known(version)

    def rollback(self, to: int | None = None) -> ModelVersion:
        """Let an earlier version serve again.

        Args:
            to: Which one; None for the one that served before the present one.

        Raises:
            RoundError: There is no such version on this device.
            VerificationError: Its file is not what its record says; nothing has changed.
        """
        last, current = self.history.last_switch(), self.versions.current()
        if current is None or last is None:
            raise RoundError("no model serves yet", remedy="see: fedloge edge models")
        back = to
        if back is None and last.event == "activate":
            back = last.previous
        if back is None or back == current or back not in self.versions.kept():
            kept = ", ".join(str(version) for version in self.versions.kept() if version != current)
            wanted = "an earlier version" if back is None else f"version {back}"
            raise RoundError(
                f"version {current} serves and {wanted} cannot take its place",
                remedy=f"choose one that is kept with --to: {kept}" if kept else "no other version is kept here",
            )
        open_checked(self.versions.folder(back) / ONNX)
        decision = self.history.decide(
            back, previous=current, event="rollback", state="pending", reason=f"asked for, in place of {current}"
        )
        self.versions.switch(back)
        self.history.settle(decision, "done")
        return self._known(back)

    def serving(self) -> ModelVersion | None:
        """Return the version that serves, or None."""
        current = self.versions.current()
        return None if current is None else self._known(current)

    def _known(self, version: int) -> ModelVersion:
        found = self.history.version(version)
        if found is None:
            raise ExportError(f"version {version} serves, but the journal does not know it")
        return found

    def recover(self) -> None:
        """Settle what a killed process left behind, and take in a model made before this device kept versions.

        Raises:
            ArtifactError: A file cannot be written.
        """
        current = self.versions.current()
        if current is None:
            self._take_in()
            return
        if self.history.version(current) is None:  # the journal was lost, the models were not
            self._record_found(read_record(self.versions.folder(current) / ONNX), version=current)
        self.history.recover(current)
        self.versions.mend()
        last = self.history.last_switch()
        self.versions.prune(set() if last is None or last.previous is None else {last.previous})

    def _take_in(self) -> None:
        """Make version 1 of files in the agent's folder itself; without a readable record they stay as they are."""
        self.history.recover(None)
        legacy = [self.versions.state / name for name in FILES]
        if not legacy[0].is_file():
            return
        try:
            record = read_record(legacy[0])
        except VerificationError as error:
            log.warning("the model from before versions were kept is left as it is: %s", error)
            return
        staged = self.versions.stage()
        for path in legacy:
            if path.is_file():
                write_durably(staged / path.name, path.read_bytes())
        version = self._record_found(record)
        self.versions.adopt(version)
        self.versions.switch(version)
        self.history.recover(version)

    def _record_found(self, record: ExportRecord, version: int | None = None) -> int:
        number = self.history.add(
            version=version,
            digest=record.sha256,
            kind=_kind(record),
            round_number=record.round,
            origin="found",
            max_abs_error=record.parity.max_abs_error,
            accuracy=None,
        )
        self.history.decide(number, previous=None, event="activate", state="pending", reason="found in the folder")
        return number


@contextmanager
def open_candidates(state: Path, journal: Journal) -> Iterator[Candidates]:
    """Hold the models of one agent's folder for this process alone, with whatever a kill left behind settled.

    A running agent holds them only while it makes a model, so a rollback need not stop it.

    Raises:
        AlreadyRunningError: Another process makes a model just now.
        ArtifactError: A file cannot be written.
    """
    try:
        with FileLock(state / LOCK, timeout=LOCK_SECONDS):
            candidates = Candidates(Versions(state), ModelHistory(journal))
            candidates.recover()
            yield candidates
    except Timeout as cause:
        raise AlreadyRunningError(
            f"another process makes a model in {state}", remedy="wait for it, or stop it, then repeat"
        ) from cause


def _kind(record: ExportRecord) -> Kind:
    if record.kind is None:
        raise ExportError("a backbone alone answers nothing: no model to serve")
    return record.kind

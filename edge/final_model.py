"""The model a client makes at the end: its own where the gate allows it, else the generic one where nothing serves."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from edge.candidate import open_candidates
from edge.device_data import DeviceData
from edge.evaluate import features_of
from edge.finish import Finished
from edge.journal import Journal
from edge.model_history import ModelVersion
from edge.publish import publisher
from export.bundle import Bundle, Provenance
from shared.errors import GateRefusedError
from shared.heads import Head
from shared.model import SharedModel
from shared.prediction import generic_of
from shared.settings import SharedSettings
from shared.tensors import Tensors


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FinalModel:
    """What a final shared model gives one client.

    Attributes:
        settings: The federation's.
        model: The final shared model.
        model_blob: SHA-256 of its file.
        round_number: The last committed round.
        etf: The frozen classifier S.
        etf_blob: SHA-256 of its file.
        client: Whose model is made.
    """

    settings: SharedSettings
    model: SharedModel
    model_blob: str
    round_number: int
    etf: Tensor
    etf_blob: str
    client: str

    def put_forward(
        self, finished: Finished, state: Path, journal: Journal, *, data: DeviceData, data_spec: str
    ) -> tuple[ModelVersion, str]:
        """Let the personal model serve if the gate allows it.

        Where nothing serves yet, it is compared with the generic model, which serves if the personal one is worse.

        Returns:
            The version that serves, and how its head came about, in words.

        Raises:
            GateRefusedError: It is worse than what served before, which goes on serving.
            ExportError: ONNX Runtime does not compute what PyTorch does.
            ArtifactError: The disk is full.
        """
        personal, generic = self.personal(finished), self.generic()
        with open_candidates(state, journal) as candidates:
            first = candidates.serving() is None
            baseline = self._answers(generic, data) if first and generic is not None else None
            try:
                make = publisher(personal, data, data_spec=data_spec)
                return candidates.put_forward(make, data=data, origin="finish", baseline=baseline), finished.head_note
            except GateRefusedError as error:
                if not first or generic is None:
                    raise
                note = f"the generic model serves: {error.message}"
            make = publisher(generic, data, data_spec=data_spec)
            return candidates.put_forward(make, data=data, origin="generic", why=note), "refused: the generic serves"

    def personal(self, finished: Finished) -> Bundle:
        """Return the client's own model as the source of an export."""
        own = finished.personal.backbone
        backbone = self.model.backbone if own is None else own
        return self._bundle(self.client, backbone, finished.head)

    def generic(self) -> Bundle | None:
        """Return the generic model likewise, or None where the method has none."""
        head = generic_of(self.settings.method, etf=self.etf, psi=self.model.psi)
        return None if head is None else self._bundle(None, self.model.backbone, head)

    def _bundle(self, client: str | None, backbone: Tensors, head: Head) -> Bundle:
        method = self.settings.method
        return Bundle(
            kind="generic" if client is None else "personal",
            rule=method.generic_rule if client is None else method.personal_rule,
            class_names=self.settings.class_names,
            model=self.settings.model,
            provenance=Provenance(
                federation=self.settings.federation,
                round=self.round_number,
                client=client,
                shared_digest=self.model_blob,
                etf_digest=self.etf_blob,
            ),
            backbone=backbone,
            head=head,
        )

    def _answers(self, bundle: Bundle, data: DeviceData) -> Tensor:
        """Return the classes (N,) a model answers on the held-out images."""
        features = features_of(bundle.backbone, data.held_out, bundle.model, torch.device("cpu"))
        return bundle.head.logits(features).argmax(1)

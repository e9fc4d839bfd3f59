"""The model a client makes at the end: its own where the gate allows it, else the generic one where nothing serves."""

from pathlib import Path

import torch
from torch import Tensor

from edge.candidate import open_candidates
from edge.device_data import DeviceData
from edge.finish import Finished
from edge.journal import Journal
from edge.model_history import ModelVersion
from edge.publish import publisher
from export.bundle import Bundle
from export.committed import CommittedModel
from shared.errors import GateRefusedError
from shared.features import features_of


def put_forward(
    committed: CommittedModel,
    finished: Finished,
    state: Path,
    journal: Journal,
    *,
    client: str,
    data: DeviceData,
    data_spec: str,
) -> tuple[ModelVersion, str]:
    """Let the personal model serve if the gate allows it.

    Where nothing serves yet, it is compared with the generic model, which serves if the personal one is worse.

    Args:
        committed: The final shared model.
        finished: What the client made of it.
        state: The agent's folder.
        journal: The agent's.
        client: Whose model is made.
        data: This device's images.
        data_spec: Where they came from, for the record.

    Returns:
        The version that serves, and how its head came about, in words.

    Raises:
        GateRefusedError: It is worse than what served before, which goes on serving.
        ExportError: ONNX Runtime does not compute what PyTorch does.
        ArtifactError: The disk is full.
    """
    personal = committed.personal(client, finished.head, backbone=finished.personal.backbone)
    generic = committed.generic()
    with open_candidates(state, journal) as candidates:
        first = candidates.serving() is None
        baseline = _answers(generic, data) if first and generic is not None else None
        try:
            make = publisher(personal, data, data_spec=data_spec)
            return candidates.put_forward(make, data=data, origin="finish", baseline=baseline), finished.head_note
        except GateRefusedError as error:
            if not first or generic is None:
                raise
            note = f"the generic model serves: {error.message}"
        make = publisher(generic, data, data_spec=data_spec)
        return candidates.put_forward(make, data=data, origin="generic", why=note), "refused: the generic serves"


def _answers(bundle: Bundle, data: DeviceData) -> Tensor:
    """Return the classes (N,) a model answers on the held-out images."""
    features = features_of(bundle.backbone, data.held_out, bundle.model, torch.device("cpu"))
    return bundle.head.logits(features).argmax(1)

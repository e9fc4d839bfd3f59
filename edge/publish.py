"""The personal model as files on this device: its source bundle, and the ONNX file shown to compute the same."""

from pathlib import Path

from edge.device_data import DeviceData
from export.bundle import Bundle, Provenance, write_bundle
from export.publish import export_model
from shared.heads import Head
from shared.settings import SharedSettings
from shared.tensors import Tensors

BUNDLE = "personal.bundle.safetensors"
ONNX = "personal.onnx"


def publish_personal(
    state: Path,
    *,
    settings: SharedSettings,
    backbone: Tensors,
    head: Head,
    client: str,
    round_number: int,
    model_blob: str,
    etf_blob: str,
    data: DeviceData,
    data_spec: str,
) -> str:
    """Export one client's personal model; return the SHA-256 of the file.

    The proof runs on the held-out images, or on training images where a device holds none out: both are real.

    Raises:
        ExportError: ONNX Runtime does not compute what PyTorch does; nothing was replaced.
        ArtifactError: The disk is full; what stood there still stands.
    """
    bundle = Bundle(
        kind="personal",
        rule=settings.method.personal_rule,
        class_names=settings.class_names,
        model=settings.model,
        provenance=Provenance(
            federation=settings.federation,
            round=round_number,
            client=client,
            shared_digest=model_blob,
            etf_digest=etf_blob,
        ),
        backbone=backbone,
        head=head,
    )
    write_bundle(state / BUNDLE, bundle)
    origin, images = ("held-out", data.held_out) if len(data.held_out) else ("training", data.train)
    record = export_model(
        bundle, images=images, images_source=f"{origin}:{data_spec}", path=state / ONNX, source=state / BUNDLE
    )
    return record.sha256

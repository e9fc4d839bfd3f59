"""A model as files on this device: its source bundle, and the ONNX file shown to compute the same."""

from collections.abc import Callable
from pathlib import Path

from edge.device_data import DeviceData
from edge.versions import BUNDLE, ONNX
from export.bundle import Bundle, write_bundle
from export.publish import export_model
from export.record import ExportRecord
from shared.metrics import class_groups


def publisher(bundle: Bundle, data: DeviceData, *, data_spec: str) -> Callable[[Path], ExportRecord]:
    """Return what writes one model into a folder.

    The proof runs on the held-out images, or on training images where a device holds none out: both are real.

    Args:
        bundle: The model.
        data: This device's images.
        data_spec: Where they came from, for the record.

    Returns:
        A function from a folder to the record; it raises ExportError where ONNX Runtime does not compute what PyTorch
        does, and ArtifactError where the disk is full.
    """
    origin, images = ("held-out", data.held_out) if len(data.held_out) else ("training", data.train)

    def publish(folder: Path) -> ExportRecord:
        write_bundle(folder / BUNDLE, bundle)
        return export_model(
            bundle,
            images=images,
            images_source=f"{origin}:{data_spec}",
            path=folder / ONNX,
            source=folder / BUNDLE,
            class_groups=tuple(class_groups(data.train.class_counts())),
        )

    return publish

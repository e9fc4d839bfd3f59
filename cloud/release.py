"""What a committed round gives to export: a bundle after every round, and the realigned generic model at the end."""

from dataclasses import dataclass

from torch import Tensor

from cloud.evaluation import GenericEvaluator
from cloud.settings import FederationPaths
from cloud.store.contract import RoundStore
from cloud.store.rows import RoundResult
from export.bundle import Bundle, write_bundle
from export.committed import CommittedModel
from export.publish import export_model, random_images
from shared.blobs import BlobStore
from shared.model import unpack
from shared.settings import SharedSettings
from shared.tensors import decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Writes the generic model.

    Attributes:
        settings: The federation's.
        paths: Where to write.
        blobs: Where the shared tensors are.
        store: Records what was exported.
        etf: The frozen classifier S, (num_classes, feature_dim).
        etf_blob: SHA-256 of its file.
        evaluation_spec: Where the evaluation images come from, for the record; None without any.
    """

    settings: SharedSettings
    paths: FederationPaths
    blobs: BlobStore
    store: RoundStore
    etf: Tensor
    etf_blob: str
    evaluation_spec: str | None

    def bundle(self, result: RoundResult) -> Bundle | None:
        """Return the generic model of a committed round, or None where the method has none."""
        return CommittedModel(
            settings=self.settings,
            model=unpack(decode(self.blobs.get(result.blob))),
            blob=result.blob,
            round_number=result.round_number,
            etf=self.etf,
            etf_blob=self.etf_blob,
        ).generic()

    def write_bundle(self, result: RoundResult) -> None:
        """Replace the bundle that ``fedloge export generic`` reads.

        Raises:
            ArtifactError: The disk is full; the former bundle still stands.
        """
        bundle = self.bundle(result)
        if bundle is not None:
            write_bundle(self.paths.bundle, bundle)

    def export_generic(self, result: RoundResult, evaluator: GenericEvaluator | None) -> str | None:
        """Export ``generic.onnx``, proven on the evaluation images or, without any, on seeded random ones.

        Returns:
            The file's path, or None where the method has no generic model.

        Raises:
            ExportError: ONNX Runtime does not compute what PyTorch does.
            ArtifactError: The disk is full.
        """
        bundle = self.bundle(result)
        if bundle is None:
            return None
        if evaluator is None or evaluator.images is None:
            images = random_images(self.settings.model, self.settings.class_names)
            source = "seeded-random:0"
        else:
            images, source = evaluator.images, f"held-out:{self.evaluation_spec}"
        path = self.paths.generic_onnx
        record = export_model(bundle, images=images, images_source=source, path=path, source=self.paths.bundle)
        self.store.record_artifact(
            kind="generic", path=str(path), digest=record.sha256, round_number=result.round_number
        )
        return str(path)

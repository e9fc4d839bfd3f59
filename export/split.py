"""A split export: one backbone, and for each client a head of a few KiB behind it; ``export.layout`` has the folder.

A new head is one small file: the backbone is neither written nor compared again. A personal head still leaves no
device by this; the folder is for a gateway that serves several clients, and for experiments.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import onnx

from export.bundle import Bundle, backbone_digest
from export.certify import certify, other_file
from export.external import move_out
from export.graph import DEFAULT, backbone_to_onnx, complete_to_onnx, head_to_onnx
from export.layout import BACKBONE, WEIGHTS, complete_path, head_path, owner_of
from export.loading import Loaded, load
from export.options import GraphOptions
from export.parity import Origin, Proof, check_images, judge, judged, prove, torch_features
from export.publish import at_most, check_labelled, describe_images, most_images
from export.record import ExportRecord, record_path
from export.running import features_of, head_logits, open_proving
from export.views import views
from shared.errors import ExportError
from shared.images import LabelledImages
from shared.metrics import Group
from shared.tensors import Tensors

ImagesOf: TypeAlias = Callable[[Bundle], LabelledImages]


def write_backbone(
    folder: Path,
    bundle: Bundle,
    *,
    images: LabelledImages,
    images_source: str,
    options: GraphOptions = DEFAULT,
    calibration: LabelledImages | None = None,
) -> ExportRecord:
    """Write a bundle's backbone, after ONNX Runtime was seen to compute on the CPU the features PyTorch computes.

    Args:
        folder: Of the split export; created when missing. Heads in it that belong to another backbone stay, and are
            refused by ``load`` from then on.
        bundle: Any bundle with this backbone.
        images: What to compare on; see ``export.publish.export_model``.
        images_source: Likewise.
        options: For the backbone and all heads behind it.
        calibration: Training images, for int8.

    Raises:
        ExportError: The model or the options were refused; a backbone that stood there still stands.
        ArtifactError: A file cannot be written.
    """
    used = at_most(images, most_images(options))
    described = describe_images(images_source, count=len(used))
    proto = onnx.load_model_from_string(backbone_to_onnx(bundle, options, calibration=calibration))
    weights = move_out(proto, WEIGHTS)
    payload = bytes(proto.SerializeToString(deterministic=True))
    session = open_proving(payload, external={WEIGHTS: weights})
    proof = prove_backbone(bundle, session, used, origin=described.origin, options=options)
    path = folder / BACKBONE
    return certify(
        path,
        bundle,
        payload,
        part="backbone",
        images=described,
        proof=proof,
        options=options,
        beside={WEIGHTS: weights},
        calibration=calibration,
    )


def write_heads(
    folder: Path,
    bundles: Iterable[Bundle],
    *,
    images: LabelledImages | ImagesOf,
    images_source: str,
    class_groups: Callable[[Bundle], tuple[Group, ...] | None] = lambda _bundle: None,
) -> list[ExportRecord]:
    """Write the heads of bundles behind the backbone that stands in the folder, each after it was seen to be right.

    Args:
        folder: Of a split export whose backbone was written.
        bundles: One per client, all with this backbone; a head that stood there is replaced.
        images: What to compare on: the same for all, whose features are then computed once, or each one's own.
        images_source: See ``export.publish.export_model``.
        class_groups: Each class's group for a client, to tell the accuracy per group.

    Returns:
        The records, in the order of the bundles.

    Raises:
        ExportError: The folder's backbone was changed or is another, or a head was refused: those before it are
            written, and what stood in its place still stands.
        ArtifactError: A file cannot be written.
    """
    backbone = load(folder / BACKBONE)
    behind, records = Behind(backbone), []
    for bundle in bundles:
        behind.turn_to(bundle, images(bundle) if callable(images) else images)
        records.append(_write_head(folder, bundle, behind, images_source, class_groups(bundle)))
    return records


class Behind:
    """A folder's backbone, and what both sides compute of the images at hand: once, however many heads read it.

    Args:
        backbone: As loaded.
    """

    def __init__(self, backbone: Loaded) -> None:
        self.backbone, self.session = backbone, backbone.session()
        self.options, self.digest = backbone.record.options, backbone.record.source.backbone_digest
        self._tensors: Tensors | None = None
        self._images: LabelledImages | None = None

    def turn_to(self, bundle: Bundle, images: LabelledImages) -> None:
        """Make a bundle's backbone and its images those at hand.

        Raises:
            ExportError: The backbone is not the folder's, or the images do not fit.
        """
        if bundle.backbone is not self._tensors:
            check_same_backbone(self.backbone, bundle)
            self._tensors = bundle.backbone
        if images is self._images:
            return
        self._images = images
        self.used = at_most(images, most_images(self.options))
        check_images(bundle, self.used)
        self.expected = torch_features(bundle, self.used.images, self.options)  # (N, feature_dim)
        shown = views(self.used.images, bundle.model, self.options)
        self.found = features_of(self.session, shown, bundle.model, self.options)  # (N, feature_dim)


def _write_head(
    folder: Path, bundle: Bundle, behind: Behind, images_source: str, class_groups: tuple[Group, ...] | None
) -> ExportRecord:
    options, path = behind.options, head_path(folder, owner_of(bundle))
    described = describe_images(images_source, count=len(behind.used))
    check_labelled(options, described)
    check_images(bundle, behind.used)
    payload = head_to_onnx(bundle, options, feature_dim=behind.expected.shape[1], digest=behind.digest)
    proof = judged(
        bundle,
        bundle.head.logits(behind.expected),
        head_logits(open_proving(payload), behind.found, options),
        behind.used,
        origin=described.origin,
        options=options,
        groups=class_groups,
        session=behind.session,
    )
    return certify(
        path,
        bundle,
        payload,
        part="head",
        images=described,
        proof=proof,
        options=options,
        others=(other_file(BACKBONE, behind.backbone.payload), *behind.backbone.record.others),
        class_groups=class_groups,
        digest=behind.digest,
    )


def write_complete(
    folder: Path,
    bundle: Bundle,
    *,
    images: LabelledImages,
    images_source: str,
    class_groups: tuple[Group, ...] | None = None,
) -> ExportRecord:
    """Write one client's complete graph, which refers to the backbone's weights; the rest is as in ``write_heads``."""
    backbone = load(folder / BACKBONE)
    options = backbone.record.options
    check_same_backbone(backbone, bundle)
    used = at_most(images, most_images(options))
    described = describe_images(images_source, count=len(used))
    check_labelled(options, described)
    payload = complete_to_onnx(bundle, options, onnx.load_model_from_string(backbone.payload))
    session = open_proving(payload, external=backbone.others)
    proof = prove(bundle, session, used, origin=described.origin, options=options, groups=class_groups)
    path = complete_path(folder, owner_of(bundle))
    return certify(
        path,
        bundle,
        payload,
        part="complete",
        images=described,
        proof=proof,
        options=options,
        others=backbone.record.others,
        class_groups=class_groups,
    )


def prove_backbone(
    bundle: Bundle, session: Any, images: LabelledImages, *, origin: Origin, options: GraphOptions
) -> Proof:
    """Compare features (N, feature_dim) as ``export.parity.prove`` compares logits; there is no label to agree on.

    Raises:
        ExportError: As ``prove``.
    """
    check_images(bundle, images)
    parity = judge(
        torch_features(bundle, images.images, options),
        features_of(session, views(images.images, bundle.model, options), bundle.model, options),
        keep=None,
        origin=origin,
        provider=session.get_providers()[0],
        bounded=options.precision == "fp32",
        labels=False,
    )
    return Proof(parity=parity, accuracy=None)


def heads_in(folder: Path) -> Sequence[Path]:
    """Return the head files of a split export that have a certificate, by name."""
    return sorted(path for path in (folder / "heads").glob("*.onnx") if record_path(path).is_file())


def check_same_backbone(backbone: Loaded, bundle: Bundle) -> None:
    """Refuse a head of another backbone.

    Raises:
        ExportError: The bundle's backbone is not the folder's.
    """
    own, theirs = backbone_digest(bundle), backbone.record.source.backbone_digest
    if own != theirs:
        raise ExportError(
            f"{owner_of(bundle)} has a backbone of its own ({own[:12]}), {backbone.path} holds {theirs[:12]}",
            remedy="write its backbone into a folder of its own, or export it as a single file",
        )

"""The source of an export: one safetensors file with backbone, head, class names and where all of it came from."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
import torch
from msgspec import Meta, Struct
from safetensors.torch import save

from export.module import ExportedModel, check_finite, check_head
from shared.backbones import Backbone, loaded_backbone
from shared.blobs import write_durably
from shared.errors import ExportError, FedlogeError
from shared.heads import Head
from shared.messages import RoundNumber, Sha256
from shared.settings import GenericRule, ModelSettings, PersonalRule
from shared.tensors import Tensors, decode, digest, with_prefix, without_prefix

BUNDLE_VERSION: Final = 1
"""Version of the header; a reader refuses another one."""

HEADER: Final = "fedloge"
"""The only key of the file's metadata: safetensors keeps no order among several, and equal bundles give equal bytes."""

BACKBONE: Final = "backbone."
WEIGHT: Final = "head.weight"
BIAS: Final = "head.bias"
KEEP: Final = "head.keep"

Kind: TypeAlias = Literal["generic", "personal"]
Rule: TypeAlias = GenericRule | PersonalRule


class Provenance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a model came from.

    Attributes:
        federation: Its name.
        round: Last committed round that went into the model; 0 is the initial model.
        client: Whose personal model this is; None for the generic one.
        shared_digest: SHA-256 of the blob with the shared tensors the backbone was taken from.
        etf_digest: SHA-256 of the blob with the frozen classifier S.
    """

    federation: str
    round: RoundNumber
    client: str | None
    shared_digest: Sha256
    etf_digest: Sha256


class Header(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands beside the tensors; the attributes are those of ``Bundle``."""

    schema_version: int
    kind: Kind
    rule: Rule
    class_names: Annotated[tuple[str, ...], Meta(min_length=1)]
    model: ModelSettings
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Bundle:
    """A model as PyTorch computes it, with all that an exported file says about itself.

    Attributes:
        kind: "generic" or "personal".
        rule: Name of the rule the head was made by; the heads of a sum are already added up.
        class_names: Names in label order.
        model: What an image is, and which backbone reads it.
        provenance: Where it came from.
        backbone: Floating-point tensors under the names of ``shared.tensors.shared_state``, float32.
        head: What the model answers from, (num_classes, feature_dim), with bias and mask where the rule has them.
    """

    kind: Kind
    rule: Rule
    class_names: tuple[str, ...]
    model: ModelSettings
    provenance: Provenance
    backbone: Tensors
    head: Head

    def module(self) -> ExportedModel:
        """Return the model in evaluation mode on the CPU: images (N, C, H, W), float32, 0..1, to logits.

        Raises:
            ExportError: A tensor is not finite or does not fit, or the kind does not agree with the client.
        """
        depths = {len(self.model.mean), len(self.model.std)}
        if not depths <= {1, self.model.channels}:
            raise ExportError(
                f"mean and std have {sorted(depths)} numbers, expected 1 or {self.model.channels}, one per channel"
            )
        check_finite(with_prefix(BACKBONE, self.backbone))
        module = self.features()
        self.check_head(module.feature_dim)
        return ExportedModel(module, self.head, self.model).eval()

    def check_head(self, feature_dim: int) -> None:
        """Refuse a head that does not fit a backbone of ``feature_dim`` features.

        Raises:
            ExportError: A tensor is not finite or does not fit, or the kind does not agree with the client.
        """
        if (self.kind == "personal") != (self.provenance.client is not None):
            raise ExportError(f"a {self.kind} bundle names client {self.provenance.client}: only a personal one does")
        check_finite({name: t for name, t in _head_tensors(self.head).items() if name != KEEP})
        check_head(self.head, num_classes=len(self.class_names), feature_dim=feature_dim)

    def features(self) -> Backbone:
        """Return the backbone alone, in evaluation mode: normalised images to features (N, feature_dim).

        Raises:
            ExportError: The backbone is unknown, or a tensor's name or shape is not one of its.
        """
        try:
            module = loaded_backbone(self.backbone, self.model)
        except FedlogeError as cause:
            raise ExportError(f"bundle does not fit backbone {self.model.backbone}: {cause.message}") from cause
        module.eval()
        return module


def head_digest(head: Head) -> str:
    """Return the SHA-256 of a head's tensors in safetensors form, mask included."""
    return hashlib.sha256(bytes(save(_head_tensors(head)))).hexdigest()


def backbone_digest(bundle: Bundle) -> str:
    """Return the SHA-256 of a bundle's backbone in safetensors form: equal for models that share one."""
    return digest(bundle.backbone)


def encode_bundle(bundle: Bundle) -> bytes:
    """Encode as safetensors; equal bundles give equal bytes."""
    header = Header(
        schema_version=BUNDLE_VERSION,
        kind=bundle.kind,
        rule=bundle.rule,
        class_names=bundle.class_names,
        model=bundle.model,
        provenance=bundle.provenance,
    )
    tensors = _tensors(bundle)
    ordered = {name: tensors[name].detach().cpu().contiguous() for name in sorted(tensors)}
    return bytes(save(ordered, metadata={HEADER: msgspec.json.encode(header).decode()}))


def decode_bundle(payload: bytes, *, origin: str) -> Bundle:
    """Decode what ``encode_bundle`` made, and refuse what no model can be built from.

    Args:
        payload: The file's bytes.
        origin: What to call it in an error, such as its path.

    Raises:
        ExportError: No safetensors file, an unknown header, or tensors that are missing, too many, of a wrong shape or
            type, or not finite.
    """
    try:
        tensors = decode(payload)
        header = msgspec.json.decode(_header_json(payload), type=Header)
    except (FedlogeError, msgspec.DecodeError, UnicodeDecodeError) as cause:
        raise ExportError(f"{origin} is no bundle: {cause}", remedy="export from a bundle that a run wrote") from cause
    if header.schema_version != BUNDLE_VERSION:
        raise ExportError(
            f"{origin} has schema version {header.schema_version}, this program reads {BUNDLE_VERSION}",
            remedy="use the version of fedloge that wrote it",
        )
    backbone = without_prefix(BACKBONE, tensors)
    heads = {name for name in tensors if not name.startswith(BACKBONE)}
    if WEIGHT not in heads or not heads <= {WEIGHT, BIAS, KEEP}:
        raise ExportError(f"{origin} is no bundle: expected {WEIGHT}, {BIAS} and {KEEP}, found {sorted(heads)}")
    keep = tensors.get(KEEP)
    bundle = Bundle(
        kind=header.kind,
        rule=header.rule,
        class_names=header.class_names,
        model=header.model,
        provenance=header.provenance,
        backbone=backbone,
        head=Head(weight=tensors[WEIGHT], bias=tensors.get(BIAS), keep=None if keep is None else keep.bool()),
    )
    bundle.module()
    return bundle


def write_bundle(path: Path, bundle: Bundle) -> str:
    """Write a bundle durably and return the SHA-256 of its bytes.

    Raises:
        ExportError: No model can be built from it; nothing was written.
        ArtifactError: The file cannot be written; what stood there before still stands.
    """
    payload = encode_bundle(bundle)
    decode_bundle(payload, origin="this bundle")
    write_durably(path, payload)
    return hashlib.sha256(payload).hexdigest()


def read_bundle(path: Path) -> Bundle:
    """Read a bundle.

    Raises:
        ExportError: The file is missing, unreadable or no bundle.
    """
    try:
        payload = path.read_bytes()
    except OSError as cause:
        raise ExportError(f"cannot read bundle {path}: {cause.strerror or cause}") from cause
    return decode_bundle(payload, origin=str(path))


def _tensors(bundle: Bundle) -> Tensors:
    return with_prefix(BACKBONE, bundle.backbone) | _head_tensors(bundle.head)


def _head_tensors(head: Head) -> Tensors:
    tensors = {WEIGHT: head.weight.detach().cpu().contiguous()}
    if head.bias is not None:
        tensors[BIAS] = head.bias.detach().cpu().contiguous()
    if head.keep is not None:
        tensors[KEEP] = head.keep.detach().cpu().to(torch.uint8).contiguous()
    return tensors


def _header_json(payload: bytes) -> bytes:
    """Return our header from a file that ``decode`` accepted: 8 bytes of length, then JSON with ``__metadata__``."""
    length = int.from_bytes(payload[:8], "little")
    outer = msgspec.json.decode(payload[8 : 8 + length], type=dict[str, msgspec.Raw])
    metadata = msgspec.json.decode(outer.get("__metadata__", msgspec.Raw(b"{}")), type=dict[str, str])
    return metadata.get(HEADER, "").encode()

"""What coordinator and agents must agree on before the first round; agents learn it from the coordinator."""

import math
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

Natural: TypeAlias = Annotated[int, Meta(ge=0)]
Count: TypeAlias = Annotated[int, Meta(ge=1)]
Seconds: TypeAlias = Annotated[float, Meta(gt=0)]
Fraction: TypeAlias = Annotated[float, Meta(gt=0, le=1)]
Rate: TypeAlias = Annotated[float, Meta(ge=0)]
Seed: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]

MethodName: TypeAlias = Literal[
    "fedloge",
    "fedloge-figure",
    "fedloge-authors",
    "fedavg",
    "fedavg-prior",
    "fedavg-heads",
    "fedavg-heads-prior",
    "fedrod",
    "ditto",
    "fedrep",
]
"""The methods of ``shared.methods``."""

GenericRule: TypeAlias = Literal["etf", "psi", "realigned"]
"""Heads of the generic model: S, the auxiliary global head, or psi' of Eq. (6)."""

PersonalRule: TypeAlias = Literal[
    "etf+prior",
    "etf",
    "psi",
    "phi",
    "realigned",
    "realigned+phi",
    "realigned+psi",
    "psi+phi",
    "psi+prior",
    "phi+prior",
    "psi+phi+prior",
]
"""Heads of a personal model; ``realigned`` is phi' of Eq. (7), ``+`` adds logits."""

MaskRule: TypeAlias = Literal["none", "train-histogram"]
"""Which classes a personal model may answer; ``train-histogram``: only those the client trained on."""

Codec: TypeAlias = Literal["safetensors", "fp32+zstd", "fp16", "bf16", "fp16+zstd", "bf16+zstd"]
"""How a blob encodes tensors; ``shared.encoding`` is where a quantised one joins."""


class ModelSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an image is and which backbone reads it.

    Attributes:
        backbone: ``resnet8``, ``resnet20``, or any torchvision classification model by name.
        image_size: Height and width in pixels that images are resized to.
        channels: 1 for grey, 3 for colour images.
        mean: Mean per channel of pixels scaled to 0..1; one number stands for all channels.
        std: Standard deviation, likewise.
    """

    backbone: str = "resnet8"
    image_size: Annotated[int, Meta(ge=4, le=1024)] = 32
    channels: Literal[1, 3] = 3
    mean: tuple[float, ...] = (0.5,)
    std: tuple[Annotated[float, Meta(gt=0)], ...] = (0.25,)


class MethodSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The method and its knobs; each default's reason stands in the README and in DECISIONS.md.

    Attributes:
        name: The method that is trained; a method's own defaults stand in ``shared/methods/``.
        gamma: Norm of every row of the frozen sparse ETF classifier; "auto" takes ``48 / sqrt(feature_dim)``, 6 for 64
            features, so that the logit scale does not depend on the backbone's width.
        sparsity: Share of zeros in each row (beta of the paper), lowered where exactness needs it.
        local_prior: Add the client's log class frequencies to the logits of the loss.
        prior_smoothing: Images added to each class before its frequency is taken, so that no class is impossible.
        bias: Give the global and the personal head a bias, as the authors' code does.
        generic_rule: Heads of the generic model.
        personal_rule: Heads of each personal model.
        mask: Classes a personal model may answer.
        catch_up_epochs: Epochs a personal head trains on the frozen final backbone before its realignment.
        proximal: Pull of a client's own model to the round's global one, Ditto's lambda.
    """

    name: MethodName = "fedloge"
    gamma: Annotated[float, Meta(gt=0)] | Literal["auto"] = "auto"
    sparsity: Annotated[float, Meta(ge=0, lt=1)] = 0.6
    local_prior: bool = True
    prior_smoothing: Annotated[float, Meta(gt=0)] = 0.1
    bias: bool = False
    generic_rule: GenericRule = "etf"
    personal_rule: PersonalRule = "etf+prior"
    mask: MaskRule = "none"
    catch_up_epochs: Natural = 1
    proximal: Rate = 0.0

    def row_norm(self, feature_dim: int) -> float:
        """Return gamma for a backbone with ``feature_dim`` features."""
        return 48.0 / math.sqrt(feature_dim) if self.gamma == "auto" else self.gamma


class TrainingSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How every client trains.

    Attributes:
        local_epochs: Passes over the client's images per round.
        batch_size: Images per step; the last batch of an epoch may be smaller.
        learning_rate: SGD's step size for backbone and heads.
        momentum: SGD's momentum; it starts anew each round, as in the paper's code.
        weight_decay: L2 penalty on all trained tensors.
        crop_padding: Pixels of reflection padding before a random crop back to the image's size; 0 is off.
        horizontal_flip: Mirror each image with probability one half.
        precision: Of the backbone; "auto" is bf16 where a device has matrix units for it (CUDA, Intel AMX), else fp32.
        threads: Threads of one training process; part of what makes a run repeatable.
    """

    local_epochs: Count = 2
    batch_size: Annotated[int, Meta(ge=2)] = 32
    learning_rate: Annotated[float, Meta(gt=0)] = 0.03
    momentum: Annotated[float, Meta(ge=0, lt=1)] = 0.9
    weight_decay: Rate = 0.0
    crop_padding: Natural = 4
    horizontal_flip: bool = True
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    threads: Count = 1


class ReportSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an agent measures on its held-out images and reports, scalars only.

    Attributes:
        received: Measure each round's model, before training it; what comes of it is figures only.
        alone: Also train a model on this device alone, with the same number of local epochs, to compare with.
        report_groups: Also report head, medium and tail accuracy; off by default: they tell more about the data.
    """

    received: bool = True
    alone: bool = False
    report_groups: bool = False


class UpdateSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How an update travels.

    Attributes:
        encoding: fp32 loses nothing; fp16 and bf16 halve the bytes. fp16 keeps 11 significant bits and nothing above
            65504, bf16 keeps 8 and fp32's range.
        compression: zstd takes about a fifth of the bytes off fp32, a tenth to a quarter off the halves, without loss.
    """

    encoding: Literal["fp32", "fp16", "bf16"] = "fp32"
    compression: Literal["zstd", "none"] = "zstd"

    @property
    def codec(self) -> Codec:
        """The name of the encoding on the wire."""
        if self.compression == "none":
            return "safetensors" if self.encoding == "fp32" else self.encoding
        names: dict[str, Codec] = {"fp32": "fp32+zstd", "fp16": "fp16+zstd", "bf16": "bf16+zstd"}
        return names[self.encoding]


class SharedSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One federation as every participant sees it.

    Attributes:
        federation: Its name, one topic level.
        class_names: Names in label order.
        seed: Root of every random draw.
    """

    federation: str
    class_names: tuple[str, ...]
    seed: Seed = 0
    model: ModelSettings = ModelSettings()
    method: MethodSettings = MethodSettings()
    training: TrainingSettings = TrainingSettings()
    update: UpdateSettings = UpdateSettings()
    report: ReportSettings = ReportSettings()

    @property
    def num_classes(self) -> int:
        """Number of classes, C."""
        return len(self.class_names)

"""What one run of the lab is: everything that decides its numbers, and nothing else."""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from cloud.draft import augmented_for
from cloud.settings import BrokerSettings, FederationFile, ParticipationSettings, check
from shared.complaint import complaint
from shared.data import Splits
from shared.errors import SettingsError
from shared.methods import check_method, method_settings
from shared.protocol import MeasuredOn
from shared.settings import MethodSettings, ModelSettings, ReportSettings

DEADLINE_SECONDS = 3600.0
"""Of the lab's own clock, which stands still while anybody works: no deadline passes by itself."""


class LabSetting(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run; equal settings give equal numbers on one kind of processor.

    Attributes:
        data: Data spec, such as ``folder:images``.
        imbalance: Images of the largest class over those of the smallest.
        alpha: Dirichlet concentration of the partition.
        clients: How many.
        participation: Share of them in each round.
        rounds: Communication rounds.
        local_epochs: Passes over a client's images per round.
        batch_size: Images per step.
        learning_rate: SGD's step size.
        momentum: SGD's momentum.
        weight_decay: L2 penalty.
        backbone: By name.
        method: By name.
        knobs: Settings of the method that differ from its own defaults.
        seed: Root of every draw.
        measured_on: "test", or "validation" for whatever is to be chosen by the numbers.
        evaluate_every: Rounds between two points of the learning curve; the last round is always one.
    """

    data: str = "digits"
    imbalance: float = 10.0
    alpha: float = 0.5
    clients: int = 6
    participation: float = 1.0
    rounds: int = 20
    local_epochs: int = 2
    batch_size: int = 16
    learning_rate: float = 0.03
    momentum: float = 0.9
    weight_decay: float = 0.0
    backbone: str = "resnet8"
    method: str = "fedloge"
    knobs: Mapping[str, Any] = {}
    seed: int = 0
    measured_on: MeasuredOn = "test"
    evaluate_every: int = 10

    def key(self) -> str:
        """Return a name for the run: method, seed, and the digest of everything that decides its numbers.

        Where the images lie does not: ``folder:a/cifar10`` and ``folder:/data/cifar10`` are one run.
        """
        kind, _, where = self.data.partition(":")
        data = f"{kind}:{where.rstrip('/').rsplit('/', 1)[-1]}"
        settings = msgspec.json.encode(msgspec.structs.replace(self, data=data), order="sorted")
        return f"{self.method}-{self.seed}-{hashlib.sha256(settings).hexdigest()[:12]}"


def method_of(setting: LabSetting) -> MethodSettings:
    """Return the method's settings with the knobs asked for.

    Raises:
        SettingsError: The method or a knob is unknown, or a knob's value does not fit the method.
    """
    known = [field.name for field in msgspec.structs.fields(MethodSettings) if field.name != "name"]
    for key in setting.knobs:
        if key not in known:
            raise SettingsError(f"a method has no setting {key!r}", remedy=f"--set takes one of: {', '.join(known)}")
    method = method_settings(setting.method, **setting.knobs)
    try:
        method = msgspec.convert(msgspec.to_builtins(method), MethodSettings)
    except msgspec.ValidationError as cause:
        raise SettingsError(
            f"method.{complaint(cause, MethodSettings)}",
            remedy="`fedloge cloud init` writes a file that names every key",
        ) from cause
    check_method(method)
    return method


def client_names(count: int) -> list[str]:
    """Return ids in one width, so that sorting them keeps their order."""
    width = max(2, len(str(max(0, count - 1))))
    return [f"client-{number:0{width}d}" for number in range(count)]


def federation_of(setting: LabSetting, splits: Splits, class_counts: tuple[int, ...]) -> FederationFile:
    """Return the federation a run trains: the file a deployment of the same settings would have.

    Raises:
        SettingsError: A value is out of range, or the method or one of its knobs is unknown.
    """
    model = ModelSettings(
        backbone=setting.backbone, image_size=splits.image_size, channels=1 if splits.channels == 1 else 3
    )
    settings = FederationFile(
        federation="lab",
        class_names=splits.class_names,
        class_counts=class_counts,
        rounds=setting.rounds,
        seed=setting.seed,
        model=model,
        method=method_of(setting),
        training=msgspec.structs.replace(
            augmented_for(model),
            local_epochs=setting.local_epochs,
            batch_size=setting.batch_size,
            learning_rate=setting.learning_rate,
            momentum=setting.momentum,
            weight_decay=setting.weight_decay,
        ),
        participation=ParticipationSettings(
            clients=setting.clients,
            fraction=setting.participation,
            join_deadline_seconds=DEADLINE_SECONDS,
            round_deadline_seconds=DEADLINE_SECONDS,
            report_deadline_seconds=DEADLINE_SECONDS,
        ),
        report=ReportSettings(received=False),
        broker=BrokerSettings(url="mqtt://memory.invalid"),
    )
    check(settings)
    return settings

"""The federation file: TOML, read once into frozen settings; an unknown key is an error that names it."""

from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from shared.errors import SettingsError
from shared.settings import (
    Count,
    Fraction,
    MethodSettings,
    ModelSettings,
    ReportSettings,
    Seconds,
    SharedSettings,
    TrainingSettings,
)
from shared.topics import check_name

ClassNames: TypeAlias = Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(min_length=2)]


class ParticipationSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who takes part, and how long anyone is waited for.

    Attributes:
        clients: Clients to wait for before round 1.
        join_deadline_seconds: For them to come; then the federation starts with those that did, at least one.
        fraction: Share of the known clients selected for a round.
        quorum: Share of the selected whose updates close a round at its deadline.
        round_deadline_seconds: From a round's announcement to its close without the missing.
        report_deadline_seconds: From the end of training to the close without the missing reports.
        max_examples: Largest weight an update may claim: bounds what one client can do to the mean.
    """

    clients: Count = 2
    join_deadline_seconds: Seconds = 3600.0
    fraction: Fraction = 1.0
    quorum: Fraction = 0.5
    round_deadline_seconds: Seconds = 3600.0
    report_deadline_seconds: Seconds = 3600.0
    max_examples: Count = 1_000_000


class EvaluationSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Labelled images at the coordinator; without ``data`` the generic model's accuracy is absent, never estimated.

    Attributes:
        data: Data spec; its test part is taken where there is one, else all of it.
    """

    data: str | None = None


class BrokerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the broker is.

    Attributes:
        url: "embedded" starts one on this machine; ``mqtt://host:port`` uses yours.
        username: For your broker; its password comes from ``password_file`` or ``$FEDLOGE_BROKER_PASSWORD``.
        password_file: A file that holds the password alone.
    """

    url: Annotated[str, Meta(pattern=r"^(embedded|mqtts?://.+)$")] = "embedded"
    username: str | None = None
    password_file: str | None = None


class StoreSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the coordinator keeps its state.

    Attributes:
        folder: Database, models, credentials and ``join.json``; relative to the federation file.
        database: SQLAlchemy URL; "" is ``federation.sqlite`` in the folder.
    """

    folder: str = "coordinator"
    database: str = ""


class FederationFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One federation as its operator writes it.

    Attributes:
        federation: Its name.
        class_names: In label order.
        class_counts: Training images per class over all clients, where known: cuts classes into head, medium, tail.
        rounds: How many.
        seed: Root of every random draw.
    """

    federation: str
    class_names: ClassNames
    class_counts: tuple[Annotated[int, Meta(ge=0)], ...] | None = None
    rounds: Count = 20
    seed: int = 0
    model: ModelSettings = ModelSettings()
    method: MethodSettings = MethodSettings()
    training: TrainingSettings = TrainingSettings()
    participation: ParticipationSettings = ParticipationSettings()
    report: ReportSettings = ReportSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    broker: BrokerSettings = BrokerSettings()
    store: StoreSettings = StoreSettings()

    def shared(self) -> SharedSettings:
        """Return what agents are told."""
        return SharedSettings(
            federation=self.federation,
            class_names=self.class_names,
            seed=self.seed,
            model=self.model,
            method=self.method,
            training=self.training,
            report=self.report,
        )

    def identity(self) -> dict[str, Any]:
        """Return what a resumed federation must not change: everything that decides the shared model."""
        chosen = {"rounds": self.rounds, "fraction": self.participation.fraction, "shared": self.shared()}
        identity: dict[str, Any] = msgspec.to_builtins(chosen)
        return identity


class FederationPaths(Struct, frozen=True, kw_only=True):
    """Where a federation's files are, resolved against the federation file's folder."""

    folder: Path
    database: str

    @property
    def blobs(self) -> Path:
        """Content-addressed models and updates."""
        return self.folder / "blobs"

    @property
    def join_file(self) -> Path:
        """What an agent needs to join."""
        return self.folder / "join.json"

    @property
    def bundle(self) -> Path:
        """Source of the generic ONNX model, replaced at every commit."""
        return self.folder / "generic.bundle.safetensors"

    @property
    def generic_onnx(self) -> Path:
        """The generic model."""
        return self.folder / "generic.onnx"


def read_federation(path: Path) -> FederationFile:
    """Read and check a federation file.

    Raises:
        SettingsError: Missing, not TOML, an unknown key, a wrong type or values that contradict each other.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        reason = getattr(cause, "strerror", None) or cause
        raise SettingsError(
            f"cannot read {path}: {reason}", remedy=f"write one with: fedloge cloud init {path}"
        ) from cause
    try:
        settings = msgspec.toml.decode(text, type=FederationFile)
    except msgspec.DecodeError as cause:
        raise SettingsError(
            f"{path}: {cause}", remedy="`fedloge cloud init` writes a file that names every key"
        ) from cause
    check(settings)
    return settings


def check(settings: FederationFile) -> None:
    """Refuse values that contradict each other.

    Raises:
        SettingsError: Names the key.
    """
    check_name("federation", settings.federation)
    names, model = settings.class_names, settings.model
    if len(set(names)) != len(names):
        raise SettingsError("class_names holds a name twice")
    if settings.class_counts is not None and len(settings.class_counts) != len(names):
        raise SettingsError(f"class_counts has {len(settings.class_counts)} numbers for {len(names)} class_names")
    for key, values in (("mean", model.mean), ("std", model.std)):
        if len(values) not in {1, model.channels}:
            raise SettingsError(f"model.{key} has {len(values)} numbers for {model.channels} channels")


def paths_of(federation_file: Path, settings: FederationFile) -> FederationPaths:
    """Return the federation's paths; nothing is created."""
    folder = (federation_file.resolve().parent / settings.store.folder).resolve()
    return FederationPaths(
        folder=folder, database=settings.store.database or f"sqlite:///{folder / 'federation.sqlite'}"
    )


BrokerKind: TypeAlias = Literal["embedded", "external"]

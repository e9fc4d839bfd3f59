"""The federation file: TOML, read once into frozen settings; an unknown key is an error that names it."""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import Meta, Struct

from shared.complaint import complaint
from shared.endpoint import Endpoint, Version
from shared.errors import BrokerError, SettingsError
from shared.methods import RECIPES, check_method
from shared.packet import Profile
from shared.settings import (
    Count,
    Fraction,
    MethodSettings,
    ModelSettings,
    ReportSettings,
    Seconds,
    Seed,
    SharedSettings,
    TrainingSettings,
    UpdateSettings,
)
from shared.topics import check_name

ClassNames: TypeAlias = Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(min_length=2)]


class ParticipationSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who takes part, and how long anyone is waited for.

    Attributes:
        clients: Clients to wait for before round 1.
        join_deadline_seconds: Wait for them to come; then the federation starts with those that did, at least one.
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
        data: folder:DIR or another data spec; its test part is taken where there is one, else all of it.
    """

    data: str | None = None


class BrokerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the broker is.

    Attributes:
        url: "embedded" starts one on this machine; ``mqtt://host:port`` uses yours.
        username: At your broker; the password comes from ``password_file`` or ``$FEDLOGE_BROKER_PASSWORD``.
        password_file: A file that holds the password alone; a relative path begins where the command is started.
        mqtt: "auto" tries MQTT 5 and falls back to 3.1.1; a version saves a broker without MQTT 5 five seconds a start.
        profile: What your broker passes on; "aws" keeps packets below 128 KB, a broker with MQTT 5 says it itself.
        broadcast_mib_per_second: Pace of the global model when it goes to everybody at once; 0 sends it to each alone.
    """

    url: str = "embedded"
    username: str | None = None
    password_file: str | None = None
    mqtt: Version = "auto"
    profile: Profile = "standard"
    broadcast_mib_per_second: Annotated[float, Meta(ge=0)] = 16.0


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
        federation: Name of the federation: letters, digits, dots, dashes and underscores.
        class_names: Names of the classes in label order.
        class_counts: Training images per class over all clients, where known: cuts classes into head, medium, tail.
        rounds: Communication rounds to train.
        seed: Root of every random draw.
    """

    federation: str
    class_names: ClassNames
    class_counts: tuple[Annotated[int, Meta(ge=0)], ...] | None = None
    rounds: Count = 20
    seed: Seed = 0
    model: ModelSettings = ModelSettings()
    method: MethodSettings = MethodSettings()
    training: TrainingSettings = TrainingSettings()
    update: UpdateSettings = UpdateSettings()
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
            update=self.update,
            report=self.report,
        )

    def identity(self) -> dict[str, Any]:
        """Return what a resumed federation must not change, under the file's keys: what decides the shared model."""
        identity: dict[str, Any] = msgspec.to_builtins(self.shared())
        return {"rounds": self.rounds, "participation": {"fraction": self.participation.fraction}} | identity


class FederationPaths(Struct, frozen=True, kw_only=True):
    """Where a federation's files are, resolved against the federation file's folder."""

    folder: Path
    database: str

    @property
    def blobs(self) -> Path:
        """Content-addressed models and updates."""
        return self.folder / "blobs"

    @property
    def spool(self) -> Path:
        """Updates of the open round."""
        return self.folder / "spool"

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
        settings = msgspec.convert(with_method(msgspec.toml.decode(text)), FederationFile)
    except (msgspec.DecodeError, RecursionError, ValueError) as cause:  # ValueError: an integer of 5,000 digits
        raise SettingsError(f"{path}: {complaint(cause, FederationFile)}", remedy=_EVERY_KEY) from cause
    try:
        check(settings)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error.message}", remedy=error.remedy) from error
    return settings


def with_method(table: dict[str, Any]) -> dict[str, Any]:
    """Fill a method's own knobs in where the file leaves them out.

    ``method = "ditto"`` is short for a table with that name alone; an unknown name is left for the types to refuse.
    """
    given = table.get("method", {})
    chosen = {"name": given} if isinstance(given, str) else given
    name = chosen.get("name", "fedloge") if isinstance(chosen, dict) else None
    if not isinstance(name, str) or name not in RECIPES:
        return table | {"method": chosen}
    return table | {"method": {"name": name, **RECIPES[name].knobs, **chosen}}


def check(settings: FederationFile) -> None:
    """Refuse values that are out of range or contradict each other, also where no file was read.

    Raises:
        SettingsError: Names the key.
    """
    try:
        msgspec.convert(msgspec.to_builtins(settings), FederationFile)
    except msgspec.ValidationError as cause:
        raise SettingsError(complaint(cause, FederationFile), remedy=_EVERY_KEY) from cause
    for key, number in _floats(settings):
        if not math.isfinite(number):
            raise SettingsError(f"{key} is {number}, expected a finite number", remedy=f"give {key} a number")
    check_name("federation", settings.federation)
    check_method(settings.method)
    _check_lengths(settings)
    _check_broker(settings.broker)


def _check_lengths(settings: FederationFile) -> None:
    names, counts, model = settings.class_names, settings.class_counts, settings.model
    for name in names:
        if _UNSPEAKABLE.search(name):
            raise SettingsError(f"class_names holds {name!r}", remedy="use names without control characters, in UTF-8")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SettingsError(f"class_names holds {twice[0]!r} twice", remedy="name every class once, in label order")
    if counts is not None and len(counts) != len(names):
        raise SettingsError(
            f"class_counts has {len(counts)} numbers for {len(names)} class_names",
            remedy="give one number per class, or remove class_counts",
        )
    padding = settings.training.crop_padding
    if padding >= model.image_size:
        raise SettingsError(
            f"training.crop_padding is {padding}, must be smaller than model.image_size, {model.image_size}",
            remedy="an eighth of the image size is usual",
        )
    for key, values in (("mean", model.mean), ("std", model.std)):
        if len(values) not in {1, model.channels}:
            raise SettingsError(
                f"model.{key} has {len(values)} numbers for {model.channels} channels",
                remedy="give one number, or one per channel",
            )


def _check_broker(broker: BrokerSettings) -> None:
    if broker.url == "embedded":
        return
    try:
        Endpoint(broker.url).address()
    except BrokerError as error:
        raise SettingsError(
            f"broker.url: {error.message}",
            remedy="write embedded, mqtt://host:port or mqtts://host:port; the login goes into broker.username and "
            "broker.password_file, or $FEDLOGE_BROKER_USERNAME and $FEDLOGE_BROKER_PASSWORD",
        ) from error


def _floats(section: Struct, prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield every floating-point number with its dotted key."""
    for field in msgspec.structs.fields(section):
        value = getattr(section, field.name)
        if isinstance(value, Struct):
            yield from _floats(value, f"{prefix}{field.name}.")
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, float):
                yield f"{prefix}{field.name}", number


_UNSPEAKABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters, and the surrogates that stand for what is no UTF-8 in a folder's name."""

_EVERY_KEY: Final = "`fedloge cloud init` writes a file that names every key"


def paths_of(federation_file: Path, settings: FederationFile) -> FederationPaths:
    """Return the federation's paths; nothing is created."""
    folder = (federation_file.resolve().parent / settings.store.folder).resolve()
    return FederationPaths(
        folder=folder, database=settings.store.database or f"sqlite:///{folder / 'federation.sqlite'}"
    )

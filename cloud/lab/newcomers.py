"""``lab newcomers``: what a client that never trained gets without a round, and from adapting a head to its images."""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec
import torch
from msgspec import Struct

from cloud.lab.clients import as_on_a_device
from cloud.lab.federation import train
from cloud.lab.fleet import fleet_of
from cloud.lab.measuring import Point
from cloud.lab.run import deal_for
from cloud.lab.setting import LabSetting, federation_of
from cloud.lab.starts import STARTS, Starting
from shared.data import Splits
from shared.errors import SettingsError
from shared.seeds import generator
from shared.shards import Shards

SCHEMA_VERSION: Final = 1


class Spread(Struct, frozen=True, kw_only=True):
    """One figure over clients; accuracies in 0..1.

    Attributes:
        mean: Unweighted.
        std: Population standard deviation.
        worst: Of the worst client.
        clients: How many were measured.
    """

    mean: float
    std: float
    worst: float
    clients: int


class StartRow(Struct, frozen=True, kw_only=True):
    """One way to start, over the clients that never trained and over those that did; None where there is none."""

    start: str
    new: Spread | None
    trained: Spread | None


class ClientStarts(Struct, frozen=True, kw_only=True):
    """One client.

    Attributes:
        client: Its id.
        is_new: Whether it never trained.
        num_train_images: What its prior and its head are made of.
        num_images: Of its local test.
        accuracy: By way to start, 0..1; None where the method has no such start; empty without a test image.
    """

    client: str
    is_new: bool
    num_train_images: int
    num_images: int
    accuracy: dict[str, float | None]


class NewcomersResult(Struct, frozen=True, kw_only=True):
    """What ``newcomers.json`` holds.

    Attributes:
        setting: What was run; ``clients`` counts the new ones, too.
        share: Of the clients that were to be new.
        personal_rule: By which the method's own personal model answers.
        adapted_rule: By which an adapted head answers; None where the method adapts none.
        rows: The table.
        clients: Every client, the new ones marked.
        global_digest: SHA-256 of the final shared tensors.
        seconds: Wall-clock duration.
    """

    schema_version: int = SCHEMA_VERSION
    setting: LabSetting
    share: float
    personal_rule: str
    adapted_rule: str | None
    rows: tuple[StartRow, ...]
    clients: tuple[ClientStarts, ...]
    global_digest: str
    seconds: float


def choose_newcomers(clients: Iterable[str], share: float, seed: int) -> tuple[str, ...]:
    """Draw who never takes part, at least one, from a generator of its own: the partition stays as it was.

    Args:
        clients: All ids.
        share: Of them, rounded to whole clients.
        seed: The root seed.

    Raises:
        SettingsError: Nobody would be left to train.
    """
    known = sorted(clients)
    count = max(1, round(share * len(known)))
    if count >= len(known):
        raise SettingsError(
            f"a share of {share} makes {count} of {len(known)} clients new, and leaves none to train",
            remedy="use more clients or a smaller --share",
        )
    order = torch.randperm(len(known), generator=generator(seed, "newcomers")).tolist()
    return tuple(sorted(known[index] for index in order[:count]))


def without(shards: Shards, newcomers: tuple[str, ...]) -> Shards:
    """Return the dealt data without some clients; what they hold counts for no class."""
    staying = tuple(client for client in shards.clients if client.client not in newcomers)
    counts = torch.stack([client.train.class_counts() for client in staying]).sum(0)
    return replace(shards, clients=staying, class_counts=counts)


def run_newcomers(
    setting: LabSetting, splits: Splits, share: float, told: Callable[[int, Point | None], None]
) -> NewcomersResult:
    """Train without the new clients, then start everybody in every way.

    Args:
        setting: What to run.
        splits: The images its data spec names.
        share: Of the clients that never train.
        told: Called after every round.

    Raises:
        SettingsError: A value is out of range, the method is unknown, or nobody is left to train.
    """
    started = time.monotonic()
    shards = deal_for(setting, splits)
    newcomers = choose_newcomers((client.client for client in shards.clients), share, setting.seed)
    training = without(shards, newcomers)
    settings = federation_of(
        msgspec.structs.replace(setting, clients=len(training.clients)), splits, tuple(training.class_counts.tolist())
    )
    with tempfile.TemporaryDirectory(prefix="fedloge-lab-") as folder:
        trained = train(settings, training, folder=Path(folder), evaluate_every=setting.rounds, told=told)
        digest = trained.store.last_committed().blob
        trained.store.close()
    everybody = fleet_of(shards, settings.shared(), trained.fleet.etf)
    starting = Starting(everybody=everybody, trained=trained.fleet, seen=trained.seen)
    clients = tuple(
        ClientStarts(
            client=member.client,
            is_new=member.client in newcomers,
            num_train_images=len(dealt.train),
            num_images=len(member.paper),
            accuracy=starting.of(member, as_on_a_device(dealt.train)) if len(member.paper) else {},
        )
        for member, dealt in zip(everybody.members, shards.clients, strict=True)
    )
    return NewcomersResult(
        setting=setting,
        share=share,
        personal_rule=settings.method.personal_rule,
        adapted_rule=starting.adapted_rule,
        rows=tuple(
            StartRow(start=start, new=_spread(start, clients, new=True), trained=_spread(start, clients, new=False))
            for start in STARTS
        ),
        clients=clients,
        global_digest=digest,
        seconds=round(time.monotonic() - started, 1),
    )


def _spread(start: str, clients: Iterable[ClientStarts], *, new: bool) -> Spread | None:
    values = [v for c in clients if c.is_new == new and (v := c.accuracy.get(start)) is not None]
    if not values:
        return None
    return Spread(mean=statistics.fmean(values), std=statistics.pstdev(values), worst=min(values), clients=len(values))

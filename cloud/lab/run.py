"""One setting to one result: deal, train, measure."""

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import torch

from cloud.lab.federation import Trained, train
from cloud.lab.final import final_figures, groups_of
from cloud.lab.measuring import Point
from cloud.lab.setting import LabSetting, client_names, federation_of
from cloud.result import ClassAccuracy, ClientResult, GenericResult, Result, RoundFigures, mean, summarise_clients
from shared.data import Splits
from shared.metrics import class_groups, per_class_accuracy
from shared.precision import in_bf16
from shared.protocol import NEW_CLASS_SHARE, Protocol
from shared.settings import TrainingSettings
from shared.shards import Shards, deal


def run(setting: LabSetting, splits: Splits, told: Callable[[int, Point | None], None]) -> Result:
    """Run one setting; the same setting gives the same figures, whatever else the machine does.

    Args:
        setting: What to run.
        splits: The images its data spec names.
        told: Called after every round, with its point of the learning curve where it was measured.

    Raises:
        SettingsError: A value is out of range, or the method is unknown.
    """
    started = time.monotonic()
    shards = deal_for(setting, splits)
    settings = federation_of(setting, splits, tuple(shards.class_counts.tolist()))
    with tempfile.TemporaryDirectory(prefix="fedloge-lab-") as folder:
        trained = train(settings, shards, folder=Path(folder), evaluate_every=setting.evaluate_every, told=told)
        try:
            return _result(setting, shards, trained, started)
        finally:
            trained.store.close()


def deal_for(setting: LabSetting, splits: Splits) -> Shards:
    """Deal the images; the local tests hold images of new classes, of which the paper's tests are the rest."""
    return deal(
        splits,
        clients=client_names(setting.clients),
        imbalance_factor=setting.imbalance,
        alpha=setting.alpha,
        seed=setting.seed,
        protocol=Protocol(measured_on=setting.measured_on, new_class_share=NEW_CLASS_SHARE),
    )


def _result(setting: LabSetting, shards: Shards, trained: Trained, started: float) -> Result:
    last = trained.store.last_committed()
    federation = trained.store.federation()
    point = trained.curve[setting.rounds]
    notes = {report.client: report.head_note for report in trained.store.reports()}
    clients = [
        ClientResult(
            client=dealt.client,
            num_images=0 if dealt.test_indices is None else int((~dealt.is_new()).sum()),
            num_train_images=len(dealt.train),
            generic=point.generic.get(dealt.client),
            personal=point.personal.get(dealt.client),
            head_note=notes.get(dealt.client, ""),
            class_counts=tuple(dealt.train.class_counts().tolist()),
        )
        for dealt in shards.clients
    ]
    return Result(
        config=_config(setting, trained.fleet.settings.training),
        rounds=tuple(_round(number, trained.curve[number]) for number in sorted(trained.curve)),
        gm=_generic(trained),
        pm=summarise_clients(clients),
        bytes_up=0 if federation is None else federation.bytes_up,
        bytes_down=0 if federation is None else federation.bytes_down,
        global_digest=last.blob,
        seconds=round(time.monotonic() - started, 1),
        lab=final_figures(setting, trained.fleet, trained.seen, point),
    )


def _round(number: int, point: Point) -> RoundFigures:
    return RoundFigures(
        round=number,
        gm=point.gm,
        pm_mean=mean([*point.personal.values()]),
        generic_mean=mean([*point.generic.values()]),
    )


def _generic(trained: Trained) -> GenericResult:
    fleet, seen = trained.fleet, trained.seen
    logits = fleet.generic(seen).logits(seen.features[fleet.evaluation])
    labels = fleet.test.labels[fleet.evaluation]
    figures = groups_of(logits, labels, fleet, "shares")
    groups = class_groups(fleet.class_counts)
    found = per_class_accuracy(logits, labels, len(groups))
    return GenericResult(
        accuracy=figures.accuracy,
        head=figures.head,
        medium=figures.medium,
        tail=figures.tail,
        per_class=tuple(
            ClassAccuracy(name=name, group=groups[c], train_images=int(fleet.class_counts[c]), accuracy=found[c])
            for c, name in enumerate(fleet.settings.class_names)
        ),
    )


def _config(setting: LabSetting, training: TrainingSettings) -> dict[str, Any]:
    return {
        **msgspec.to_builtins(setting),
        "precision": "bf16" if in_bf16(training, torch.device("cpu")) else "fp32",
        "threads": torch.get_num_threads(),
        "torch": str(torch.__version__),
        "python": sys.version.split()[0],
        "cores": os.cpu_count(),
    }

"""After the run: everything the database, the export records and the dealt data say, as one result."""

import os
import sys
from pathlib import Path
from typing import Any

import torch

from cloud.demo.options import DemoOptions
from cloud.demo.prepare import Prepared
from cloud.demo.watch import history
from cloud.result import (
    ClassAccuracy,
    ClientResult,
    GenericResult,
    ModelRecord,
    Parity,
    Result,
    summarise_clients,
)
from cloud.store.contract import RoundStore
from cloud.store.rows import Evaluation, ReportRow
from export.record import read_record
from shared.backbones import build_backbone
from shared.methods import recipe_of
from shared.metrics import class_groups


def gather(store: RoundStore, options: DemoOptions, prepared: Prepared, seconds: float) -> Result:
    """Return the result of a finished demo.

    Raises:
        VerificationError: An exported file has no record.
        RoundError: No round was committed.
    """
    last = store.last_committed()
    reports = store.reports()
    federation = store.federation()
    rounds = history(store.rounds(), reports)
    return Result(
        config=_config(options, prepared),
        rounds=rounds,
        gm=None if last.evaluation is None else _generic(last.evaluation, prepared),
        pm=summarise_clients([_client(report, prepared) for report in reports]),
        bytes_up=0 if federation is None else federation.bytes_up,
        bytes_down=0 if federation is None else federation.bytes_down,
        global_digest=last.blob,
        models=_models(prepared, reports),
        seconds=round(seconds, 3),
    )


def _config(options: DemoOptions, prepared: Prepared) -> dict[str, Any]:
    settings = prepared.settings
    model, method, training = settings.model, settings.method, settings.training
    module = build_backbone(model.backbone, image_size=model.image_size, channels=model.channels, seed=0)
    return {
        "data": options.data,
        "agents": options.agents,
        "rounds": options.rounds,
        "local_epochs": training.local_epochs,
        "batch_size": training.batch_size,
        "learning_rate": training.learning_rate,
        "momentum": training.momentum,
        "backbone": model.backbone,
        "feature_dim": module.feature_dim,
        "image_size": model.image_size,
        "imbalance": options.imbalance,
        "alpha": options.alpha,
        "seed": options.seed,
        "method": method.name,
        "gamma": method.row_norm(module.feature_dim),
        "generic_rule": method.generic_rule,
        "personal_rule": method.personal_rule,
        "mask": method.mask,
        "participation": options.participation,
        "threads": training.threads,
        "broker": "embedded" if options.broker == "embedded" else "external",
        "torch": str(torch.__version__),
        "python": sys.version.split()[0],
        "cores": os.cpu_count(),
    }


def _generic(evaluation: Evaluation, prepared: Prepared) -> GenericResult:
    counts = prepared.shards.class_counts
    groups = class_groups(counts)
    names = prepared.settings.class_names
    return GenericResult(
        accuracy=evaluation.accuracy,
        head=evaluation.groups.get("head"),
        medium=evaluation.groups.get("medium"),
        tail=evaluation.groups.get("tail"),
        per_class=tuple(
            ClassAccuracy(name=name, group=groups[label], train_images=int(counts[label]), accuracy=accuracy)
            for label, (name, accuracy) in enumerate(zip(names, evaluation.per_class, strict=True))
        ),
        rules=dict(evaluation.rules),
    )


def _client(report: ReportRow, prepared: Prepared) -> ClientResult:
    dealt = next(data for data in prepared.shards.clients if data.client == report.client)
    return ClientResult(
        client=report.client,
        num_images=report.figures.num_images,
        num_train_images=len(dealt.train),
        alone=report.figures.alone,
        generic=report.figures.generic,
        personal=report.figures.personal,
        head_note=report.head_note,
        class_counts=tuple(dealt.train.class_counts().tolist()),
    )


def _models(prepared: Prepared, reports: list[ReportRow]) -> tuple[ModelRecord, ...]:
    files: list[tuple[str | None, Path]] = []
    if recipe_of(prepared.settings.method).generic_rules:
        files.append((None, prepared.paths.generic_onnx))
    files += [(report.client, prepared.agents[report.client] / "personal.onnx") for report in reports]
    return tuple(_model(client, path) for client, path in files)


def _model(client: str | None, path: Path) -> ModelRecord:
    record = read_record(path)
    return ModelRecord(
        path=str(path.absolute()),
        digest=record.sha256,
        kind="generic" if client is None else "personal",
        client=client,
        parity=Parity(
            max_abs_error=record.parity.max_abs_error,
            bound=record.parity.bound,
            label_agreement=record.parity.label_agreement,
            num_images=record.parity.num_images,
            images=record.images.origin,
        ),
    )

"""Every backbone, rule, mask and precision: exported, certified, loaded on the CPU; a JSON per backbone and precision.

    python -m benchmarks.export_matrix [BACKBONE ...]

Backbones are trained for a few passes over scikit-learn's digits, so that labels mean something. For each precision
the backbone is written once and each rule and mask as a head behind it, compared on the digits' test part. Results that
stand in benchmarks/results/export_matrix are skipped.
"""

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import msgspec
import torch

from export.bundle import Bundle, Provenance
from export.layout import BACKBONE, head_path
from export.loading import load
from export.options import GraphOptions, Precision
from export.record import ExportRecord
from export.split import write_backbone, write_heads
from shared.backbones import build_backbone
from shared.data import read
from shared.data.splits import Splits
from shared.errors import ExportError
from shared.heads import Head
from shared.images import normalise
from shared.metrics import class_groups
from shared.prediction import personal_head
from shared.settings import MaskRule, ModelSettings, PersonalRule
from shared.tensors import shared_state

RESULTS = Path(__file__).parent / "results" / "export_matrix"
BACKBONES = {
    "resnet8": (8, 1, 6, 1397),
    "resnet20": (8, 1, 6, 1397),
    "squeezenet1_1": (32, 3, 8, 800),
    "resnet18-stem7": (32, 3, 4, 800),
    "resnet18-stem3": (16, 3, 2, 600),
}
"""Image size, channels, passes and training images of each."""


def trained(name: str) -> tuple[Bundle, Splits]:
    """Return a backbone with a linear head, trained on digits, and the digits."""
    size, channels, passes, limit = BACKBONES[name]
    digits = read("digits", image_size=size, channels=channels)
    train = digits.train.select(torch.arange(min(limit, len(digits.train))))
    settings = ModelSettings(backbone=name, image_size=size, channels=channels)
    net = build_backbone(name, image_size=size, channels=channels, seed=0)
    head = torch.nn.Linear(net.feature_dim, len(train.class_names), bias=False)
    torch.nn.init.zeros_(head.weight)
    rate, order = (0.01 if "squeeze" in name else 0.03), torch.Generator().manual_seed(0)
    step = torch.optim.SGD([*net.parameters(), *head.parameters()], lr=rate, momentum=0.9)
    for _ in range(passes):
        for chosen in torch.randperm(len(train), generator=order).split(32):
            shown = normalise(train.images[chosen], settings.mean, settings.std)
            loss = torch.nn.functional.cross_entropy(head(net(shown)), train.labels[chosen])
            step.zero_grad()
            loss.backward()
            step.step()
    bundle = Bundle(
        kind="generic",
        rule="psi",
        class_names=train.class_names,
        model=settings,
        provenance=Provenance(federation="matrix", round=1, client=None, shared_digest="0" * 64, etf_digest="0" * 64),
        backbone=shared_state(net),
        head=Head(weight=head.weight.detach().clone()),
    )
    return bundle, digits


def models(shared: Bundle, counts: torch.Tensor) -> Iterator[Bundle]:
    """Yield one model per rule and mask: a client that has no image of the last two classes, and a head near psi."""
    psi, draw = shared.head, torch.Generator().manual_seed(1)
    phi = Head(weight=psi.weight + 0.1 * psi.weight.std() * torch.randn(psi.weight.shape, generator=draw))
    etf = torch.nn.functional.normalize(psi.weight, dim=1) * 3
    own = counts.clone()
    own[-2:] = 0
    for rule in get_args(PersonalRule):
        for mask in get_args(MaskRule):
            head = personal_head(rule, mask, etf=etf, psi=psi, phi=phi, class_counts=own, smoothing=0.1)
            client = f"{rule.replace('+', '-')}.{mask}"
            who = msgspec.structs.replace(shared.provenance, client=client)
            yield replace(shared, kind="personal", rule=rule, head=head, provenance=who)


def run(shared: Bundle, digits: Splits, precision: Precision) -> dict[str, Any]:
    """Export, certify and load one backbone's every head in one precision."""
    groups = tuple(class_groups(digits.train.class_counts()))
    seen: dict[str, Any] = {"images": digits.evaluation, "images_source": "held-out:digits"}
    found: dict[str, Any] = {"backbone": shared.model.backbone, "precision": precision, "heads": {}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = GraphOptions(precision=precision)
        record = write_backbone(folder, shared, options=options, calibration=digits.train, **seen)
        found["feature_error"] = record.parity.max_abs_error
        for bundle in models(shared, digits.train.class_counts()):
            client = str(bundle.provenance.client)
            try:
                (head,) = write_heads(folder, [bundle], class_groups=lambda _bundle: groups, **seen)
            except ExportError as refused:
                found["heads"][client] = {"refused": refused.message}
                continue
            load(head_path(folder, client)).session()
            found["heads"][client] = _figures(head)
        found["bytes"] = {name: (folder / name).stat().st_size for name in (BACKBONE, "backbone.weights")}
    return found


def _figures(record: ExportRecord) -> dict[str, Any]:
    return {"parity": msgspec.to_builtins(record.parity), "accuracy": msgspec.to_builtins(record.accuracy)}


def main(names: list[str]) -> None:
    """Run what is asked for, or all."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name in names or BACKBONES:
        missing = [p for p in get_args(Precision) if not (RESULTS / f"{name}-{p}.json").exists()]
        if not missing:
            continue
        shared, digits = trained(name)
        for precision in missing:
            found = run(shared, digits, precision)
            text = msgspec.json.format(msgspec.json.encode(found), indent=1)
            (RESULTS / f"{name}-{precision}.json").write_bytes(text + b"\n")
            refused = [client for client, head in found["heads"].items() if "refused" in head]
            print(name, precision, len(found["heads"]), "heads,", len(refused), "refused", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

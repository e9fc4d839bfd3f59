"""Which heads should answer? Accuracy of every rule on validation images, per seed; results are kept and resumed.

Run:  python benchmarks/rules.py --seeds 5
      python benchmarks/rules.py --seeds 5 --table     (prints what is there, and what is missing)
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import get_args

from federation import Setting, Trained, train, with_method

from edge.catch_up import catch_up
from edge.evaluate import features_of
from shared.data import read
from shared.metrics import accuracy
from shared.prediction import generic_head, personal_head
from shared.settings import GenericRule, MaskRule, PersonalRule

RESULTS = Path(__file__).parent / "results" / "rules"
VARIANTS = {
    "default": Setting(),
    "no local prior": with_method(Setting(), local_prior=False),
    "gamma 0.1, no local prior (the paper's)": with_method(Setting(), gamma=0.1, local_prior=False),
    "gamma 6": with_method(Setting(), gamma=6.0),
    "gamma 10": with_method(Setting(), gamma=10.0),
    "gamma 6, smoothing 1": with_method(Setting(), gamma=6.0, prior_smoothing=1.0),
    "gamma 1": with_method(Setting(), gamma=1.0),
    "gamma 0.1": with_method(Setting(), gamma=0.1),
}


def measure(trained: Trained) -> dict[str, float]:
    """Return the mean over clients of each rule's accuracy on the client's validation images."""
    import torch  # noqa: PLC0415 - `--table` needs no torch

    rows: dict[str, list[float]] = {}
    for client, data in trained.data.items():
        labels = data.held_out.labels
        if not len(labels):
            continue
        device, settings = torch.device("cpu"), trained.settings
        features = features_of(trained.model.backbone, data.held_out, settings.model, device)
        for rule in get_args(GenericRule):
            head = generic_head(rule, etf=trained.etf, psi=trained.model.psi)
            rows.setdefault(f"generic {rule}", []).append(accuracy(head.logits(features), labels))
        phi = catch_up(
            trained.heads[client],
            trained.model.backbone,
            data.train,
            settings=settings,
            epochs=settings.method.catch_up_epochs,
            client=client,
            device=device,
        )
        for rule in get_args(PersonalRule):
            for mask in get_args(MaskRule):
                head = personal_head(
                    rule,
                    mask,
                    etf=trained.etf,
                    psi=trained.model.psi,
                    phi=phi,
                    class_counts=data.train.class_counts(),
                    smoothing=settings.method.prior_smoothing,
                )
                name = f"personal {rule}" + (" masked" if mask != "none" else "")
                rows.setdefault(name, []).append(accuracy(head.logits(features), labels))
    return {name: statistics.fmean(values) for name, values in rows.items()}


def path_of(variant: str, data: str, seed: int) -> Path:
    """Return where one run's figures are kept."""
    words = "-".join(part for part in f"{data} {variant}".replace("(", " ").split() if part)
    return RESULTS / f"{''.join(c if c.isalnum() or c in '-.' else '_' for c in words)}-{seed}.json"


def table(data: str, seeds: int) -> str:
    """Return mean and spread of every rule as Markdown; a cell without all its runs says so."""
    cells = {
        variant: [json.loads(p.read_text()) for seed in range(seeds) if (p := path_of(variant, data, seed)).exists()]
        for variant in VARIANTS
    }
    names = sorted({name for runs in cells.values() for run in runs for name in run})
    lines = ["| rule | " + " | ".join(VARIANTS) + " |", "|---|" + "--:|" * len(VARIANTS)]
    for name in names:
        row = []
        for runs in cells.values():
            values = [100 * run[name] for run in runs]
            spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
            row.append(
                f"{statistics.fmean(values):.1f}{spread}" if len(values) == seeds else f"{len(values)}/{seeds} runs"
            )
        lines.append(f"| {name} | " + " | ".join(row) + " |")
    return "\n".join(lines)


def main() -> None:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    for variant, setting in VARIANTS.items():
        for seed in range(arguments.seeds):
            path = path_of(variant, arguments.data, seed)
            if arguments.table or path.exists():
                continue
            splits = read(arguments.data, image_size=None, channels=None, class_names=None)
            figures = measure(train(splits, setting, seed))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(figures, indent=1) + "\n")
            print(variant, seed, {name: round(value, 3) for name, value in figures.items()}, flush=True)
    print(table(arguments.data, arguments.seeds))


if __name__ == "__main__":
    main()

"""Results that look like real ones, for the tests of the report and of the closing table."""

import random

from cloud.result import (
    ClassAccuracy,
    ClassGroup,
    ClientResult,
    GenericResult,
    ModelRecord,
    Parity,
    Result,
    RoundFigures,
    mean,
    summarise_clients,
)


def group_of(index: int, num_classes: int) -> ClassGroup:
    if index < num_classes / 3:
        return "head"
    return "medium" if index < 2 * num_classes / 3 else "tail"


def sample_clients(draw: random.Random, num_clients: int, totals: list[int]) -> list[ClientResult]:
    counts = [[0] * len(totals) for _ in range(num_clients)]
    for label, total in enumerate(totals):
        weights = [draw.gammavariate(0.5, 1.0) + 1e-6 for _ in range(num_clients)]
        for owner in draw.choices(range(num_clients), weights, k=total):
            counts[owner][label] += 1
    clients = []
    for index, own in enumerate(counts):
        num_images = max(12, sum(own) // 4)
        alone = draw.uniform(0.55, 0.9)
        generic = draw.uniform(0.72, 0.9)
        personal = min(1.0, max(alone, generic) + draw.uniform(-0.03, 0.1))
        clients.append(
            ClientResult(
                client=f"client-{index:02d}",
                num_images=num_images,
                num_train_images=sum(own),
                alone=round(alone * num_images) / num_images,
                generic=round(generic * num_images) / num_images,
                personal=round(personal * num_images) / num_images,
                head_note="trained in the last round" if index else "caught up from round 7",
                class_counts=tuple(own),
            )
        )
    return clients


def sample_rounds(
    draw: random.Random, names: list[str], num_rounds: int, model_bytes: int, *, end: tuple[float, float, float]
) -> list[RoundFigures]:
    rounds = [RoundFigures(round=0, gm=0.09, bytes_down=0)]
    for number in range(1, num_rounds + 1):
        progress = 1 - 0.72**number
        missing = (names[2],) if number == 7 else ()
        accepted = len(names) - len(missing)
        noise = 0.015 if number < num_rounds else 0.0
        scale = progress if number < num_rounds else 1.0
        gm, pm, own = (0.1 + (value - 0.1) * scale + draw.uniform(-noise, noise) for value in end)
        rounds.append(
            RoundFigures(
                round=number,
                gm=gm,
                pm_mean=pm,
                generic_mean=own,
                accepted=accepted,
                selected=len(names),
                missing=missing,
                bytes_up=accepted * model_bytes,
                bytes_down=len(names) * model_bytes,
                seconds=draw.uniform(4.0, 6.0),
            )
        )
    return rounds


def sample_models(names: list[str]) -> tuple[ModelRecord, ...]:
    parity = Parity(max_abs_error=3.8e-6, bound=9.1e-5, label_agreement=1.0, num_images=64, images="held-out")
    generic = ModelRecord(path="cloud/generic.onnx", digest="ab" * 32, kind="generic", parity=parity)
    personal = [
        ModelRecord(path=f"{name}/personal.onnx", digest=f"{i:02x}" * 32, kind="personal", client=name, parity=parity)
        for i, name in enumerate(names)
    ]
    return (generic, *personal)


def sample_result(
    *, num_clients: int = 6, class_names: list[str] | None = None, num_rounds: int = 15, largest: int = 142
) -> Result:
    """Build the result of a demo on long-tailed data (imbalance factor 10), the same at every call."""
    draw = random.Random(7)
    classes = class_names or [str(label) for label in range(10)]
    last = max(1, len(classes) - 1)
    totals = [round(largest * 0.1 ** (label / last)) for label in range(len(classes))]
    clients = sample_clients(draw, num_clients, totals)
    names = [client.client for client in clients]
    per_class = tuple(
        ClassAccuracy(
            name=name,
            group=group_of(label, len(classes)),
            train_images=totals[label],
            accuracy=min(1.0, 0.96 - 0.28 * label / last + draw.uniform(-0.06, 0.06)),
        )
        for label, name in enumerate(classes)
    )
    means = {group: mean([c.accuracy for c in per_class if c.group == group]) for group in ("head", "medium", "tail")}
    gm = GenericResult(
        accuracy=mean([c.accuracy for c in per_class]) or 0.0,
        per_class=per_class,
        rules={"etf": 0.842, "psi": 0.801, "realigned": 0.858},
        **means,
    )
    pm = summarise_clients(clients)
    end = (gm.accuracy, pm.mean or 0.0, pm.means.generic or 0.0)
    rounds = sample_rounds(draw, names, num_rounds, 318_000, end=end)
    return Result(
        config={
            "data": "digits",
            "agents": num_clients,
            "rounds": num_rounds,
            "local_epochs": 2,
            "backbone": "resnet8",
            "feature_dim": 64,
            "imbalance": 10.0,
            "alpha": 0.5,
            "seed": 0,
            "gamma": 3.0,
            "generic_rule": "etf",
            "personal_rule": "etf+prior",
            "participation": 1.0,
            "threads": 1,
            "torch": "2.15.0",
            "broker": "embedded amqtt",
        },
        rounds=tuple(rounds),
        gm=gm,
        pm=pm,
        bytes_up=sum(r.bytes_up for r in rounds) + 6_000,
        bytes_down=sum(r.bytes_down for r in rounds) + num_clients * 320_000,
        global_digest="5f" * 32,
        models=sample_models(names),
        seconds=97.4,
    )


def large_result() -> Result:
    """Build one with 40 clients and 100 classes."""
    return sample_result(
        num_clients=40, class_names=[f"species number {label}" for label in range(100)], num_rounds=60, largest=500
    )

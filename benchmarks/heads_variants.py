"""The variants that the study of heads compares: gamma, the optimiser, and what moves the backbone."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One training run; the defaults are the calibration setting's.

    Attributes:
        gamma: Norm of S's rows.
        learning_rate: SGD's.
        momentum: SGD's.
        weight_decay: Of the backbone.
        cosine: Lower the learning rate to 0 along a cosine over the rounds.
        prior: Weight of log pi_k inside the backbone's loss.
        trained: Train the head that moves the backbone instead of freezing it: FedAvg, with or without the prior.
        scale: Features are normalised to this length first; 0 leaves them as they are.
        rounds: To train.
    """

    gamma: float = 3.0
    learning_rate: float = 0.03
    momentum: float = 0.5
    weight_decay: float = 0.0
    cosine: bool = False
    prior: float = 1.0
    trained: bool = False
    scale: float = 0.0
    rounds: int = 40


BASE = Variant()
FAST = replace(BASE, learning_rate=0.1)
QUICK = replace(BASE, momentum=0.9, gamma=6.0)
VARIANTS = {
    "base": BASE,
    "momentum-0.9": replace(BASE, momentum=0.9),
    "lr-0.1": FAST,
    "lr-0.1-cosine": replace(FAST, cosine=True),
    "lr-0.1-decay": replace(FAST, weight_decay=5e-4),
    "lr-0.05-momentum-0.9-cosine-decay": replace(
        BASE, learning_rate=0.05, momentum=0.9, cosine=True, weight_decay=5e-4
    ),
    "momentum-0.9-gamma-6": QUICK,
    "momentum-0.9-gamma-10": replace(QUICK, gamma=10.0),
    "momentum-0.9-normalised": replace(QUICK, scale=8.0, gamma=1.5),
    "momentum-0.9-gamma-6-decay": replace(QUICK, weight_decay=5e-4),
    "momentum-0.9-gamma-6-cosine": replace(QUICK, cosine=True),
    "lr-0.05-momentum-0.9-gamma-6": replace(QUICK, learning_rate=0.05),
    "lr-0.05-momentum-0.9-gamma-6-cosine-decay": replace(QUICK, learning_rate=0.05, cosine=True, weight_decay=5e-4),
    "lr-0.1-gamma-6": replace(FAST, gamma=6.0),
    "lr-0.1-gamma-1.5": replace(FAST, gamma=1.5),
    "lr-0.1-normalised": replace(FAST, scale=8.0, gamma=1.5),
    "fedavg-prior": replace(BASE, trained=True),
    "fedavg-prior-lr-0.1": replace(FAST, trained=True),
    "fedavg-lr-0.1": replace(FAST, trained=True, prior=0.0),
    "fedavg-prior-momentum-0.9": replace(QUICK, trained=True),
    "fedavg-momentum-0.9": replace(QUICK, trained=True, prior=0.0),
}

"""What a demo is asked to run."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """One demo.

    Attributes:
        agents: Clients, each a process of its own.
        rounds: Communication rounds.
        data: Data spec that is made long-tailed and dealt to the clients.
        imbalance: Images of the largest class over those of the smallest, at least 1.
        alpha: Dirichlet concentration of the partition; smaller is less alike.
        backbone: By name.
        method: By name.
        local_epochs: Passes over a client's images per round.
        batch_size: Images per step.
        learning_rate: SGD's step size.
        participation: Share of the clients selected per round.
        broker: "embedded", or the URL of a broker that is running.
        out: Folder of the results; a former demo in it is replaced.
        seed: Root of every random draw.
    """

    agents: int
    rounds: int
    data: str
    imbalance: float
    alpha: float
    backbone: str
    method: str
    local_epochs: int
    batch_size: int
    learning_rate: float
    participation: float
    broker: str
    out: Path
    seed: int

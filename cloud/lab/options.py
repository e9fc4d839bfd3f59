"""The lab's command-line options, the same for every command that trains."""

from typing import Annotated, TypeAlias

import typer

Data: TypeAlias = Annotated[
    str,
    typer.Option(metavar="SPEC", help="digits, fashion-mnist:DIR, cifar10:DIR, cifar100:DIR or folder:DIR."),
]
Imbalance: TypeAlias = Annotated[
    float, typer.Option(metavar="X", min=1, help="Images of the largest class over those of the smallest.")
]
Alpha: TypeAlias = Annotated[float, typer.Option(metavar="X", min=0.001, help="Dirichlet alpha; smaller: less alike.")]
Clients: TypeAlias = Annotated[int, typer.Option(metavar="N", min=1, help="Clients.")]
Participation: TypeAlias = Annotated[
    float, typer.Option(metavar="X", min=0.001, max=1, help="Share of the clients in each round.")
]
Rounds: TypeAlias = Annotated[int, typer.Option(metavar="N", min=1, help="Communication rounds.")]
LocalEpochs: TypeAlias = Annotated[int, typer.Option(metavar="N", min=1, help="Passes over a client's images.")]
BatchSize: TypeAlias = Annotated[int, typer.Option(metavar="N", min=2, help="Images per training step.")]
LearningRate: TypeAlias = Annotated[float, typer.Option(metavar="X", min=1e-6, help="SGD's step size.")]
Momentum: TypeAlias = Annotated[float, typer.Option(metavar="X", min=0, max=0.999, help="SGD's momentum.")]
WeightDecay: TypeAlias = Annotated[float, typer.Option(metavar="X", min=0, help="L2 penalty.")]
Backbone: TypeAlias = Annotated[
    str, typer.Option(metavar="NAME", help="resnet8, resnet20, or a torchvision model's name.")
]
Knobs: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A key of [method] in the federation file; may be repeated."),
]
MeasuredOn: TypeAlias = Annotated[
    str,
    typer.Option(metavar="PART", help="test, or validation: training images nobody gets. Choose by the latter only."),
]
EvaluateEvery: TypeAlias = Annotated[
    int, typer.Option(metavar="N", min=1, help="Rounds between two points of the learning curve.")
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON envelope on stdout.")]

"""The lab's command-line options, the same for every command that trains."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeAlias

import typer

from cloud.lab.asked import knobs_of, setting_of

AsJson: TypeAlias = Annotated[bool, typer.Option("--json", metavar="", help="Print one JSON envelope on stdout.")]
Method: TypeAlias = Annotated[str, typer.Option(metavar="NAME", help="fedloge, fedavg, fedrod, ditto, ...")]
Seed: TypeAlias = Annotated[int, typer.Option(metavar="N", help="Root of every random draw.")]
Knobs: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A key of [method] in the federation file; may be repeated."),
]

_DATA = typer.Option(metavar="SPEC", help="digits, fashion-mnist:DIR, cifar10:DIR, cifar100:DIR or folder:DIR.")
_PART = typer.Option(
    metavar="PART", help="test, or validation: training images nobody gets. Choose by the latter only."
)

COMMON: Final[dict[str, tuple[type, Any, Any]]] = {
    "data": (str, "digits", _DATA),
    "imbalance": (
        float,
        10.0,
        typer.Option(metavar="X", min=1, help="Images of the largest class over those of the smallest."),
    ),
    "alpha": (float, 0.5, typer.Option(metavar="X", min=0.001, help="Dirichlet alpha; smaller: less alike.")),
    "clients": (int, 6, typer.Option(metavar="N", min=1, help="Clients.")),
    "participation": (
        float,
        1.0,
        typer.Option(metavar="X", min=0.001, max=1, help="Share of the clients in each round."),
    ),
    "rounds": (int, 20, typer.Option(metavar="N", min=1, help="Communication rounds.")),
    "local_epochs": (int, 2, typer.Option(metavar="N", min=1, help="Passes over a client's images.")),
    "batch_size": (int, 16, typer.Option(metavar="N", min=2, help="Images per training step.")),
    "learning_rate": (float, 0.03, typer.Option(metavar="X", min=1e-6, help="SGD's step size.")),
    "momentum": (float, 0.9, typer.Option(metavar="X", min=0, max=0.999, help="SGD's momentum.")),
    "weight_decay": (float, 0.0, typer.Option(metavar="X", min=0, help="L2 penalty.")),
    "backbone": (
        str,
        "resnet8",
        typer.Option(metavar="NAME", help="resnet8, resnet20, or a torchvision model's name."),
    ),
    "measured_on": (str, "test", _PART),
}
"""Type, default and look by name. The defaults are ``LabSetting``'s, whose module help must not wait for."""

_EVERY = typer.Option(metavar="N", min=1, help="Rounds between two points of the learning curve.")


def asks_for_setting(
    *, one_run: bool, evaluate_every: int | None = None, **defaults: Any
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options that make a ``LabSetting``, in the place of its parameter ``setting``.

    Args:
        one_run: Ask for a method, its knobs and a seed as well.
        evaluate_every: Ask for the learning curve's points as well, with this default.
        defaults: What differs from ``COMMON``.
    """
    rows = {name: (kind, defaults.get(name, default), look) for name, (kind, default, look) in COMMON.items()}
    if evaluate_every is not None:
        rows["evaluate_every"] = (int, evaluate_every, _EVERY)
    wanted: dict[str, tuple[Any, Any]] = {
        name: (Annotated[kind, look], default) for name, (kind, default, look) in rows.items()
    }
    if one_run:
        wanted = {"method": (Method, "fedloge"), **wanted, "knobs": (Knobs, None), "seed": (Seed, 0)}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def call(**values: Any) -> None:
            asked = {name: values.pop(name) for name in wanted}
            if "knobs" in asked:
                asked["knobs"] = knobs_of(asked["knobs"])
            command(setting=setting_of(**asked), **values)

        own = list(inspect.signature(command).parameters.values())
        place = [option.name for option in own].index("setting")
        common = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
            for name, (kind, default) in wanted.items()
        ]
        parameters = [*own[:place], *common, *own[place + 1 :]]
        call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        call.__annotations__ = {option.name: option.annotation for option in parameters}
        return call

    return decorate

"""Where a client's personal part starts: before its first round, and at the end when it was never selected."""

from torch import Tensor

from edge.first_head import first_head
from edge.personal import Personal
from shared.methods import recipe_of
from shared.model import SharedModel
from shared.settings import SharedSettings


def starting_point(model: SharedModel, *, etf: Tensor, settings: SharedSettings, client: str) -> Personal:
    """Return the personal part before a client's first round: a small random head, and a copy of the backbone it got.

    Args:
        model: The round's shared model.
        etf: The frozen classifier S, for the head's shape.
        settings: The federation's.
        client: Seeds the draw.
    """
    recipe = recipe_of(settings.method)
    phi = None
    if recipe.keeps_phi:
        phi = first_head(etf, bias=settings.method.bias, seed=settings.seed, client=client)
    return Personal(phi=phi, backbone=model.backbone if recipe.keeps_backbone else None)


def never_selected(model: SharedModel, *, etf: Tensor, settings: SharedSettings, client: str) -> Personal:
    """Return the personal part of a client that no round selected: it starts from the final shared model.

    Its head is psi, unless the method has no psi, or phi is a correction of other logits, which starts near zero.
    """
    recipe = recipe_of(settings.method)
    start = starting_point(model, etf=etf, settings=settings, client=client)
    if start.phi is None or model.psi is None or recipe.phi_adds_up:
        return start
    return Personal(phi=model.psi, backbone=start.backbone)

"""GLA-FR: after training, heads whose norms follow the class sizes are realigned, globally and per client."""

from torch import Tensor
from torch.nn import functional

from shared.heads import Head


def realign_global(psi: Head) -> Head:
    """Return psi'_c = psi_c / ||psi_c|| (Eq. 6): every class gets the same norm, the direction stays.

    A row of zeros stays zero. A bias stays unscaled, as in the authors' code.

    Args:
        psi: The auxiliary global head, (num_classes, feature_dim).
    """
    return Head(weight=functional.normalize(psi.weight, dim=1), bias=psi.bias)


def realign_local(psi: Head, phi: Head) -> Head:
    """Return phi'_c = psi_c * ||phi_c|| (Eq. 7): the global direction, as strong as the client's head made the class.

    Args:
        psi: The auxiliary global head, (num_classes, feature_dim).
        phi: The client's personal head, likewise.
    """
    norms: Tensor = phi.weight.norm(dim=1, keepdim=True)  # (num_classes, 1)
    return Head(weight=psi.weight * norms, bias=psi.bias)

"""What makes a classifier an equiangular frame, as properties that can be checked: norms, angles, zeros, coverage."""

import torch
from torch import Tensor


def row_norms(frame: Tensor) -> Tensor:
    """Return the Euclidean norm of each row, (num_classes,), float64, of a frame (num_classes, feature_dim)."""
    norms: Tensor = torch.linalg.vector_norm(frame.to(torch.float64), dim=1)
    return norms


def pairwise_angles(frame: Tensor) -> Tensor:
    """Return the angle between every two rows in degrees, each pair once.

    Args:
        frame: (num_classes, feature_dim), no row of zeros.

    Returns:
        (num_classes * (num_classes - 1) / 2,), float64, 0..180. Taken with atan2: arccos loses half of the digits near
        0 and 180 degrees, which two classes always are apart.
    """
    unit = torch.nn.functional.normalize(frame.to(torch.float64), dim=1)
    cosines = unit @ unit.T  # (num_classes, num_classes)
    first, second = torch.triu_indices(len(frame), len(frame), offset=1)
    cosine = cosines[first, second].clamp(-1.0, 1.0)
    # |u - v| and |u + v| from the cosine alone, so that no array of pairs times features is needed
    return torch.rad2deg(2 * torch.atan2((1 - cosine).sqrt(), (1 + cosine).sqrt()))


def simplex_angle(num_classes: int) -> float:
    """Return the angle of a simplex frame in degrees, ``arccos(-1 / (C - 1))``: the largest that all pairs can have."""
    return float(torch.rad2deg(torch.tensor(-1 / (num_classes - 1), dtype=torch.float64).acos()))


def nonzeros_per_row(frame: Tensor) -> Tensor:
    """Return how many features each class reads, (num_classes,), int64."""
    return (frame != 0).sum(1)


def classes_per_feature(frame: Tensor) -> Tensor:
    """Return how many classes read each feature, (feature_dim,), int64."""
    return (frame != 0).sum(0)

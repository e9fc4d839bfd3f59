"""What may be lost is counted in points, or in one image where that is more; groups are told apart."""

import pytest
import torch

from export.accuracy import compare_accuracy
from export.options import TOLERANCES


def logits(right: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits that are right on the first ``right`` of ``count`` images, and the labels."""
    labels = torch.arange(count) % 5
    answers = torch.where(torch.arange(count) < right, labels, (labels + 1) % 5)
    return torch.nn.functional.one_hot(answers, 5).float(), labels


@pytest.mark.parametrize(
    ("precision", "count", "lost", "passed"),
    [
        ("fp16", 20, 1, True),
        ("fp16", 20, 2, False),
        ("fp16", 1000, 5, True),
        ("fp16", 1000, 6, False),
        ("int8", 1000, 10, True),
        ("int8", 1000, 11, False),
        ("int8", 50, -3, True),
        ("fp32", 20, 9, True),
    ],
)
def test_the_bound_is_points_or_one_image(precision: str, count: int, lost: int, passed: bool) -> None:
    right = count - 8
    expected, labels = logits(right, count)
    found, _ = logits(right - lost, count)
    tolerance = TOLERANCES[precision]  # type: ignore[index]
    result = compare_accuracy(expected, found, labels, tolerance=tolerance, groups=None)
    assert result.passed is passed
    assert (result.pytorch, result.exported) == (right / count, (right - lost) / count)
    assert (result.allowed_loss is None) == (precision == "fp32")  # in fp32 the logits decide


def test_groups_are_counted_apart_and_empty_ones_left_out() -> None:
    expected, labels = logits(10, 10)
    found = expected.clone()
    found[labels == 4] = 0.0  # all alike: answers class 0
    groups = ("head", "head", "head", "head", "tail")
    result = compare_accuracy(expected, found, labels, tolerance=TOLERANCES["int8"], groups=groups)
    assert [(g.group, g.num_images, g.pytorch, g.exported) for g in result.groups] == [
        ("head", 8, 1.0, 1.0),
        ("tail", 2, 1.0, 0.0),
    ]
    assert "tail 0.0% of 100.0%" in result.summary()

"""Macro-F1 and calibration error against their definitions, written the slow obvious way."""

import math
import subprocess
import sys

import pytest
import torch
from torch import Tensor

from shared.errors import SettingsError
from shared.scores import BINS, calibration_error, macro_f1


def slow_f1(answers: list[int], labels: list[int], num_classes: int) -> float:
    scores = []
    for c in range(num_classes):
        tp = sum(a == c and y == c for a, y in zip(answers, labels, strict=True))
        fp = sum(a == c and y != c for a, y in zip(answers, labels, strict=True))
        fn = sum(a != c and y == c for a, y in zip(answers, labels, strict=True))
        if tp + fp + fn:
            scores.append(2 * tp / (2 * tp + fp + fn))
    return sum(scores) / len(scores)


def slow_calibration_error(logits: Tensor, labels: Tensor) -> float:
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(BINS + 1)]
    for row, label in zip(logits.double().tolist(), labels.tolist(), strict=True):
        total = sum(math.exp(value - max(row)) for value in row)
        confidence = 1 / total
        bins[math.floor(confidence * BINS)].append((confidence, row.index(max(row)) == label))
    error = 0.0
    for members in bins:
        if members:
            sure = sum(confidence for confidence, _ in members) / len(members)
            right = sum(hit for _, hit in members) / len(members)
            error += len(members) / len(labels) * abs(sure - right)
    return error


@pytest.mark.parametrize("scale", [0.05, 1.0, 4.0])
@pytest.mark.parametrize("num_classes", [2, 10])
def test_scores_are_those_of_the_definitions(scale: float, num_classes: int) -> None:
    draws = torch.Generator().manual_seed(num_classes)
    logits = scale * torch.randn(400, num_classes, generator=draws)
    labels = torch.where(
        torch.rand(400, generator=draws) < 0.5,
        logits.argmax(1),
        torch.randint(num_classes, (400,), generator=draws),
    )
    assert macro_f1(logits, labels) == pytest.approx(slow_f1(logits.argmax(1).tolist(), labels.tolist(), num_classes))
    assert calibration_error(logits, labels) == pytest.approx(slow_calibration_error(logits, labels), abs=1e-6)


def test_a_class_nobody_asks_or_answers_is_left_out_and_one_answered_wrongly_counts_as_zero() -> None:
    logits = torch.nn.functional.one_hot(torch.tensor([0, 0, 1, 2]), 5).float()
    assert macro_f1(logits, torch.tensor([0, 0, 1, 1])) == pytest.approx((1 + 2 / 3 + 0) / 3)


def test_logits_between_nought_and_one_are_not_taken_for_probabilities() -> None:
    logits = torch.tensor([[0.9, 0.1]] * 10)  # softmax: 0.69, not 0.9
    assert calibration_error(logits, torch.zeros(10, dtype=torch.int64)) == pytest.approx(1 - 1 / (1 + math.exp(-0.8)))


def test_a_masked_logit_does_no_harm() -> None:
    logits = torch.tensor([[5.0, -1e4], [5.0, -1e4]])
    assert calibration_error(logits, torch.tensor([0, 1])) == pytest.approx(0.5)


@pytest.mark.parametrize("score", [macro_f1, calibration_error])
def test_the_score_of_nothing_is_refused(score: object) -> None:
    with pytest.raises(ValueError, match="no image"):
        score(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64))


@pytest.mark.parametrize("score", [macro_f1, calibration_error])
def test_without_torchmetrics_one_line_names_the_extra(score: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchmetrics.functional.classification", None)
    with pytest.raises(SettingsError, match="needs torchmetrics") as error:
        score(torch.zeros(1, 3), torch.zeros(1, dtype=torch.int64))
    assert error.value.remedy == "pip install 'fedloge[lab]'"


def test_a_device_loads_neither_library() -> None:
    program = (
        "import sys, edge.agent, edge.finish, shared.metrics, shared.scores, shared.intervals; "
        "print(*sorted({'torchmetrics', 'scipy', 'sklearn'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []

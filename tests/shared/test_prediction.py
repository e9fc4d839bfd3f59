"""Every named rule gives the logits its name says."""

from typing import get_args

import pytest
import torch

from shared.heads import MASKED_LOGIT, Head
from shared.prediction import generic_head, log_prior, personal_head
from shared.realign import realign_global, realign_local
from shared.settings import MaskRule, PersonalRule

DRAWS = torch.Generator().manual_seed(0)
ETF = torch.randn(4, 8, generator=DRAWS)
PSI = Head(weight=torch.randn(4, 8, generator=DRAWS))
PHI = Head(weight=torch.randn(4, 8, generator=DRAWS))
BIASED_PSI = Head(weight=PSI.weight, bias=torch.randn(4, generator=DRAWS))
BIASED_PHI = Head(weight=PHI.weight, bias=torch.randn(4, generator=DRAWS))
COUNTS = torch.tensor([50, 0, 5, 1])
FEATURES = torch.rand(10, 8, generator=DRAWS)


def logits(
    rule: PersonalRule, mask: MaskRule = "none", *, psi: Head = PSI, phi: Head = PHI, counts: torch.Tensor = COUNTS
) -> torch.Tensor:
    head = personal_head(rule, mask, etf=ETF, psi=psi, phi=phi, class_counts=counts, smoothing=0.1)
    return head.logits(FEATURES)


def test_the_prior_is_the_smoothed_share_of_each_class() -> None:
    expected = torch.tensor([50.1, 0.1, 5.1, 1.1]) / 56.4
    assert torch.allclose(log_prior(COUNTS, 0.1), expected.log())
    assert log_prior(COUNTS, 0.1).dtype == torch.float32
    assert float(log_prior(COUNTS, 0.1).exp().sum()) == pytest.approx(1.0)


def test_without_images_every_class_is_as_likely() -> None:
    assert torch.allclose(log_prior(torch.zeros(4, dtype=torch.int64), 0.1), torch.full((4,), 0.25).log())


@pytest.mark.parametrize(("psi", "phi"), [(PSI, PHI), (BIASED_PSI, BIASED_PHI)])
def test_every_personal_rule_adds_the_logits_of_its_parts(psi: Head, phi: Head) -> None:
    realigned = realign_local(psi, phi)
    expected = {
        "etf": FEATURES @ ETF.T,
        "etf+prior": FEATURES @ ETF.T + log_prior(COUNTS, 0.1),
        "psi": psi.logits(FEATURES),
        "phi": phi.logits(FEATURES),
        "realigned": realigned.logits(FEATURES),
        "realigned+phi": realigned.logits(FEATURES) + phi.logits(FEATURES),
        "realigned+psi": realigned.logits(FEATURES) + psi.logits(FEATURES),
        "psi+phi": psi.logits(FEATURES) + phi.logits(FEATURES),
        "psi+prior": psi.logits(FEATURES) + log_prior(COUNTS, 0.1),
        "phi+prior": phi.logits(FEATURES) + log_prior(COUNTS, 0.1),
        "psi+phi+prior": psi.logits(FEATURES) + phi.logits(FEATURES) + log_prior(COUNTS, 0.1),
    }
    assert expected.keys() == set(get_args(PersonalRule))
    for rule in get_args(PersonalRule):
        assert torch.allclose(logits(rule, psi=psi, phi=phi), expected[rule], atol=1e-5), rule


def test_every_generic_rule_is_its_head() -> None:
    for psi in (PSI, BIASED_PSI):
        assert torch.equal(generic_head("etf", etf=ETF, psi=psi).logits(FEATURES), FEATURES @ ETF.T)
        assert torch.equal(generic_head("psi", etf=ETF, psi=psi).logits(FEATURES), psi.logits(FEATURES))
        expected = realign_global(psi).logits(FEATURES)
        assert torch.equal(generic_head("realigned", etf=ETF, psi=psi).logits(FEATURES), expected)


@pytest.mark.parametrize("rule", get_args(PersonalRule))
def test_the_mask_forbids_classes_without_training_images_and_touches_no_other(rule: PersonalRule) -> None:
    open_logits, masked = logits(rule), logits(rule, "train-histogram")
    assert bool((masked[:, 1] == MASKED_LOGIT).all())
    assert torch.equal(masked[:, [0, 2, 3]], open_logits[:, [0, 2, 3]])


def test_a_client_without_images_is_not_masked_into_silence() -> None:
    none = torch.zeros(4, dtype=torch.int64)
    assert torch.equal(logits("psi", "train-histogram", counts=none), logits("psi"))

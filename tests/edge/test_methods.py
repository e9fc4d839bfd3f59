"""Each method's local training against one step written by hand, or against the property that defines it."""

from dataclasses import replace
from typing import get_args

import pytest
import torch
from torch import nn
from torch.nn import functional

from edge.personal import Personal
from edge.round import run_round
from edge.starting import never_selected, starting_point
from edge.trainer import LocalModel, train_locally
from shared.backbones import build_backbone
from shared.errors import SettingsError
from shared.heads import Head
from shared.methods import RECIPES, check_method, method_settings
from shared.model import SharedModel, initial_model, pack, unpack
from shared.settings import MethodName, SharedSettings, TrainingSettings
from shared.tensors import load_shared_state, shared_state
from tests.edge.samples import CPU, frame, labelled_images, local_model, same_bytes, shared_settings

LABELS = [0, 0, 0, 1, 1, 3]
ONE_STEP = TrainingSettings(
    batch_size=8, local_epochs=1, learning_rate=0.1, crop_padding=0, horizontal_flip=False, precision="fp32"
)
PRIOR = ((torch.tensor([3.0, 2.0, 0.0, 1.0]) + 0.1) / 6.4).log()


def settings_of(name: str, **knobs: object) -> SharedSettings:
    return shared_settings(method=method_settings(name, **knobs), training=ONE_STEP)


def start_of(settings: SharedSettings) -> LocalModel:
    """A model with every part the method has."""
    recipe, model = RECIPES[settings.method.name], local_model(settings)
    return replace(
        model,
        psi=model.psi if recipe.shares_psi else None,
        phi=model.phi if recipe.keeps_phi else None,
        own=model.backbone if recipe.keeps_backbone else None,
    )


def trained(settings: SharedSettings, model: LocalModel) -> LocalModel:
    data = labelled_images(LABELS)
    return train_locally(model, data, etf=frame(settings), settings=settings, round_number=1, client="a", device=CPU)


class ByHand:
    """One step of plain SGD on the whole of the images, every tensor a leaf of its own."""

    def __init__(self, settings: SharedSettings, model: LocalModel, *, own: bool = False) -> None:
        self.module: nn.Module = build_backbone("resnet8", image_size=8, channels=3, seed=0)
        load_shared_state(self.module, model.own if own and model.own is not None else model.backbone)
        self.module.train()
        data = labelled_images(LABELS)
        self.y = data.labels
        self.x = (data.images.float() / 255 - settings.model.mean[0]) / settings.model.std[0]
        self.psi = leaf(model.psi)
        self.phi = leaf(model.phi)

    def step(self, *losses: torch.Tensor) -> None:
        torch.stack(losses).sum().backward()
        with torch.no_grad():
            for tensor in (*self.module.parameters(), self.psi, self.phi):
                if tensor.grad is not None:
                    tensor.sub_(tensor.grad, alpha=0.1)


def leaf(head: Head | None) -> torch.Tensor:
    return torch.zeros(4, 64).requires_grad_() if head is None else head.weight.clone().requires_grad_()


def near(found: Head | None, expected: torch.Tensor) -> bool:
    return found is not None and torch.allclose(found.weight, expected.detach(), rtol=1e-4, atol=1e-6)


def near_state(found: dict[str, torch.Tensor] | None, module: nn.Module) -> bool:
    expected = shared_state(module)
    return found is not None and all(torch.allclose(found[n], t, rtol=1e-3, atol=1e-5) for n, t in expected.items())


@pytest.mark.parametrize("name", ["fedavg", "fedavg-prior"])
def test_fedavg_is_one_step_on_one_loss(name: str) -> None:
    settings = settings_of(name)
    got, hand = trained(settings, start_of(settings)), ByHand(settings, start_of(settings))
    prior = PRIOR if name == "fedavg-prior" else torch.zeros(4)
    hand.step(functional.cross_entropy(hand.module(hand.x) @ hand.psi.T + prior, hand.y))
    assert near(got.psi, hand.psi)
    assert near_state(got.backbone, hand.module)
    assert got.phi is None
    assert got.own is None


@pytest.mark.parametrize("name", ["fedavg-heads", "fedavg-heads-prior"])
def test_personal_heads_learn_beside_fedavg_and_leave_it_as_it_is(name: str) -> None:
    settings, plain = settings_of(name), settings_of(name.replace("-heads", ""))
    got, alone = trained(settings, start_of(settings)), trained(plain, start_of(plain))
    assert got.psi is not None
    assert alone.psi is not None
    assert torch.equal(got.psi.weight, alone.psi.weight)
    assert all(torch.equal(got.backbone[name], tensor) for name, tensor in alone.backbone.items())
    hand = ByHand(settings, start_of(settings))
    prior = PRIOR if "prior" in name else torch.zeros(4)
    hand.step(functional.cross_entropy(hand.module(hand.x).detach() @ hand.phi.T + prior, hand.y))
    assert near(got.phi, hand.phi)


def test_fedrod_trains_the_generic_head_on_the_balanced_risk_and_the_personal_one_on_what_is_left() -> None:
    settings = settings_of("fedrod")
    got, hand = trained(settings, start_of(settings)), ByHand(settings, start_of(settings))
    features = hand.module(hand.x)
    generic = features @ hand.psi.T
    balanced = functional.cross_entropy(generic + PRIOR, hand.y)
    personal = functional.cross_entropy(generic.detach() + features.detach() @ hand.phi.T, hand.y)
    hand.step(balanced, personal)
    assert near(got.psi, hand.psi)
    assert near(got.phi, hand.phi)
    assert near_state(got.backbone, hand.module)


def test_ditto_shares_what_fedavg_shares_and_pulls_its_own_model_to_the_rounds() -> None:
    settings, plain = settings_of("ditto", proximal=0.5), settings_of("fedavg")
    model = start_of(settings)
    got, alone = trained(settings, model), trained(plain, start_of(plain))
    assert got.psi is not None
    assert alone.psi is not None
    assert torch.equal(got.psi.weight, alone.psi.weight)
    assert all(torch.equal(got.backbone[name], tensor) for name, tensor in alone.backbone.items())
    hand = ByHand(settings, model, own=True)
    assert model.psi is not None
    pull = sum((p - model.backbone[name]).square().sum() for name, p in hand.module.named_parameters())
    pull = pull + (hand.phi - model.psi.weight).square().sum()
    hand.step(functional.cross_entropy(hand.module(hand.x) @ hand.phi.T, hand.y), 0.5 / 2 * pull)
    assert near(got.phi, hand.phi)
    assert near_state(got.own, hand.module)


def test_dittos_own_model_comes_closer_to_the_global_one_the_stronger_the_pull() -> None:
    def distance(strength: float) -> float:
        settings = settings_of("ditto", proximal=strength)
        model = start_of(settings)
        far = replace(model, own={name: tensor + 0.1 for name, tensor in model.backbone.items()})
        own = trained(settings, far).own
        assert own is not None
        weights = [name for name in own if "running" not in name]
        return sum(float((own[name] - model.backbone[name]).square().sum()) for name in weights)

    assert distance(0.0) > distance(0.5) > distance(2.0)


def test_fedrep_fits_its_head_first_and_then_trains_the_backbone_through_it() -> None:
    settings = settings_of("fedrep")
    got, hand = trained(settings, start_of(settings)), ByHand(settings, start_of(settings))
    hand.step(functional.cross_entropy(hand.module(hand.x).detach() @ hand.phi.T, hand.y))
    fitted = hand.phi.detach()
    assert near(got.phi, fitted)
    hand.step(functional.cross_entropy(hand.module(hand.x) @ fitted.T, hand.y))
    assert near_state(got.backbone, hand.module)
    assert got.psi is None


def test_the_presets_differ_from_the_default_in_their_knobs_only() -> None:
    for name in ("fedloge-figure", "fedloge-authors"):
        preset = RECIPES[name]
        assert preset.phases == RECIPES["fedloge"].phases
        as_default = settings_of("fedloge", gamma=0.1, local_prior=False)
        assert same_bytes(trained(settings_of(name), start_of(as_default)), trained(as_default, start_of(as_default)))
    assert method_settings("fedloge-figure").personal_rule == "realigned"
    assert method_settings("fedloge-authors").mask == "train-histogram"


@pytest.mark.parametrize("name", RECIPES)
def test_every_method_shares_what_its_recipe_says_and_nothing_else(name: str) -> None:
    settings, recipe = settings_of(name), RECIPES[name]
    model = initial_model(settings)
    data = labelled_images(LABELS)
    from edge.device_data import DeviceData

    outcome = run_round(
        model,
        etf=frame(settings),
        personal=None,
        data=DeviceData(train=data, held_out=data),
        settings=settings,
        round_number=1,
        client="a",
        device=CPU,
    )
    heads = {tensor for tensor in outcome.delta if not tensor.startswith("backbone.")}
    expected = {"psi.weight", "psi.bias"} if settings.method.bias else {"psi.weight"}
    assert heads == (expected if recipe.shares_psi else set())
    assert (outcome.personal.phi is None) == (not recipe.keeps_phi)
    assert (outcome.personal.backbone is None) == (not recipe.keeps_backbone)
    assert (outcome.figures.generic is None) == (not recipe.generic_rules)
    assert outcome.figures.personal is not None
    moved = any(bool(tensor.abs().sum() > 0) for tensor in outcome.delta.values())
    assert moved
    assert pack(unpack(pack(model))).keys() == pack(model).keys()


@pytest.mark.parametrize("name", RECIPES)
def test_a_client_that_was_never_selected_starts_from_what_everybody_knows(name: str) -> None:
    settings, recipe = settings_of(name), RECIPES[name]
    model = initial_model(settings)
    shared = SharedModel(
        backbone=model.backbone, psi=None if model.psi is None else Head(weight=torch.randn_like(model.psi.weight))
    )
    kept = never_selected(shared, etf=frame(settings), settings=settings, client="a")
    assert isinstance(kept, Personal)
    from_psi = kept.phi is not None and shared.psi is not None and torch.equal(kept.phi.weight, shared.psi.weight)
    assert from_psi == (recipe.keeps_phi and recipe.shares_psi and not recipe.phi_adds_up)
    assert kept.backbone is (shared.backbone if recipe.keeps_backbone else None)
    small = starting_point(shared, etf=frame(settings), settings=settings, client="a").phi
    assert small is None or float(small.weight.abs().max()) < 0.1


def test_the_names_are_those_of_the_settings() -> None:
    assert get_args(MethodName) == tuple(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_a_methods_own_rules_fit_and_foreign_ones_are_refused(name: str) -> None:
    check_method(method_settings(name))
    recipe = RECIPES[name]
    assert method_settings(name).personal_rule in recipe.personal_rules
    if recipe.generic_rules:
        assert method_settings(name).generic_rule in recipe.generic_rules
    if "etf" not in recipe.personal_rules:
        with pytest.raises(SettingsError, match=r"method\.personal_rule is 'etf'"):
            check_method(method_settings(name, personal_rule="etf"))


def test_an_unknown_method_names_those_there_are() -> None:
    with pytest.raises(SettingsError, match="fedavgg") as caught:
        method_settings("fedavgg")
    assert "fedavg-heads" in caught.value.remedy

"""The local step of FedLoGe: three losses, one backward pass, one optimiser."""

from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge.batches import batches
from shared.backbones import build_backbone
from shared.heads import Head
from shared.images import LabelledImages
from shared.prediction import log_prior
from shared.seeds import derive_seed
from shared.settings import SharedSettings, TrainingSettings
from shared.tensors import Tensors, load_shared_state, shared_state


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LocalModel:
    """What one client trains.

    Attributes:
        backbone: Tensors of the shared backbone, float32 on the CPU.
        psi: The auxiliary global head, (num_classes, feature_dim).
        phi: The client's personal head, likewise.
    """

    backbone: Tensors
    psi: Head
    phi: Head


def train_locally(
    model: LocalModel,
    data: LabelledImages,
    *,
    etf: Tensor,
    settings: SharedSettings,
    round_number: int,
    client: str,
    device: torch.device,
) -> LocalModel:
    """Train one round.

    With h = f(x): CE(S h + log pi_k) moves the backbone alone, CE(psi stopgrad h) psi alone, CE(phi stopgrad h) phi
    alone. The three share no parameter, so one backward pass over their sum gives each its own gradient.

    Deviation: the label prior log pi_k (balanced softmax with the client's own class frequencies) is not the paper's;
    ``method.local_prior = false`` turns it off.

    Args:
        model: Where to start; unchanged.
        data: The client's training images, at least one.
        etf: The frozen classifier S, (num_classes, feature_dim).
        settings: The federation's.
        round_number: Seeds the draws, with ``client``.
        client: Likewise.
        device: Where to train.

    Returns:
        The trained model, on the CPU.
    """
    training, purpose = settings.training, ("round", round_number, client)
    module = _module(model.backbone, settings).to(device).to(memory_format=torch.channels_last).train()
    psi, phi, frozen = _parameters(model.psi, device), _parameters(model.phi, device), etf.to(device)
    prior = log_prior(data.class_counts(), settings.method.prior_smoothing).to(device)
    offset = prior if settings.method.local_prior else torch.zeros_like(prior)
    optimiser = make_optimiser([*module.parameters(), *psi, *phi], training)
    with seeded(settings, *purpose):
        steps = batches(data, settings=settings, epochs=training.local_epochs, purpose=purpose, device=device)
        for images, labels in steps:
            with precision(training, device):
                features = module(images)
            features = features.float()
            detached = features.detach()
            loss = functional.cross_entropy(functional.linear(features, frozen) + offset, labels)
            loss = loss + functional.cross_entropy(functional.linear(detached, *psi), labels)
            loss = loss + functional.cross_entropy(functional.linear(detached, *phi), labels)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
    return LocalModel(backbone=shared_state(module), psi=as_head(psi), phi=as_head(phi))


def _module(backbone: Tensors, settings: SharedSettings) -> nn.Module:
    model = settings.model
    module = build_backbone(model.backbone, image_size=model.image_size, channels=model.channels, seed=0)
    load_shared_state(module, backbone)
    return module


def _parameters(head: Head, device: torch.device) -> list[nn.Parameter]:
    tensors = [head.weight] if head.bias is None else [head.weight, head.bias]
    return [nn.Parameter(tensor.detach().clone().to(device)) for tensor in tensors]


def as_head(parameters: list[nn.Parameter]) -> Head:
    """Return trained parameters, weight first, as a head on the CPU."""
    weight, *bias = [parameter.detach().cpu().clone() for parameter in parameters]
    return Head(weight=weight, bias=bias[0] if bias else None)


def make_optimiser(parameters: list[nn.Parameter], training: TrainingSettings) -> torch.optim.Optimizer:
    """Return SGD as the federation sets it; its momentum starts at zero."""
    return torch.optim.SGD(
        parameters, lr=training.learning_rate, momentum=training.momentum, weight_decay=training.weight_decay
    )


def precision(training: TrainingSettings, device: torch.device) -> AbstractContextManager[None]:
    """Return bf16 autocast where it is asked for, or automatic and the device is CUDA."""
    bf16 = training.precision == "bf16" or (training.precision == "auto" and device.type == "cuda")
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16)


class seeded(AbstractContextManager[None]):  # noqa: N801 - reads as a statement: with seeded(...)
    """Give layers that draw from the global state, such as dropout, a seed of their own, and put the state back.

    Args:
        settings: Hold the root seed.
        purpose: As for ``shared.seeds.derive_seed``.
    """

    def __init__(self, settings: SharedSettings, *purpose: str | int) -> None:
        self._seed = derive_seed(settings.seed, "layers", *purpose)
        self._fork = torch.random.fork_rng()

    def __enter__(self) -> None:
        """Save the global state and seed it."""
        self._fork.__enter__()
        torch.manual_seed(self._seed)

    def __exit__(self, *error: object) -> None:
        """Restore the global state."""
        self._fork.__exit__(None, None, None)

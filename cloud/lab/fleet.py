"""All clients and what they are measured on: the backbone runs once over the test images, every head is a product."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from cloud.lab.clients import LabWork
from edge.personal import Personal
from edge.starting import never_selected
from shared.features import measured_features
from shared.heads import Head
from shared.images import LabelledImages
from shared.methods import Recipe, recipe_of
from shared.model import SharedModel
from shared.prediction import generic_of
from shared.settings import SharedSettings
from shared.shards import Shards


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Member:
    """One client as the lab measures it.

    Attributes:
        client: Its id.
        counts: (num_classes,), int64, its training images.
        paper: (M,), int64, where its local test stands in the test images.
        open: (M',), int64, likewise, with images of classes it never trained on.
        validation: Images it keeps to choose by, or None.
    """

    client: str
    counts: Tensor
    paper: Tensor
    open: Tensor
    validation: LabelledImages | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """One shared model on the test images.

    Attributes:
        model: The shared model.
        features: (T, feature_dim), of all test images.
        personal: Each client's personal part.
        own: Features of all of a client's test images under its own backbone, in the order of ``Member.open``, for
            methods that have one.
    """

    model: SharedModel
    features: Tensor
    personal: Mapping[str, Personal]
    own: Mapping[str, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fleet:
    """Everybody.

    Attributes:
        settings: The federation's.
        etf: The frozen classifier S.
        test: All images that are measured on.
        evaluation: (E,), int64, the balanced ones among them.
        class_counts: (num_classes,), int64, training images over all clients.
        members: In the order of their ids.
        without_new_classes: Clients the new-class protocol asks nothing new.
    """

    settings: SharedSettings
    etf: Tensor
    test: LabelledImages
    evaluation: Tensor
    class_counts: Tensor
    members: tuple[Member, ...]
    without_new_classes: tuple[str, ...]

    @property
    def recipe(self) -> Recipe:
        """The method."""
        return recipe_of(self.settings.method)

    def see(self, model: SharedModel, works: Mapping[str, LabWork]) -> Seen:
        """Run the shared backbone once over the test images, and each client's own backbone over the client's."""
        device = torch.device("cpu")
        personal: dict[str, Personal] = {}
        own: dict[str, Tensor] = {}
        for member in self.members:
            kept = works[member.client].kept()
            if kept is None:
                kept = never_selected(model, etf=self.etf, settings=self.settings, client=member.client)
            personal[member.client] = kept
            if kept.backbone is not None:
                images = self.test.select(member.open)
                own[member.client] = measured_features(kept.backbone, images, self.settings, device)
        features = measured_features(model.backbone, self.test, self.settings, device)
        return Seen(model=model, features=features, personal=personal, own=own)

    def generic(self, seen: Seen) -> Head:
        """Return the generic head; of a method without one, the n_k-weighted mean of the personal heads."""
        head = generic_of(self.settings.method, etf=self.etf, psi=seen.model.psi)
        if head is not None:
            return head
        total = sum(int(member.counts.sum()) for member in self.members)
        weight = torch.zeros_like(self.etf)
        for member in self.members:
            phi = seen.personal[member.client].phi
            if phi is not None:
                weight += phi.weight * (int(member.counts.sum()) / total)
        return Head(weight=weight)


def fleet_of(shards: Shards, settings: SharedSettings, etf: Tensor) -> Fleet:
    """Return the fleet of data that was dealt with images of new classes: the paper's local tests are part of them."""
    members = []
    for data in shards.clients:
        if data.test_indices is None:
            raise ValueError(f"{data.client} was not dealt its test images")
        members.append(
            Member(
                client=data.client,
                counts=data.train.class_counts(),
                paper=data.test_indices[~data.is_new()],
                open=data.test_indices,
                validation=data.validation,
            )
        )
    return Fleet(
        settings=settings,
        etf=etf,
        test=shards.test,
        evaluation=shards.evaluation_indices,
        class_counts=shards.class_counts,
        members=tuple(members),
        without_new_classes=shards.without_new_classes(),
    )

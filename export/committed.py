"""A committed round as the source of exports: its generic model, and a client's personal one."""

from dataclasses import dataclass

from torch import Tensor

from export.bundle import Bundle, Provenance, Rule
from shared.heads import Head
from shared.model import SharedModel
from shared.prediction import generic_of
from shared.settings import SharedSettings
from shared.tensors import Tensors


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CommittedModel:
    """What all clients trained together, as one round left it.

    Attributes:
        settings: The federation's.
        model: Backbone and psi.
        blob: SHA-256 of the file that holds them.
        round_number: The round.
        etf: The frozen classifier S, (num_classes, feature_dim).
        etf_blob: SHA-256 of its file.
    """

    settings: SharedSettings
    model: SharedModel
    blob: str
    round_number: int
    etf: Tensor
    etf_blob: str

    def generic(self) -> Bundle | None:
        """Return the generic model, its head by the federation's rule (psi' of Eq. 6 included).

        None where the method has no generic model.
        """
        method = self.settings.method
        head = generic_of(method, etf=self.etf, psi=self.model.psi)
        return None if head is None else self._bundle(None, method.generic_rule, self.model.backbone, head)

    def personal(self, client: str, head: Head, *, backbone: Tensors | None) -> Bundle:
        """Return a client's own model.

        Args:
            client: Whose.
            head: What it answers from, by the federation's rule.
            backbone: The client's own, where its method gives it one; None takes the shared one.
        """
        backbone = self.model.backbone if backbone is None else backbone
        return self._bundle(client, self.settings.method.personal_rule, backbone, head)

    def _bundle(self, client: str | None, rule: Rule, backbone: Tensors, head: Head) -> Bundle:
        return Bundle(
            kind="generic" if client is None else "personal",
            rule=rule,
            class_names=self.settings.class_names,
            model=self.settings.model,
            provenance=Provenance(
                federation=self.settings.federation,
                round=self.round_number,
                client=client,
                shared_digest=self.blob,
                etf_digest=self.etf_blob,
            ),
            backbone=backbone,
            head=head,
        )

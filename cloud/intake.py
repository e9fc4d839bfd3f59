"""Is this update fit for this round? Pure checks; each refusal has a stable reason code."""

from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor

from cloud.plan import RoundPlan
from shared.errors import UpdateRejectedError
from shared.messages import UpdateOffer
from shared.settings import Codec

MAX_RELATIVE_SIZE = 2.0
"""An update's bytes against its model's: the encodings make it equal or smaller, names and padding a little larger."""


def check_offer(
    offer: UpdateOffer, *, sender: str, plan: RoundPlan, model_bytes: int, max_examples: int, codec: Codec
) -> None:
    """Refuse an offer before a byte of its payload travels.

    Args:
        offer: What the client says.
        sender: The client whose lane it came on.
        plan: The open round.
        model_bytes: Size of the round's encoded model.
        max_examples: Largest weight an update may claim.
        codec: The federation's encoding of updates.

    Raises:
        UpdateRejectedError: ``wrong-sender``, ``wrong-round``, ``not-selected``, ``wrong-base``, ``example-count``,
            ``codec`` or ``too-large``.
    """
    if offer.client != sender:
        raise UpdateRejectedError("wrong-sender", f"an update of {offer.client!r} came on the lane of {sender!r}")
    if offer.round != plan.round_number:
        raise UpdateRejectedError("wrong-round", f"an update of round {offer.round} in round {plan.round_number}")
    if sender not in plan.participants:
        raise UpdateRejectedError("not-selected", f"{sender} was not selected for round {plan.round_number}")
    if offer.base != plan.base_blob:
        raise UpdateRejectedError("wrong-base", f"trained from {offer.base[:12]}, the round's is {plan.base_blob[:12]}")
    if not 1 <= offer.num_examples <= max_examples:
        raise UpdateRejectedError("example-count", f"num_examples is {offer.num_examples}, must be 1..{max_examples}")
    if offer.payload.codec != codec:
        raise UpdateRejectedError("codec", f"encoded as {offer.payload.codec}, the federation's updates are {codec}")
    if offer.payload.size > MAX_RELATIVE_SIZE * model_bytes:
        raise UpdateRejectedError("too-large", f"update of {offer.payload.size} bytes for a model of {model_bytes}")


def check_update(delta: Mapping[str, Tensor], *, like: Mapping[str, Tensor]) -> None:
    """Refuse tensors that do not fit the round's model; nothing is changed silently.

    Args:
        delta: The update's tensors.
        like: The round's shared tensors.

    Raises:
        UpdateRejectedError: ``names``, ``shape``, ``dtype`` or ``not-finite``.
    """
    for _ in checked(delta.items(), like=like):
        pass


def checked(
    delta: Iterable[tuple[str, Tensor]], *, like: Mapping[str, Tensor], finite: bool = True
) -> Iterator[tuple[str, Tensor]]:
    """Pass an update's tensors through, each once it was found to fit; names that are missing come out at the end.

    Args:
        delta: Names and tensors.
        like: The round's shared tensors.
        finite: Also look at every value; a caller that reads the values anyway looks itself.

    Raises:
        UpdateRejectedError: As ``check_update``.
    """
    missing, odd = set(like), set[str]()
    for name, tensor in delta:
        if name not in missing:
            odd.add(name)
            continue
        missing.remove(name)
        if not odd:
            _check_kind(name, tensor, like[name])
            if finite:
                refuse_infinite(name, tensor)
            yield name, tensor
    if missing or odd:
        raise UpdateRejectedError("names", f"tensor names differ from the model's: {sorted(missing | odd)[:5]}")


def _check_kind(name: str, tensor: Tensor, expected: Tensor) -> None:
    if tensor.shape != expected.shape:
        raise UpdateRejectedError(
            "shape", f"{name} has shape {tuple(tensor.shape)}, the model has {tuple(expected.shape)}"
        )
    if tensor.dtype != expected.dtype:
        raise UpdateRejectedError("dtype", f"{name} is {tensor.dtype}, the model has {expected.dtype}")


def refuse_infinite(name: str, tensor: Tensor) -> None:
    """Refuse a float32 tensor that holds NaN or infinity.

    A sum is finite only if every term is; where it is not, a large finite sum may have overflowed, and each element is
    looked at. The sum takes a tenth of the time of the look.

    Raises:
        UpdateRejectedError: ``not-finite``.
    """
    if not torch.isfinite(tensor.sum()) and not torch.isfinite(tensor).all():
        raise UpdateRejectedError("not-finite", f"{name} holds NaN or infinity")

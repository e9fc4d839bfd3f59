"""What every participant starts from: made once, and read back at every later start."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from cloud.settings import FederationFile
from cloud.store.contract import RoundStore
from cloud.store.rows import RoundResult
from shared.blobs import BlobStore
from shared.frozen import frozen_classifier
from shared.model import initial_model, pack
from shared.output import note
from shared.tensors import encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Blobs of the frozen classifier and of the initial model; the latter is "" where a federation is resumed."""

    etf_blob: str
    model_blob: str


def start_or_resume(
    settings: FederationFile, store: RoundStore, blobs: BlobStore, *, say: Callable[[str], None] = note
) -> Origin:
    """Make the frozen classifier and the initial model once; later starts read them back.

    Args:
        settings: The federation.
        store: Its record.
        blobs: Where the two are written.
        say: Told what kind of frame the classifier is.

    Raises:
        StoreError: The database holds another federation, or this one with other settings.
    """
    known = store.federation()
    identity = msgspec.json.encode(settings.identity())
    if known is None:
        shared = settings.shared()
        etf, report = frozen_classifier(shared)
        say(f"sparse ETF: {report.note}")
        initial = encode(pack(initial_model(shared)))
        origin = Origin(etf_blob=blobs.put(encode({"etf": etf})), model_blob=blobs.put(initial))
    else:
        origin = Origin(etf_blob=known.etf_blob, model_blob="")
    store.start(
        name=settings.federation,
        settings_json=identity,
        etf_blob=origin.etf_blob,
        initial=RoundResult(round_number=0, blob=origin.model_blob, reason="initial"),
    )
    return origin

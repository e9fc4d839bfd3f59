"""The model registry as values of JSON's types: what serves where, and every version of the generic model."""

import msgspec

from cloud.status import Figures
from cloud.store.contract import RoundStore
from cloud.store.failures import not_started


def models(store: RoundStore) -> Figures:
    """List the clients' current models by their own reports, and the generic model's versions with their accuracy.

    Raises:
        StoreError: The database holds no federation yet.
    """
    federation = store.federation()
    if federation is None:
        raise not_started()
    reported = {row.client: row for row in store.models()}
    failures = {row.client: row for row in store.failures()}
    return {
        "federation": federation.name,
        "clients": [
            {
                "client": client.client,
                "current": None if row is None else dict(msgspec.to_builtins(row.model)),
                "reported_at": None if row is None else row.reported_at,
                "versions": 0 if row is None else row.versions,
                "failure": None if failure is None else {"round": failure.round_number, "reason": failure.reason},
            }
            for client in store.clients()
            for row in [reported.get(client.client)]
            for failure in [failures.get(client.client)]
        ],
        "generic": _generic(store),
    }


def _generic(store: RoundStore) -> list[Figures]:
    """List the committed rounds' models: each is a version of the generic one, exported or not."""
    exported = {
        number: (path, digest) for kind, path, digest, number in store.artifacts() if kind.startswith("generic")
    }
    found = []
    for row in store.rounds():
        if row.result is None:
            continue
        number, evaluation = row.plan.round_number, row.result.evaluation
        path, digest = exported.get(number, (None, None))
        found.append(
            {
                "round": number,
                "blob": row.result.blob,
                "accuracy": None if evaluation is None else evaluation.accuracy,
                "groups": {} if evaluation is None else dict(evaluation.groups),
                "committed_at": row.closed_at,
                "path": path,
                "digest": digest,
            }
        )
    return found

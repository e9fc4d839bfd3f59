"""What the database says about a federation, as values of JSON's types; no word about any client's classes."""

import json
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec

from cloud.reasons import REASONS, missing_piece
from cloud.store.contract import RoundStore
from cloud.store.failures import not_started
from cloud.store.rows import ClientRow, FederationRow, Participant, ReportRow, RoundRow
from shared.messages import ClientFigures

Figures: TypeAlias = dict[str, Any]
"""One result of a command, ready for its envelope; accuracies in 0..1, times ISO 8601 in UTC."""


CLOSED: Final = {
    "complete": "everybody's fate was settled",
    "enough": "as many updates as were wanted had come",
    "deadline": "its deadline had passed and its quorum had come",
}
"""Why a round closed, by code."""


def status(store: RoundStore, *, running: bool | None = None) -> Figures:
    """Say what the federation does now and what it waits for.

    Args:
        store: Also one opened for reading, beside a running coordinator.
        running: Whether a coordinator holds the database now, where the caller knows: after a kill the state on record
            is what it did last.

    Raises:
        StoreError: The database holds no federation yet.
    """
    federation = _federation(store)
    last, clients, opened = store.last_committed(), store.clients(), store.open_round()
    return {
        "federation": federation.name,
        "state": federation.state,
        "waiting_for": federation.waiting_for,
        "reason": federation.reason,
        "waiting_until": federation.waiting_until,
        "then": None if federation.reason not in REASONS else REASONS[federation.reason].then,
        "failures": {failure.client: failure.reason for failure in store.failures()},
        "coordinator_running": running,
        "created_at": federation.created_at,
        "rounds_committed": last.round_number,
        "rounds_planned": planned_rounds(federation.settings_json),
        "open_round": None if opened is None else _open(opened, {row.client: row.online for row in clients}),
        "clients_known": len(clients),
        "clients_online": sum(client.online for client in clients),
        "reports": len(store.reports()),
        "bytes_up": federation.bytes_up,
        "bytes_down": federation.bytes_down,
        "evaluation": None
        if last.evaluation is None
        else {
            "round": last.round_number,
            "accuracy": last.evaluation.accuracy,
            "groups": dict(last.evaluation.groups),
        },
        "models": [
            {"kind": kind, "path": path, "digest": digest, "round": number}
            for kind, path, digest, number in store.artifacts()
        ],
    }


def rounds(store: RoundStore) -> Figures:
    """Summarise every round, and list the offers that fitted none.

    Raises:
        StoreError: The database holds no federation yet.
    """
    federation = _federation(store)
    return {
        "federation": federation.name,
        "rounds_planned": planned_rounds(federation.settings_json),
        "rounds": [_summary(row) for row in store.rounds()],
        "refusals": [
            {"client": client, "round": number, "reason": reason} for client, number, reason in store.refusals()
        ],
    }


def round_detail(store: RoundStore, number: int) -> Figures | None:
    """Say what became of every selected client in one round; None where the round has not begun.

    Raises:
        StoreError: The database holds no federation yet.
    """
    _federation(store)
    row = store.round(number)
    if row is None:
        return None
    evaluation = None if row.result is None else row.result.evaluation
    return {
        **_summary(row),
        "base_blob": row.plan.base_blob,
        "blob": None if row.result is None else row.result.blob,
        "closed_at": row.closed_at,
        "evaluation": None
        if evaluation is None
        else {
            "accuracy": evaluation.accuracy,
            "groups": dict(evaluation.groups),
            "per_class": list(evaluation.per_class),
            "rules": dict(evaluation.rules),
        },
        "clients": [_part(row, part) for part in row.participants],
    }


def agents(store: RoundStore) -> Figures:
    """List the clients: when they came and went, what they contributed, what they reported at the end.

    Raises:
        StoreError: The database holds no federation yet.
    """
    federation = _federation(store)
    reports = {report.client: report for report in store.reports()}
    return {
        "federation": federation.name,
        "clients": [_agent(client, reports.get(client.client)) for client in store.clients()],
    }


def planned_rounds(settings_json: bytes) -> int | None:
    """Return how many rounds the settings on record ask for, or None where they do not say."""
    settings = json.loads(settings_json)
    rounds = settings.get("rounds") if isinstance(settings, dict) else None
    return rounds if isinstance(rounds, int) else None


def state_of(part: Participant) -> str:
    """Return a participant's state; a missing one whose update came after the close is "late"."""
    return "late" if part.record is not None and part.record.state == "late" else part.state


def _federation(store: RoundStore) -> FederationRow:
    federation = store.federation()
    if federation is None:
        raise not_started()
    return federation


def _open(row: RoundRow, online: Mapping[str, bool]) -> Figures:
    waiting = [part.client for part in row.participants if part.state == "waiting"]
    came = sum(part.state == "accepted" for part in row.participants)
    return {
        "round": row.plan.round_number,
        "opened_at": row.opened_at,
        "deadline_seconds": row.plan.deadline_seconds,
        "quorum": row.plan.quorum,
        "selected": len(row.participants),
        "answered": len(row.participants) - len(waiting),
        "waiting_for": waiting,
        "wanted": row.plan.wanted or len(row.participants),
        "quorum_reached": came >= row.plan.quorum,
        "missing_pieces": [
            {"client": part.client, "code": code, "words": words, "since": part.stage_at or row.opened_at}
            for part in row.participants
            if part.state == "waiting"
            for code, words in [missing_piece(part, online=online.get(part.client))]
        ],
    }


def _summary(row: RoundRow) -> Figures:
    states = [state_of(part) for part in row.participants]
    result = row.result
    return {
        "round": row.plan.round_number,
        "state": row.state,
        "opened_at": row.opened_at,
        "close_reason": None if result is None else result.reason,
        "seconds": None if result is None else result.seconds,
        "quorum": row.plan.quorum,
        "wanted": row.plan.wanted or len(states),
        "deadline_seconds": row.plan.deadline_seconds,
        "selected": len(states),
        **{state: states.count(state) for state in ("waiting", "accepted", "rejected", "failed", "missing", "late")},
        "accuracy": None if result is None or result.evaluation is None else result.evaluation.accuracy,
        "bytes_up": sum(row.bytes_up.values()),
        "bytes_down": sum(row.bytes_down.values()),
    }


def _part(row: RoundRow, part: Participant) -> Figures:
    record = part.record
    return {
        "client": part.client,
        "state": state_of(part),
        "reason": _why(row, part),
        "num_examples": 0 if record is None else record.num_examples,
        "update_bytes": 0 if record is None else record.size_bytes,
        "bytes_up": row.bytes_up.get(part.client, 0),
        "bytes_down": row.bytes_down.get(part.client, 0),
        "figures": None if record is None else _figures(record.figures),
    }


def _why(row: RoundRow, part: Participant) -> str:
    """Say why an update was not accepted; of one that did not come, which piece was missing when the round closed."""
    if part.record is not None:
        return part.record.reason
    if part.state not in {"missing", "waiting"}:
        return ""
    code, words = missing_piece(part, online=None)
    closed = "" if row.result is None else f"; the round closed: {CLOSED.get(row.result.reason, row.result.reason)}"
    return f"{code}: {words}{closed}"


def _agent(client: ClientRow, report: ReportRow | None) -> Figures:
    return {
        "client": client.client,
        "online": client.online,
        "joined_at": client.joined_at,
        "last_seen_at": client.last_seen_at,
        "rounds_accepted": client.rounds_accepted,
        "last_accepted_round": client.last_accepted_round,
        "num_examples": client.num_examples,
        "report": None
        if report is None
        else {
            "round": report.round_number,
            "figures": _figures(report.figures),
            "onnx": report.onnx,
            "head_note": report.head_note,
        },
    }


def _figures(figures: ClientFigures | None) -> Figures | None:
    return None if figures is None else dict(msgspec.to_builtins(figures))

"""The results of ``cloud.status`` for people."""

from typing import Any

from rich.console import Group, RenderableType

from cloud.sheet import Sheet
from cloud.status import Figures
from cloud.words import percent, size

UNLIKE_ACCEPTED = ("waiting", "rejected", "failed", "missing", "late")
"""Every other fate of a selected client's update."""


def status_table(data: Figures) -> RenderableType:
    """Show ``status``."""
    planned = data["rounds_planned"]
    rows = [
        ("state", data["state"]),
        ("waiting for", data["waiting_for"]),
        *_deadline(data),
        ("rounds committed", f"{data['rounds_committed']} of {'?' if planned is None else planned}"),
        (
            "clients last online" if data["coordinator_running"] is False else "clients online",
            f"{data['clients_online']} of {data['clients_known']}",
        ),
        ("received", size(data["bytes_up"])),
        ("sent", size(data["bytes_down"])),
    ]
    if data["coordinator_running"] is not None:
        rows.insert(0, ("coordinator", "running" if data["coordinator_running"] else "not running"))
    if data["open_round"] is not None:
        rows.append(("open round", _open_round(data["open_round"])))
        rows += [
            (f"  {piece['client']}", f"{piece['words']} (since {clock(piece['since'])} UTC)")
            for piece in data["open_round"]["missing_pieces"]
        ]
    if data["evaluation"] is not None:
        evaluation = data["evaluation"]
        measured = {name: value for name, value in evaluation["groups"].items() if value is not None}
        groups = "".join(f", {name} {percent(value)}" for name, value in measured.items())
        rows.append((f"generic model, round {evaluation['round']}", percent(evaluation["accuracy"]) + groups))
    if data["reports"]:
        rows.append(("final reports", str(data["reports"])))
    rows += [(model["kind"], model["path"]) for model in data["models"]]
    return Sheet(title=f"federation {data['federation']}", columns=("", ""), rows=rows)


def _deadline(data: Figures) -> list[tuple[str, str]]:
    if data["then"] is None:
        return []
    until = [] if data["waiting_until"] is None else [("until", f"{clock(data['waiting_until'])} UTC at the latest")]
    failed = [(f"  {client} failed", reason) for client, reason in data["failures"].items()]
    return [*until, ("then", data["then"]), *failed]


def _open_round(opened: dict[str, Any]) -> str:
    waiting = ", ".join(opened["waiting_for"]) or "nobody"
    return (
        f"{opened['round']}, since {clock(opened['opened_at'])} UTC: {opened['answered']} of {opened['selected']}"
        f" answered, quorum {opened['quorum']} {'reached' if opened['quorum_reached'] else 'not reached'},"
        f" waiting for {waiting}"
    )


def rounds_table(data: Figures) -> RenderableType:
    """Show ``rounds``."""
    rows = [
        (
            str(row["round"]),
            row["state"] if row["close_reason"] is None else row["close_reason"],
            f"{row['accepted']} of {row['selected']}",
            percent(row["accuracy"]),
            "" if row["seconds"] is None else f"{row['seconds']:.1f} s",
            size(row["bytes_up"]),
            size(row["bytes_down"]),
            ", ".join(f"{row[state]} {state}" for state in UNLIKE_ACCEPTED if row[state]),
        )
        for row in data["rounds"]
    ]
    columns = (">round", "closed", ">updates", ">generic", ">time", ">up", ">down", "others")
    sheet = Sheet(title=f"rounds of {data['federation']}", columns=columns, rows=rows)
    if not data["refusals"]:
        return sheet
    refusals = [(row["client"], str(row["round"]), row["reason"]) for row in data["refusals"]]
    return Group(sheet, Sheet(title="offers that fitted no round", columns=("client", ">round", "why"), rows=refusals))


def round_table(data: Figures) -> RenderableType:
    """Show ``round_detail``."""
    title = f"round {data['round']}: {data['state']}"
    if data["close_reason"] is not None:
        title += f" ({data['close_reason']}) after {data['seconds']:.1f} s"
    if data["accuracy"] is not None:
        title += f", generic {percent(data['accuracy'])}"
    rows = [
        (
            part["client"],
            part["state"],
            str(part["num_examples"] or ""),
            percent((part["figures"] or {}).get("generic")),
            percent((part["figures"] or {}).get("personal")),
            size(part["bytes_up"]),
            size(part["bytes_down"]),
            part["reason"],
        )
        for part in data["clients"]
    ]
    columns = ("client", "update", ">images", ">generic", ">personal", ">up", ">down", "why")
    return Sheet(title=title, columns=columns, rows=rows)


def agents_table(data: Figures) -> RenderableType:
    """Show ``agents``."""
    rows = [
        (
            row["client"],
            "online" if row["online"] else "offline",
            clock(row["last_seen_at"]),
            str(row["rounds_accepted"]) + (f", last {row['last_accepted_round']}" if row["rounds_accepted"] else ""),
            "" if row["num_examples"] is None else str(row["num_examples"]),
            percent(_reported(row, "generic")),
            percent(_reported(row, "personal")),
            "" if row["report"] is None else row["report"]["head_note"],
        )
        for row in data["clients"]
    ]
    columns = ("client", "is", "seen, UTC", "rounds", ">images", ">generic", ">personal", "personal head")
    return Sheet(title=f"clients of {data['federation']}", columns=columns, rows=rows)


def _reported(row: dict[str, Any], figure: str) -> float | None:
    if row["report"] is None:
        return None
    value: float | None = row["report"]["figures"][figure]
    return value


def clock(time: str) -> str:
    """Return month, day and time of an ISO 8601 time to the minute; its zone is UTC."""
    return time[5:16].replace("T", " ")

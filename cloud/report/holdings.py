"""Picture: who holds which images: clients by classes, the long tail made visible."""

from math import ceil

from cloud.report.bubbles import Holdings, draw_bubbles
from cloud.report.classes import classes_of, head_to_tail
from cloud.report.figure import Figure, Table
from cloud.result import Result
from cloud.words import count


def holdings_of(result: Result) -> Holdings | None:
    """Return who holds what, or None where nobody knows: class counts never leave a real device."""
    known = [(c.client, c.class_counts) for c in result.pm.per_client if c.class_counts]
    classes = classes_of(result)
    owners = [(client, counts) for client, counts in known if len(counts) == len(classes)]
    if not owners:
        return None
    owners.sort(key=lambda owner: (-sum(owner[1]), owner[0]))
    totals = [sum(counts[label] for _, counts in owners) for label in range(len(classes))]
    order = sorted(head_to_tail(classes), key=lambda label: -totals[label])
    return Holdings(
        clients=tuple(client for client, _ in owners),
        classes=tuple(classes[label].name for label in order),
        groups=tuple(classes[label].group or "generic" for label in order),
        images=tuple(tuple(counts[label] for label in order) for _, counts in owners),
    )


def holdings_figure(result: Result) -> Figure | None:
    """Return the picture, or None where class counts are unknown."""
    held = holdings_of(result)
    if held is None or not any(held.totals):
        return None
    words = caption(held)
    groups = [name for name in ("head", "medium", "tail") if name in held.groups]
    return Figure(
        name="holdings",
        kicker="Who holds which images",
        heading=heading(held),
        caption=words,
        legend=tuple((name, f"{name} classes") for name in groups),
        draw=lambda width: draw_bubbles(
            held, width, "Bubble chart of training images per client and class. " + caption(held)
        ),
        table=Table(
            headings=("client", *held.classes, "all"),
            rows=(
                *((c, *map(str, own), str(sum(own))) for c, own in zip(held.clients, held.images, strict=True)),
                ("all", *map(str, held.totals), str(sum(held.totals))),
            ),
            last_is_total=True,
        ),
    )


def heading(held: Holdings) -> str:
    """Say how long the tail is, and how many clients never see some class."""
    most, fewest = held.totals[0], held.totals[-1]
    spread = (
        f"The largest class has {most / fewest:.{1 if most < 10 * fewest else 0}f} times the images of the smallest"
        if fewest
        else f"The largest class has {count(most, 'training image')}, the smallest none"
    )
    narrow = sum(1 for own in held.images if not all(own))
    lacking = f"{narrow or 'none'} of {count(len(held.clients), 'client')} {'lacks' if narrow == 1 else 'lack'} a class"
    return f"{spread}; {lacking}"


def caption(held: Holdings) -> str:
    """Return how much the largest classes hold, and the client that sees least of the rest."""
    totals = held.totals
    top = ceil(len(totals) / 3)
    share = sum(totals[:top]) / sum(totals)
    sentences = [
        "The larger a bubble, or the darker a cell, the more training images; the bars on top add up the clients.",
        f"The largest {count(top, 'class', 'classes')} of {len(totals)} hold {100 * share:.0f}% of all images.",
    ]
    seen = [(sum(1 for number in own if number), client) for client, own in zip(held.clients, held.images, strict=True)]
    least, narrowest = min(seen)
    if least < len(totals):
        sentences.append(f"{narrowest} holds images of only {least} of {len(totals)} classes.")
    shares = [(max(own) / max(1, sum(own)), c) for c, own in zip(held.clients, held.images, strict=True)]
    largest, client = max(shares)
    own = held.images[held.clients.index(client)]
    name = held.classes[own.index(max(own))]
    sentences.append(f"“{name}” makes up {100 * largest:.0f}% of the images of {client}.")
    return " ".join(sentences)

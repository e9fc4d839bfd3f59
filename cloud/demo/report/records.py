"""The sections without a picture: the closing table and the exported models."""

import posixpath
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from cloud.demo.comparison import BASELINE_NAMES, MODELS, TIE, best_models, difference
from cloud.report.figure import Table, table_block
from cloud.report.markup import element
from cloud.result import ClientResult, Means, ModelRecord, Result
from cloud.words import gain, percent


def closing_section(result: Result) -> Element:
    """Return the table a demo ends with, the best model of each row marked."""
    clients = result.pm.per_client
    notes = sorted({client.head_note for client in clients if client.head_note})
    told_once = len(notes) == 1  # the common case: a column that repeats itself would crowd the figures out
    headings = (
        "client",
        "train",
        "held out",
        *MODELS,
        "over alone",
        "over generic",
        *(() if told_once else ("personal head",)),
    )
    rows = [
        _row(c.client, _number(c.num_train_images), str(c.num_images), c, None if told_once else c.head_note)
        for c in clients
    ]
    trained = [c.num_train_images for c in clients if c.num_train_images is not None]
    total = _row(
        "mean (images: sum)",
        str(sum(trained)) if trained else "-",
        str(sum(c.num_images for c in clients)),
        result.pm.means,
        None if told_once else "",
    )
    total.set("class", "total")
    head = element("tr", *[element("th", heading, scope="col") for heading in headings])
    table = element(
        "table",
        element("thead", head),
        element("tbody", *rows, total),
        class_="texts-1" if told_once else "texts-1 closing",
    )
    return element(
        "section",
        element("p", "The closing table", class_="kicker"),
        element("h2", "Three models on the same held-out images"),
        element("p", "The best of each row is marked. “Over” is the personal model's lead in percentage points."),
        element("p", f"Every personal head: {notes[0]}.", class_="soft") if told_once else None,
        element("div", table, class_="scroll"),
        id="table",
    )


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)


def _row(name: str, trained: str, held_out: str, figures: ClientResult | Means, note: str | None) -> Element:
    best = best_models(figures)
    cells = [element("td", name), element("td", trained, class_="number"), element("td", held_out, class_="number")]
    for model in MODELS:
        text = percent(getattr(figures, model))
        inside = element("mark", text, class_=model) if model in best else text
        cells.append(element("td", inside, class_="number"))
    for baseline in BASELINE_NAMES:
        change = difference(figures, baseline)
        sense = "" if change is None or abs(change) <= TIE else "better" if change > 0 else "worse"
        cells.append(element("td", gain(change), class_=f"number ink {sense}"))
    return element("tr", *cells, None if note is None else element("td", note, class_="soft"))


def models_section(result: Result) -> Element | None:
    """Return every exported file with its digest and its proof, or None where nothing was exported."""
    if not result.models:
        return None
    verified = sum(1 for model in result.models if model.parity is not None and model.parity.holds)
    folder = common_folder([model.path for model in result.models])
    rows = tuple(_model(model, folder) for model in result.models)
    headings = ("file", "for", "parity", "max |Δlogit|", "bound", "same label", "images", "SHA-256")
    return element(
        "section",
        element("p", "The models", class_="kicker"),
        element("h2", f"{verified} of {len(rows)} ONNX files compute what PyTorch computes"),
        element("p", "Each file was loaded in ONNX Runtime and compared logit by logit before it was called exported."),
        element("p", f"Folder: {folder}", class_="soft") if folder else None,
        table_block(Table(headings=headings, rows=rows, num_texts=3)),
        id="models",
    )


def common_folder(paths: Sequence[str]) -> str:
    """Return the folder that holds all files, or nothing where it is not told."""
    if not all(path.startswith("/") for path in paths):
        return ""
    return posixpath.commonpath([posixpath.dirname(path) for path in paths])


def _model(model: ModelRecord, folder: str) -> tuple[str, ...]:
    file = posixpath.relpath(model.path, folder) if folder else model.path
    owner = model.client or "everyone"
    parity = model.parity
    if parity is None:
        return (file, owner, "not recorded", "-", "-", "-", "-", model.digest)
    return (
        file,
        owner,
        "✓ holds" if parity.holds else "✗ fails",
        f"{parity.max_abs_error:.1e}",
        f"{parity.bound:.1e}",
        percent(parity.label_agreement),
        f"{parity.num_images} {parity.images}".strip(),
        model.digest,
    )

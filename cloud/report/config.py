"""The last section of a report: what was run, to the letter."""

from collections.abc import Mapping
from xml.etree.ElementTree import Element

import msgspec

from cloud.report.figure import titled
from cloud.report.markup import element
from cloud.result import Result
from cloud.words import percent


def config_section(result: Result) -> Element:
    """Return what was run, and, of a demo, the generic rules' accuracies for the record."""
    rules = result.gm.rules if result.gm is not None else {}
    record = "Generic rules on the test images, for the record (none is chosen by it): "
    told = [f"{name} {percent(value)}" for name, value in rules.items()]
    return titled(
        "run",
        "The run",
        "What was run",
        entries({**result.config, "global_digest": result.global_digest or "-"}),
        element("p", record + ", ".join(told) + ".", class_="soft") if told else None,
    )


def entries(values: Mapping[str, object]) -> Element:
    """Return names and values, any of JSON's, in two columns."""
    told = [(key.replace("_", " "), _plain(value)) for key, value in values.items()]
    pairs = [
        element("div", element("dt", key), element("dd", value), class_="long" if len(value) > 30 else "")
        for key, value in told
    ]
    return element("dl", *pairs, class_="config")


def _plain(value: object) -> str:
    """Return any JSON value as people read it."""
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(_plain(item) for item in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} = {_plain(item)}" for key, item in value.items()) or "none"
    return msgspec.json.encode(value).decode()

"""Prediction rules in the paper's symbols, and what each symbol is."""

from typing import Final
from xml.etree.ElementTree import Element

from cloud.report.markup import element

GENERIC: Final = {"etf": "S", "psi": "ψ", "realigned": "ψ′"}

PERSONAL: Final = {"etf": "S", "psi": "ψ", "phi": "φₖ", "realigned": "φ′ₖ", "prior": "log πₖ"}

MEANINGS: Final = {
    "S": "the frozen sparse simplex frame",
    "ψ": "the shared trainable head",
    "ψ′": "ψ with every row scaled to length one (global realignment)",
    "φₖ": "the client's own head, which never leaves it",
    "φ′ₖ": "ψ with every row scaled to the length of φₖ's row (local realignment)",
    "log πₖ": "logarithm of the client's own class frequencies",
}


def generic_rule(name: str) -> str:
    """Return a generic rule in symbols."""
    return GENERIC.get(name, name)


def personal_rule(name: str, mask: str = "none") -> str:
    """Return a personal rule in symbols, such as "S + log πₖ, masked"."""
    symbols = " + ".join(PERSONAL.get(part, part) for part in name.split("+"))
    return symbols if mask == "none" else f"{symbols}, masked"


def glossary(texts: list[str]) -> Element:
    """Return what the symbols in some rules mean; each symbol of a head stands for its product with the features."""
    symbols = {part for text in texts for part in text.removesuffix(", masked").split(" + ")}
    told = [f"{symbol}: {meaning}" for symbol, meaning in MEANINGS.items() if symbol in symbols]
    if any(text.endswith(", masked") for text in texts):
        told.append("masked: only classes the client has trained on may be answered")
    return element("p", "; ".join(told) + ". A head stands for its product with the features.", class_="soft")

"""A report as a browser reads it, and the names an attacker would choose."""

from html.parser import HTMLParser

VOID = {"meta", "br", "img", "link", "input", "hr"}
FETCHING = {"src", "href", "srcset", "data", "action", "xlink:href", "poster"}


class Page(HTMLParser):
    """A page as a browser reads it; complains about tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def words(self) -> str:
        return " ".join(self.texts)

    def count(self, tag: str, **wanted: str) -> int:
        return sum(name == tag and wanted.items() <= attributes.items() for name, attributes in self.tags)

    def sections(self) -> list[str | None]:
        return [attributes.get("id") for tag, attributes in self.tags if tag == "section"]


HOSTILE_NAMES = [
    "<script>alert(1)</script>",
    '"><img src=http://evil.example/x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</style><script>alert(1)</script>",
    "</title></svg><iframe src=//evil.example>",
    "a & b &lt; c",
]


def check_it_fetches_and_runs_nothing(text: str) -> None:
    page = Page(text)
    assert page.count("script") == 0
    for tag, attributes in page.tags:
        assert not FETCHING & attributes.keys(), tag
        assert not any(name.startswith("on") for name in attributes), tag
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text

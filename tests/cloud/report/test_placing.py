"""Names beside points: none covers another, all stay inside, far ones get a line."""

import random

from cloud.report.markup import text_width
from cloud.report.placing import FONT_PIXELS, HEIGHT_PIXELS, Box, around, placed


def boxes(names: list[tuple[float, float, str, str]], bounds: Box) -> list[Box]:
    found = []
    for mark in placed(names, [around(x, y, 6) for x, y, _, _ in names], bounds):
        if mark.tag == "text":
            x, y = float(mark.get("x", "")), float(mark.get("y", ""))
            width = text_width(mark.text or "", FONT_PIXELS)
            found.append(Box(x, y + 3 - HEIGHT_PIXELS, x + width, y + 3))
    return found


def test_names_never_cover_each_other_and_stay_inside() -> None:
    draw = random.Random(1)
    bounds = Box(0, 0, 400, 400)
    for _ in range(50):
        names = [(draw.uniform(50, 350), draw.uniform(50, 350), f"method-{at}", "") for at in range(10)]
        found = boxes(names, bounds)
        assert len(found) == len(names)
        for at, box in enumerate(found):
            assert bounds.left <= box.left
            assert box.right <= bounds.right + 0.01
            assert bounds.top <= box.top + 0.01
            assert box.bottom <= bounds.bottom + 0.01
            assert all(box.overlap(other) < 0.1 for other in found[:at])


def test_a_lonely_point_has_its_name_on_the_right() -> None:
    (name,) = placed([(100, 100, "fedloge", "strong")], [around(100, 100, 6)], Box(0, 0, 400, 400))
    assert float(name.get("x", "")) > 106
    assert name.get("class") == "label halo strong"


def test_names_of_ten_methods_at_one_point_are_all_written_the_far_ones_with_a_line() -> None:
    names = [(200.0, 200.0, f"method-{at}", "") for at in range(10)]
    marks = placed(names, [around(200, 200, 6)], Box(0, 0, 400, 400))
    assert sum(mark.tag == "text" for mark in marks) == 10
    assert any(mark.tag == "line" for mark in marks)


def test_a_name_of_two_lines_is_two_texts_one_below_the_other() -> None:
    first, second = placed([(100, 100, "fedavg =\nditto", "")], [], Box(0, 0, 400, 400))
    assert (first.text, second.text) == ("fedavg =", "ditto")
    assert float(second.get("y", "")) - float(first.get("y", "")) == HEIGHT_PIXELS

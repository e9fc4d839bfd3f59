"""Images that cannot be used: the folder, the file or the class is named, and nothing was begun."""

from pathlib import Path

import pytest

from tests.command_line.conftest import Fedloge, Outcome, tree, write_image

NOTHING: dict[str, bytes] = {}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def test_an_agent_without_images_is_refused_although_no_broker_is_up(
    fedloge: Fedloge, join: Path, state: Path, tmp_path: Path
) -> None:
    def run(data: str) -> Outcome:
        return fedloge("edge", "run", "--join", join, "--data", data, "--state", state, "--json")

    (tmp_path / "empty").mkdir()
    (tmp_path / "hollow" / "cat").mkdir(parents=True)
    write_image(tmp_path / "loose" / "0.png")
    cases = {
        f"folder:{tmp_path / 'absent'}": [f"{tmp_path / 'absent'} is no folder"],
        f"folder:{join}": [f"{join} is no folder"],
        f"folder:{tmp_path / 'empty'}": [f"{tmp_path / 'empty'} holds no images", "it is empty"],
        f"folder:{tmp_path / 'hollow'}": ["found 1 sub-folders (cat) and 0 images"],
        f"folder:{tmp_path / 'loose'}": ["found 0 sub-folders and 1 images beside them"],
        f"cifar10:{tmp_path / 'absent'}": [f"{tmp_path / 'absent'} is no folder", "nothing is downloaded"],
        "folder:": ["names no folder", "folder:DIR"],
        "photos": ["data 'photos' is unknown", "folder:DIR"],
    }
    for data, words in cases.items():
        run(data).refused(4, *words)
    assert not state.exists()


def test_an_image_of_a_format_that_is_not_read_is_named_before_connecting(
    fedloge: Fedloge, join: Path, state: Path, images: Path
) -> None:
    foreign = next(images.iterdir()) / "1.gif"
    foreign.write_bytes(b"GIF89a")
    fedloge("edge", "run", "--join", join, "--data", f"folder:{images}", "--state", state).refused(4, str(foreign))
    assert not state.exists()


@pytest.mark.parametrize("command", ["init", "demo"])
def test_what_reads_class_names_from_images_names_what_it_cannot_read(
    fedloge: Fedloge, tmp_path: Path, images: Path, command: str
) -> None:
    out = tmp_path / "out"
    words: list[str | Path] = ["cloud", "init", out] if command == "init" else ["demo", "--out", out, "--agents", "1"]
    fedloge(*words, "--data", f"folder:{tmp_path / 'absent'}").refused(4, "is no folder")
    (tmp_path / "empty").mkdir()
    fedloge(*words, "--data", f"folder:{tmp_path / 'empty'}", "--json").refused(4, "it is empty")
    spoiled = next(images.iterdir()) / "9.png"
    spoiled.write_bytes(b"\x89PNG\r\n\x1a\n but no more")
    fedloge(*words, "--data", f"folder:{images}", "--json").refused(4, str(spoiled))
    assert not out.exists()


def test_the_coordinators_own_images_are_read_before_its_broker_starts(
    fedloge: Fedloge, started: Path, tmp_path: Path
) -> None:
    text = started.read_text()
    write_image(tmp_path / "test" / "zebra" / "0.png")
    (tmp_path / "unreadable" / "a").mkdir(parents=True)
    (tmp_path / "unreadable" / "a" / "0.png").write_bytes(b"noise")
    for spec, words in {
        f"folder:{tmp_path / 'absent'}": [f"{tmp_path / 'absent'} is no folder"],
        f"folder:{tmp_path / 'test'}": ["class 'zebra', which the federation does not know"],
        "folders:x": ["data 'folders:x' is unknown"],
    }.items():
        started.write_text(text.replace('# data = "folder:test-images"', f'data = "{spec}"'))
        fedloge("cloud", "start", started, "--json").refused(4, *words)
    assert not (started.parent / "coordinator" / "join.json").exists()


def test_a_refused_demo_leaves_the_former_one_alone(fedloge: Fedloge, tmp_path: Path) -> None:
    out = tmp_path / "demo"
    out.mkdir()
    (out / ".fedloge-demo").write_text("")
    (out / "result.json").write_text("precious")
    before = tree(out)
    demo: list[str | Path] = ["demo", "--out", out, "--json"]
    fedloge(*demo, "--data", f"folder:{tmp_path / 'absent'}").refused(4, "is no folder")
    fedloge(*demo, "--backbone", "resnt8").refused(3, "'resnt8'", "resnet8")
    fedloge(*demo, "--broker", "mqtt://user:hunter2@host").refused(3, "credentials in the broker's URL are refused")
    fedloge(*demo, "--broker", "amqp://host").refused(3, "'amqp://host' is no broker's URL")
    fedloge(*demo, "--agents", "100000").refused(3, "cannot be dealt to 100000 clients")
    fedloge(*demo, "--learning-rate", "inf").refused(3, "training.learning_rate is inf")
    assert tree(out) == before


def test_a_demo_replaces_no_folder_that_it_did_not_make(fedloge: Fedloge, tmp_path: Path) -> None:
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "chapter1.tex").write_text("years of work")
    fedloge("demo", "--out", out, "--json").refused(9, f"{out} is not empty and no demo made it", "--out")
    fedloge("demo", "--out", out / "chapter1.tex").refused(9, f"cannot use {out / 'chapter1.tex'}")
    assert tree(out) == {"chapter1.tex": b"years of work"}

"""A federation file that does not fit is refused by the name of its key, before anything is written."""

import re
from pathlib import Path

import pytest

from tests.command_line.conftest import Fedloge, tree

MISTAKES = {
    "an unknown key": (r"^rounds = .*$", "runds = 3", ["runds is no known key", "did you mean rounds?"]),
    "an unknown key of a section": (
        r"^batch_size = .*$",
        "batch_sise = 3",
        ["training.batch_sise is no known key", "did you mean batch_size?"],
    ),
    "an unknown section": (r"^\[report\]$", "[reports]", ["reports is no known key", "did you mean report?"]),
    "a wrong type": (r"^rounds = .*$", 'rounds = "three"', ["rounds: expected `int`, got `str`"]),
    "a wrong type in a section": (r"^momentum = .*$", "momentum = true", ["training.momentum: expected `float`"]),
    "a number out of range": (r"^fraction = .*$", "fraction = 1.5", ["participation.fraction: expected `float` <= 1"]),
    "a number that is none": (r"^learning_rate = .*$", "learning_rate = nan", ["training.learning_rate"]),
    "a number without end": (r"^gamma = .*$", "gamma = inf", ["method.gamma is inf"]),
    "a number in a list without end": (r"^mean = .*$", "mean = [inf]", ["model.mean is inf"]),
    "an integer of 5,000 digits": (r"^seed = .*$", "seed = " + "9" * 5000, ["4300 digits"]),
    "a seed of 20 digits": (r"^seed = .*$", "seed = " + "9" * 20, ["seed: expected `int`"]),
    "a word that is no choice": (r"^mask = .*$", 'mask = "all"', ["method.mask", "'all'"]),
    "a missing key": (r"^federation = .*$", "", ["federation is missing"]),
    "a name that is no topic": (r"^federation = .*$", 'federation = "a/b"', ["federation 'a/b' cannot be used"]),
    "one class": (r"^class_names = .*$", 'class_names = ["cat"]', ["class_names: expected `array` of length >= 2"]),
    "a class twice": (r"^class_names = .*$", 'class_names = ["cat", "dog", "cat"]', ["class_names holds 'cat' twice"]),
    "a class that steers the terminal": (
        r"^class_names = .*$",
        r'class_names = ["cat", "\u001b[2J"]',
        ["class_names holds '\\x1b[2J'"],
    ),
    "counts of other classes": (r"^# class_counts = .*$", "class_counts = [1, 2]", ["class_counts has 2 numbers for"]),
    "means of other channels": (r"^mean = .*$", "mean = [0.5, 0.5]", ["model.mean has 2 numbers for 1 channels"]),
    "padding as large as the image": (r"^crop_padding = .*$", "crop_padding = 999", ["training.crop_padding is 999"]),
    "no TOML": (r"^rounds = .*$", "rounds 3", ["line"]),
    "a key twice": (r"^rounds = .*$", "rounds = 3\nrounds = 4", ["Cannot overwrite a value"]),
    "values nested without end": (r"^seed = .*$", "seed = " + "[" * 5000, ["nested too deeply"]),
    "a broker of another kind": (r"^url = .*$", 'url = "http://host"', ["broker.url", "mqtt://host:port"]),
    "a password in the broker's URL": (
        r"^url = .*$",
        'url = "mqtt://user:hunter2@host"',
        ["broker.url: credentials in the broker's URL are refused", "broker.password_file"],
    ),
    "a backbone that does not exist": (r"^backbone = .*$", 'backbone = "resnt8"', ["'resnt8'", "resnet8"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_before_anything_is_written(fedloge: Fedloge, federation: Path, mistake: str) -> None:
    pattern, line, words = MISTAKES[mistake]
    text, changed = re.subn(pattern, line.replace("\\", r"\\"), federation.read_text(), flags=re.MULTILINE)
    assert changed == 1
    federation.write_text(text)
    done = fedloge("cloud", "start", federation, "--json")
    done.refused(3, *words)
    assert done.out
    assert "hunter2" not in done.err + done.out
    if mistake != "a backbone that does not exist":  # only building it can tell
        assert tree(federation.parent).keys() == {"federation.toml"}


def test_a_federation_file_that_is_missing_a_folder_or_no_text_is_named(fedloge: Fedloge, tmp_path: Path) -> None:
    absent = tmp_path / "absent.toml"
    fedloge("cloud", "start", absent).refused(3, f"cannot read {absent}: No such file", "fedloge cloud init")
    fedloge("cloud", "status", "--file", absent).refused(3, str(absent))
    fedloge("cloud", "start", tmp_path).refused(3, f"cannot read {tmp_path}: Is a directory")
    noise = tmp_path / "noise.toml"
    noise.write_bytes(b"\xff\xfe\x00")
    fedloge("cloud", "start", noise).refused(3, f"cannot read {noise}", "codec can't decode")


def test_settings_that_changed_after_the_start_are_named_and_the_database_is_left_alone(
    fedloge: Fedloge, started: Path
) -> None:
    before = tree(started.parent / "coordinator")
    started.write_text(started.read_text().replace("learning_rate = 0.03", "learning_rate = 0.05"))
    fedloge("cloud", "start", started, "--json").refused(6, ": training.learning_rate was 0.03, is 0.05")
    after = tree(started.parent / "coordinator")
    assert {name: after[name] for name in before if "-" not in name} == {
        n: b for n, b in before.items() if "-" not in n
    }


def test_a_password_file_that_cannot_be_read_is_named(fedloge: Fedloge, started: Path, tmp_path: Path) -> None:
    text = started.read_text().replace('url = "embedded"', 'url = "mqtt://127.0.0.1:1"')
    started.write_text(re.sub("# password_file = .*", f'password_file = "{tmp_path / "absent"}"', text))
    fedloge("cloud", "start", started).refused(3, "broker.password_file", "No such file", "FEDLOGE_BROKER_PASSWORD")

"""The lab's options that do not fit: one line with its remedy and a documented exit code, before anything is run."""

from pathlib import Path

import pytest

from cloud.lab.setting import LabSetting
from tests.command_line.conftest import Fedloge

REFUSED = {
    "lab run --method fedlog": (3, ["'fedlog'", "fedloge"]),
    "lab run --set gama=1": (3, ["'gama'", "gamma"]),
    "lab run --set gamma": (2, ["KEY=VALUE", "'gamma'"]),
    "lab run --set gamma=large": (3, ["method.gamma"]),
    "lab run --set local_prior=7": (3, ["method.local_prior"]),
    "lab run --method fedavg --set personal_rule=phi": (3, ["personal_rule", "fedavg", "psi"]),
    "lab run --method ditto --set generic_rule=etf": (3, ["generic_rule", "ditto"]),
    "lab run --measured-on train": (2, ["measured_on", "train"]),
    "lab compare --measured-on train": (2, ["measured_on", "train"]),
    "lab compare --methods fedloge,fedlog": (3, ["'fedlog'"]),
    "lab compare --methods ,": (3, ["--methods"]),
    "lab compare --seeds 0": (2, ["'--seeds'"]),
    "lab compare --workers 0": (2, ["'--workers'"]),
    "lab run --data nonsense": (4, ["nonsense"]),
    "lab newcomers --share 1": (2, ["'--share'"]),
    "lab newcomers --clients 1": (3, ["leaves none to train"]),
    "lab newcomers --method fedlog": (3, ["'fedlog'"]),
    "lab replay nowhere": (2, ["nowhere", "--images"]),
    "lab replay nowhere --images .": (3, ["nowhere", "cloud init"]),
}


@pytest.mark.parametrize("line", REFUSED)
def test_an_option_that_does_not_fit_is_named(
    fedloge: Fedloge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, words = REFUSED[line]
    fedloge(*line.split()).refused(code, *words)
    fedloge(*line.split(), "--json").refused(code)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_damaged_result_is_refused_by_its_name(fedloge: Fedloge, tmp_path: Path) -> None:
    key = LabSetting(method="fedavg").key()
    (tmp_path / f"{key}.json").write_text("{")
    done = fedloge("lab", "compare", "--methods", "fedavg", "--seeds", "1", "--out", tmp_path, "--table", "--json")
    done.refused(1, f"{key}.json", "move the file away")

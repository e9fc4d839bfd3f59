"""What each machine installs: a device carries no database, no environment carries two runtimes."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

import torch

PROJECT = tomllib.loads((Path(__file__).resolve().parent.parent / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
RUNTIMES = {"onnxruntime", "onnxruntime-gpu"}


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]


def names(extra: str) -> set[str]:
    return {name_of(requirement) for requirement in EXTRAS[extra]}


def test_a_device_carries_neither_the_database_nor_the_broker() -> None:
    carried = names("edge") | names("gpu") | {name_of(requirement) for requirement in PROJECT["dependencies"]}
    assert not carried & {"sqlalchemy", "alembic", "amqtt", "scikit-learn", "scipy", "torchmetrics"}


def test_a_runtime_comes_only_with_the_extra_that_names_it() -> None:
    assert [extra for extra in EXTRAS if names(extra) & RUNTIMES] == ["gpu", "cpu"]
    gpu, plain = EXTRAS["gpu"]
    assert gpu.endswith("; sys_platform != 'darwin'")
    assert plain.endswith("; sys_platform == 'darwin'")


def test_this_environment_has_one_runtime() -> None:
    installed = {str(found.metadata["Name"]).lower() for found in importlib.metadata.distributions()}
    assert len(installed & RUNTIMES) == 1


def test_torch_and_the_runtime_are_pinned_to_the_same_cuda() -> None:
    """torch is built for CUDA 13 from 2.11 on, onnxruntime-gpu from 1.27 on (1.28 names packages that exist)."""
    assert "torch>=2.11" in PROJECT["dependencies"]
    assert EXTRAS["gpu"][0].startswith("onnxruntime-gpu[cuda,cudnn]>=1.28")
    assert torch.version.cuda is None or torch.version.cuda.split(".")[0] == "13"


def test_every_command_is_an_entry_point() -> None:
    points = importlib.metadata.entry_points(group="fedloge.commands")
    assert {point.name for point in points} >= {"cloud", "edge", "export", "demo"}
    assert all(callable(point.load()) for point in points)

"""A bench compares like with like, in turns, and says what it could not run."""

import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from export.bench import Bench, bench, table
from export.bundle import Bundle
from export.footprint import peak_kib
from export.plot import plot
from export.timing import measure, percentile
from shared.output import console


def busy(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def test_contenders_are_timed_in_turns_and_compared_within_a_round() -> None:
    calls: list[str] = []

    def contender(name: str, seconds: float) -> None:
        calls.append(name)
        busy(seconds)

    found = measure(
        {"slow": lambda: contender("slow", 0.004), "fast": lambda: contender("fast", 0.001)},
        batch=8,
        seconds=0.05,
        rounds=3,
    )
    assert calls[:4] == ["slow", "slow", "fast", "fast"]  # two calls each to warm up
    turns = [name for index, name in enumerate(calls[4:]) if index == 0 or calls[4:][index - 1] != name]
    assert turns == ["slow", "fast"] * 3
    slow, fast = found["slow"], found["fast"]
    assert (slow.speedup, slow.cpu_speedup) == (1.0, 1.0)
    assert 3 < fast.cpu_speedup < 5
    assert fast.speedup_lowest <= fast.speedup <= fast.speedup_highest
    assert slow.p50_ms >= 4
    assert slow.p99_ms >= slow.p50_ms
    assert slow.images_per_second <= 8 / 0.004


@pytest.mark.parametrize(("share", "value"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.001, 1)])
def test_a_percentile_is_a_value_that_was_measured(share: float, value: int) -> None:
    assert percentile([float(number) for number in range(100, 0, -1)], share) == value
    assert percentile([3.0], share) == 3.0


@pytest.fixture(scope="module")
def result(bundle: Bundle) -> Bench:
    return bench(bundle, batches=(1, 4), seconds=0.05, compiled=False, memory=False)


def test_every_way_to_run_it_has_a_row_or_a_reason(result: Bench) -> None:
    names = {row.name for row in result.rows}
    assert names >= {"eager", "cpu fp32", "cpu fp16", "cpu int8"}
    for provider, precision in (("cuda", "fp32"), ("cuda", "fp16"), ("tensorrt", "fp32"), ("tensorrt", "fp16")):
        name = f"{provider} {precision}"
        assert name in names or result.not_run[name]
    assert result.not_run["torch.compile"] == "not asked for"
    assert {row.batch for row in result.rows} == {1, 4}
    sizes = {row.name: row.file_bytes for row in result.rows}
    assert sizes["eager"] is None
    assert (sizes["cpu int8"] or 0) < (sizes["cpu fp16"] or 0) < (sizes["cpu fp32"] or 0)


def test_the_table_fits_and_the_picture_is_a_picture(result: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    console().print(table(result))
    shown = capsys.readouterr().out
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= 100
    assert "cpu int8" in shown
    drawn = ET.fromstring(plot(result))
    bars = [part for part in drawn.iter() if part.tag.endswith("rect")]
    assert len(bars) == 1 + len(result.rows)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="not run: this system does not tell peak memory")
def test_peak_memory_grows_with_what_was_held() -> None:
    before = peak_kib()
    held = bytearray(64 * 1024 * 1024)
    held[::4096] = b"x" * len(held[::4096])
    assert peak_kib() >= before
    assert peak_kib() > 64 * 1024

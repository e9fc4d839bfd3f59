"""The table a demo ends with."""

import io

from rich.console import Console

from cloud.demo.closing import closing_table
from cloud.result import ClientResult, Result, summarise_clients
from tests.cloud.demo.sample_result import sample_result


def lines_of(result: Result, *, encoding: str = "utf-8", width: int = 80) -> list[str]:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding=encoding)
    Console(file=out, width=width, color_system=None).print(closing_table(result))
    out.flush()
    return raw.getvalue().decode(encoding).splitlines()


def test_every_client_has_a_row_and_the_mean_comes_last() -> None:
    result = sample_result()
    lines = [line for line in lines_of(result) if line.strip(" |")]
    for client in result.pm.per_client:
        assert sum(client.client in line for line in lines) == 1
    assert "mean" in lines[-2]
    assert all(len(line) <= 80 for line in lines)


def test_the_best_model_of_a_row_is_starred_and_a_tie_stars_both() -> None:
    clients = [
        ClientResult(client="wins", num_images=10, alone=0.5, generic=0.6, personal=0.7),
        ClientResult(client="ties", num_images=10, alone=0.5, generic=0.7, personal=0.7),
        ClientResult(client="loses", num_images=10, alone=0.8, generic=0.6, personal=0.7),
    ]
    rows = {line.split()[0]: line for line in lines_of(Result(pm=summarise_clients(clients))) if line.strip()}
    assert "70.0%*" in rows["wins"]
    assert rows["wins"].count("*") == 1
    assert rows["ties"].count("70.0%*") == 2
    assert "80.0%*" in rows["loses"]
    assert "-10.0" in rows["loses"]


def test_an_ascii_terminal_gets_ascii_only() -> None:
    assert any("client-00" in line for line in lines_of(sample_result(), encoding="ascii"))


def test_what_was_not_measured_is_a_dash_and_not_a_zero() -> None:
    clients = [ClientResult(client="new", num_images=4, generic=0.5)]
    row = next(line for line in lines_of(Result(pm=summarise_clients(clients))) if "new" in line)
    assert row.split() == ["new", "-", "4", "-", "50.0%", "-", "-"]


def test_long_names_fold_and_stay_whole() -> None:
    name = "a-very-long-client-name-with-all-of-the-64-characters-it-may-use"
    clients = [ClientResult(client=name, num_images=4, alone=0.25, generic=0.5, personal=0.5)]
    lines = lines_of(Result(pm=summarise_clients(clients)))
    assert all(len(line) <= 80 for line in lines)
    assert name in "".join(line[:30].split(" ")[1] if line.startswith(" ") else "" for line in lines)

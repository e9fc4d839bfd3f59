import re
import signal
from pathlib import Path

from tests.crash.middle import hold_in_the_middle
from tests.federation import Federation, tiny_settings
from tests.reference import Reference


def test_a_coordinator_killed_in_a_round_and_at_the_end_commits_every_round_once(
    tmp_path: Path, reference: Reference
) -> None:
    with Federation(tmp_path, tiny_settings()) as federation:
        held_in = hold_in_the_middle(federation, "cid")
        assert federation.states(held_in) == {"ana": "accepted", "ben": "accepted", "cid": "waiting"}
        federation.signal("coordinator", signal.SIGKILL)
        federation.signal("cid", signal.SIGCONT)
        federation.start_coordinator()

        federation.until(lambda: state_of(federation) == "finishing", "training is over")
        federation.signal("coordinator", signal.SIGKILL)
        federation.start_coordinator()

        assert federation.run_to_end() == reference.digest
        assert federation.committed() == [1, 2, 3]
        assert commits_told(federation) == ["1", "2", "3"]
        for number in federation.committed():
            assert federation.states(number) == dict.fromkeys(federation.clients, "accepted")
        assert [report.client for report in federation.store.reports()] == federation.clients


def state_of(federation: Federation) -> str:
    row = federation.store.federation()
    return "" if row is None else row.state


def commits_told(federation: Federation) -> list[str]:
    """Return the rounds whose commit the coordinator reported, over all its lives."""
    return re.findall(r"round (\d+)/\d+: \d+ of \d+ updates", federation.said("coordinator"))

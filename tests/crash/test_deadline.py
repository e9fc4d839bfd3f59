import signal
from pathlib import Path

from cloud.settings import ParticipationSettings
from shared.errors import RoundError
from tests.crash.middle import hold_in_the_middle
from tests.federation import Federation, tiny_settings

DEADLINE_SECONDS = 15.0
"""Of a round: short for a test, long enough for agents that load torch's optimisers in it on a busy machine."""


def test_a_round_closes_without_a_stopped_agent_but_not_below_its_quorum_and_resumes(tmp_path: Path) -> None:
    participation = ParticipationSettings(clients=3, quorum=0.6, round_deadline_seconds=DEADLINE_SECONDS)
    with Federation(tmp_path, tiny_settings(rounds=2, participation=participation)) as federation:
        assert hold_in_the_middle(federation, "cid") == 1
        federation.signal("ben", signal.SIGSTOP)

        federation.until(lambda: federation.committed() == [1], "round 1 is closed without cid")
        assert federation.states(1) == {"ana": "accepted", "ben": "accepted", "cid": "missing"}
        first = federation.store.round(1)
        assert first is not None
        assert first.result is not None
        assert first.result.reason == "deadline"

        assert federation.wait("coordinator") == RoundError.exit_code
        said = federation.said("coordinator")
        assert "round 1/2: 2 of 3 updates" in said
        assert "closed without cid" in said
        assert "missing: ben, cid" in said
        assert "start again: the round resumes" in said
        assert federation.states(2) == {"ana": "accepted", "ben": "waiting", "cid": "waiting"}

        federation.signal("ben", signal.SIGCONT)
        federation.signal("cid", signal.SIGCONT)
        federation.start_coordinator()
        federation.until(lambda: federation.committed() == [1, 2], "round 2 is committed, too")
        assert federation.states(2) == dict.fromkeys(federation.clients, "accepted")

import signal
from pathlib import Path

from tests.crash.middle import hold_in_the_middle
from tests.federation import Federation, tiny_settings
from tests.reference import Reference


def test_agents_killed_before_and_after_they_answered_and_started_again_give_the_same_model(
    tmp_path: Path, reference: Reference
) -> None:
    with Federation(tmp_path, tiny_settings()) as federation:
        hold_in_the_middle(federation, "cid")
        for client in ("ben", "cid"):  # one has answered, one has not
            federation.signal(client, signal.SIGKILL)
            federation.start_agent(client)
        federation.until(lambda: federation.committed() == [1, 2, 3], "every round is committed")
        assert federation.digest() == reference.digest
        for number in federation.committed():
            assert federation.states(number) == dict.fromkeys(federation.clients, "accepted")

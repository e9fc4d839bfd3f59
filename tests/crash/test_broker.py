import signal
from pathlib import Path

import psutil

from tests.crash.middle import hold_in_the_middle
from tests.federation import Federation, tiny_settings
from tests.reference import Reference


def test_a_broker_killed_in_a_round_is_started_again_and_changes_nothing(tmp_path: Path, reference: Reference) -> None:
    with Federation(tmp_path, tiny_settings()) as federation:
        hold_in_the_middle(federation, "cid")
        (broker,) = psutil.Process(federation.processes["coordinator"].pid).children()
        assert "cloud.broker" in broker.cmdline()
        broker.send_signal(signal.SIGKILL)
        federation.until(lambda: "broker died and is started again" in federation.said("coordinator"), "it is noticed")
        federation.signal("cid", signal.SIGCONT)
        assert federation.run_to_end() == reference.digest
        assert federation.committed() == [1, 2, 3]

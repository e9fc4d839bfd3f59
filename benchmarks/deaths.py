"""Death at every crash point by a real SIGKILL of a real process, over a real broker: what does it change?

Run:  python -m benchmarks.deaths

The tests do the same with the state dropped in memory, which is faster, and kill two dozen times for real. Here every
point that an undisturbed run passes kills, one after another, and what the federation leaves (digests, record, heads,
files) is compared with what an undisturbed one leaves.
"""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.brokers import Embedded
from tests.crash.killable import Killable
from tests.crash.mortal import Mortal
from tests.crash.outcome import outcome_of
from tests.crash.points import Point
from tests.crash.undisturbed import points_of_an_undisturbed_run

RESULTS = Path(__file__).parent / "results" / "deaths"
SECONDS_PER_DEATH = 30.0
"""A death and the next life take about two; one that takes this long hangs."""


def killed(folder: Path, broker: Embedded, points: list[Point], *, rounds: int, settle: bool) -> dict[str, Any]:
    """Kill at each of the points, in order; say what came of it."""
    begin = time.monotonic()
    with Killable(
        folder / "killed",
        broker.endpoint,
        rounds=rounds,
        script=points,
        settle_until=len(points) if settle else 0,
        limit_seconds=60.0 + SECONDS_PER_DEATH * len(points),
    ) as federation:
        federation.run()
        with Mortal(folder / "undisturbed", rounds=rounds) as undisturbed:
            undisturbed.run()
            same = outcome_of(federation) == outcome_of(undisturbed)
        return {
            "points": [str(point) for point in points],
            "deaths": federation.deaths,
            "rounds": rounds,
            "as_undisturbed": same,
            "seconds": round(time.monotonic() - begin, 1),
        }


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what all runs come to."""
    return {
        "points": sum(len(run["points"]) for run in runs),
        "deaths": sum(run["deaths"] for run in runs),
        "as_undisturbed": all(run["as_undisturbed"] for run in runs),
        "runs": runs,
    }


def main() -> None:
    """Run and keep the result."""
    path = RESULTS / "sigkill.json"
    RESULTS.mkdir(parents=True, exist_ok=True)
    runs = json.loads(path.read_text())["runs"] if path.exists() else []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        points = points_of_an_undisturbed_run(folder / "points")
        broker = Embedded(folder)
        try:
            training = len(points.training)
            groups = [(points.training, training + 3, True), *((half, 2, False) for half in points.halves())]
            for number, (group, rounds, settle) in list(enumerate(groups))[len(runs) :]:
                runs.append(killed(folder / str(number), broker, group, rounds=rounds, settle=settle))
                path.write_text(json.dumps(summary(runs), indent=1) + "\n")
                print(f"{runs[-1]['deaths']} of {len(group)} deaths, as undisturbed: {runs[-1]['as_undisturbed']}")
        finally:
            broker.stop()
    found = summary(runs)
    print(f"{found['deaths']} deaths at {found['points']} points, as undisturbed: {found['as_undisturbed']}")


if __name__ == "__main__":
    main()

"""One demo from start to end; whatever happens, no process is left behind."""

import time

from cloud.demo.children import Children
from cloud.demo.display import open_display
from cloud.demo.gather import gather
from cloud.demo.options import DemoOptions
from cloud.demo.prepare import prepare
from cloud.demo.report import render
from cloud.demo.watch import Watcher
from cloud.result import Result, write_result
from cloud.store.sql import open_reader
from shared.blobs import write_durably

LOOK_SECONDS = 0.3
"""Between two looks at the database: quick for the eye, cheap for the machine."""

LEAVE_SECONDS = 20.0
"""Time for agents to leave after their goodbye."""


def run_demo(options: DemoOptions) -> Result:
    """Run broker, coordinator and agents to the end, and write ``result.json`` and ``report.html``.

    Raises:
        FedlogeError: A process failed, or the images or the folder cannot be used.
    """
    started = time.monotonic()
    with open_display(options.rounds) as display:
        display.stage(f"dealing {options.data} to {options.agents} clients")
        prepared = prepare(options)
        children = Children(logs=options.out / "logs")
        try:
            display.stage("starting broker, coordinator and agents")
            children.start(prepared)
            store = open_reader(prepared.paths.database)
            watcher = Watcher(store, display)
            while children.running():
                children.check()
                watcher.look()
                time.sleep(LOOK_SECONDS)
            children.check()
            watcher.look()
            children.wait_for_agents(LEAVE_SECONDS)
        finally:
            children.stop()
        result = gather(store, options, prepared, time.monotonic() - started)
        store.close()
        write_result(result, options.out / "result.json")
        write_durably(options.out / "report.html", render(result).encode())
        display.closing(result)
    return result

"""No wait in the product is without an end and a reason: the source is searched for calls that block."""

import ast
from pathlib import Path

from tests.test_architecture import ROOT, sources

BLOCKING = {
    "wait",
    "sleep",
    "take",
    "poll",
    "receive",
    "get",
    "acquire",
    "join",
    "recv",
    "accept",
    "communicate",
    "result",
}
"""Methods that block, where they do not mean something else."""

WAITS = {
    "cloud/broker.py:serve": "broker: until it is told to end; the lifeline ends it with its parent",
    "cloud/chaos/proxy.py:__enter__": "proxy: until it listens, _START_SECONDS",
    "cloud/chaos/proxy.py:__exit__": "proxy: until it has ended, _START_SECONDS",
    "cloud/chaos/proxy.py:_flap": "proxy: the profile's turns",
    "cloud/chaos/proxy.py:_take_turns": "proxy: the profile's turns",
    "cloud/chaos/proxy.py:_serve": "proxy: until the profile's silence or one end of the connection ends",
    "cloud/chaos/proxy.py:_deliver": "proxy: until there are bytes to deliver, or their connection ends",
    "cloud/chaos/run.py:_run": "chaos: until the federation ends, limit_seconds",
    "cloud/coordinator.py:_farewell": "final-reports: until agents have left, FAREWELL_SECONDS",
    "cloud/coordinator.py:_serve": "clients-to-join, updates, final-reports: the phase's deadline",
    "cloud/demo/children.py:_await_join_file": "demo: START_SECONDS",
    "cloud/demo/children.py:wait_for_agents": "demo: the caller's seconds",
    "cloud/demo/run.py:run_demo": "demo: while the coordinator runs, whose phases have deadlines",
    "cloud/embedded.py:_await_service": "broker: CONNECT_SECONDS",
    "cloud/embedded.py:_settle_account": "broker: a killed one's port, _RELEASE_SECONDS",
    "cloud/store/lock.py:coordinator_lock": "another coordinator: WAIT_SECONDS",
    "cloud/lab/sweep.py:_watch": "lab: LOOK_SECONDS, while worker processes run",
    "cloud/lab/turns.py:receive": "lab: never, it takes what is there",
    "edge/agent.py:step": "the coordinator's word: a second at a time, patience_seconds in all",
    "edge/serving/predictor.py:_load": "serving: files of a first model that belong together, SETTLING_SECONDS",
    "edge/serving/predictor.py:_refreshed": "serving: another caller's first load, LOAD_SECONDS",
    "shared/exchange.py:poll": "a message: the caller's seconds",
    "shared/inbox.py:take": "a message: the caller's seconds",
    "shared/memory.py:receive": "a message: the caller's seconds",
    "shared/mqtt.py:open": "broker: CONNECT_SECONDS",
    "shared/mqtt.py:receive": "a message: the caller's seconds",
    "shared/unsent.py:_await_progress": "room among unsent messages: PUBLISH_SECONDS or DRAIN_SECONDS, in small steps",
    "shared/lifeline.py:_watch": "a clean end of this process: _GRACE_SECONDS",
    "shared/lifeline.py:end": "a child's end: grace_seconds, then SIGKILL, which nothing survives",
}
"""Every function that waits, for what, and until when."""


def waits(path: Path) -> dict[str, list[ast.Call]]:
    """Return the calls that block, by the function they stand in."""
    found: dict[str, list[ast.Call]] = {}
    for function in ast.walk(ast.parse(path.read_text())):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            calls = [node for node in ast.walk(function) if isinstance(node, ast.Call) and blocks(node)]
            if calls:
                found[f"{path.relative_to(ROOT)}:{function.name}"] = calls
    return found


def blocks(call: ast.Call) -> bool:
    """Tell whether a call waits: by its name, and by arguments where the name has other meanings."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in BLOCKING:
        return False
    owner, name = ast.unparse(call.func.value), call.func.attr
    timed = any(keyword.arg == "timeout" for keyword in call.keywords)
    meanings = {
        "get": timed or owner == "waiting",
        "join": "thread" in owner,
        "result": "run_coroutine_threadsafe" in owner,
        "poll": bool(call.args),
        "take": "inbox" in owner,
        "receive": bool(call.args),
        "accept": not call.args,
    }
    return meanings.get(name, True)


def bounded(call: ast.Call) -> bool:
    """Tell whether a call is given an end: a time, or a name for one."""
    return bool(call.args) or any(keyword.arg in {"timeout", "timeout_seconds"} for keyword in call.keywords)


WITHOUT_A_TIME = {
    "cloud/broker.py:serve",
    "cloud/chaos/proxy.py:_deliver",
    "cloud/chaos/proxy.py:_serve",
    "cloud/store/lock.py:coordinator_lock",
    "shared/lifeline.py:end",
}
"""Functions with a call that is given no time itself; ``WAITS`` says what ends it."""


def test_every_wait_is_listed_with_its_reason_and_its_end() -> None:
    found = {name for path in sources() for name in waits(path)}
    assert found == set(WAITS)


def test_every_wait_but_a_few_is_given_a_time() -> None:
    found = {
        name for path in sources() for name, calls in waits(path).items() if not all(bounded(call) for call in calls)
    }
    assert found == WITHOUT_A_TIME


def test_the_search_bites() -> None:
    tree = ast.parse("import threading, time\nthreading.Event().wait()\nqueue.get(timeout=3)\nd.get(key)\n")
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and blocks(node)]
    assert [(ast.unparse(call.func), bounded(call)) for call in calls] == [
        ("threading.Event().wait", False),
        ("queue.get", True),
    ]

"""A reader beside a writing coordinator sees committed states only, and never holds the writer up."""

import os
import threading

from cloud.store.contract import RoundStore
from shared.errors import StoreError
from tests.stores import CLIENTS, Database, accepted, plan, result, started
from tests.waiting import wait_until

ROUNDS = 25


def run_rounds(store: RoundStore) -> None:
    for number in range(1, ROUNDS + 1):
        store.begin(plan(number))
        for client in CLIENTS[:2]:
            store.record_update(number, accepted(client, num_examples=number))
        store.commit(result(number))


def check(store: RoundStore) -> int:
    """Return how many rounds are committed, having checked that what is seen could be a state between two methods."""
    rows = store.rounds()
    assert [row.plan.round_number for row in rows] == list(range(1, len(rows) + 1))
    assert all(row.state == "committed" for row in rows[:-1])
    for row in rows:
        states = [part.state for part in row.participants]
        assert len(states) == len(CLIENTS)
        if row.state == "committed":
            assert row.result == result(row.plan.round_number)
            assert states == ["accepted", "accepted", "missing"]
        else:
            assert row.result is None
            assert "missing" not in states
    last = store.last_committed()
    assert last.round_number == 0 or last == result(last.round_number)
    federation = store.federation()
    assert federation is not None
    assert federation.bytes_up % (100 * len(CLIENTS)) == 0
    return sum(row.state == "committed" for row in rows)


def test_a_reader_in_another_process_sees_whole_rounds_only(durable_database: Database) -> None:
    store = durable_database.open()
    started(store)
    store.close()
    writer = os.fork()
    if writer == 0:
        try:
            run_rounds(durable_database.open())
        except BaseException:  # noqa: BLE001 - a fork must not return into pytest
            os._exit(3)
        os._exit(0)
    reader = durable_database.open_reader()
    seen: set[int] = set()

    def look() -> bool:
        seen.add(check(reader))
        return seen >= {ROUNDS}

    wait_until(look, "the writer's last round", seconds=60.0)
    assert os.waitstatus_to_exitcode(os.waitpid(writer, 0)[1]) == 0
    assert len(seen) > 1  # it did look while rounds were written
    reader.close()


def test_two_threads_share_one_store(durable_database: Database) -> None:
    store = durable_database.open()
    started(store)
    writer = threading.Thread(target=run_rounds, args=(store,))
    writer.start()
    while writer.is_alive():
        check(store)
    writer.join()
    assert check(store) == ROUNDS
    store.close()


def test_a_reader_amid_its_reading_does_not_hold_the_writer_up(durable_database: Database) -> None:
    store = durable_database.open()
    started(store)
    reader = durable_database.open_reader()
    with reader._reading() as session:  # type: ignore[attr-defined]
        session.connection().exec_driver_sql("SELECT count(*) FROM rounds").scalar_one()
        store.begin(plan(1))
        count = session.connection().exec_driver_sql("SELECT count(*) FROM rounds").scalar_one()
        assert count == 1  # its snapshot
    assert len(reader.rounds()) == 1
    reader.close()
    store.close()


def test_two_writers_wait_for_each_other_and_neither_fails(durable_database: Database) -> None:
    """The lock allows one coordinator; an operator's shell may still write beside it."""
    store, other = durable_database.open(), durable_database.open()
    started(store)
    failures: list[Exception] = []

    def count(writer: RoundStore) -> None:
        try:
            for _ in range(40):
                writer.add_bytes(0, up={"anna": 1}, down={"anna": 0})
        except StoreError as error:
            failures.append(error)

    threads = [threading.Thread(target=count, args=(writer,)) for writer in (store, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    federation = store.federation()
    assert federation is not None
    assert federation.bytes_up == 80
    store.close()
    other.close()

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""What happens to many commands at once is committed together, and yet each is judged by itself."""

import contextlib
import signal

import pytest
import requests

from harness import prometheus
from harness.background import Background
from harness.settings import SLOWNESS
from harness.wait import wait_until

MANY = 60


@pytest.fixture
def own(new_site, new_database_server):
    """An installation with a database server of its own, which can be held up."""
    return new_site(new_database_server())


@contextlib.contextmanager
def held_up(site):
    """What is to be written gathers meanwhile, behind the first."""
    site.server.process.freeze()
    try:
        yield
    finally:
        site.server.process.signal(signal.SIGCONT)


def order(site, worker):
    return site.rest.ok("POST", f"/workers/{worker.worker_id}/commands", 202,
                        json={"type": "report"})["command_id"]


def rows_of(site, worker):
    return {row["id"]: row for row in site.database.query(
        "SELECT * FROM commands WHERE worker_id = %s", worker.worker_id)}


def audit_of(site, worker):
    """(event, command id) of each row about a command."""
    return [(row["event"], row["id"]) for row in site.database.query(
        "SELECT event, JSON_VALUE(detail, '$.command_id') id FROM token_log"
        " WHERE worker_id = %s AND event LIKE 'command%%' ORDER BY id", worker.worker_id)]


def figure(site, name):
    text = requests.get(site.bridge.url + "/metrics", timeout=10 * SLOWNESS).text
    return prometheus.parse(text)[name].value()


def statements(site):
    return figure(site, "rollcall_database_statements_total")


def acknowledged(worker, count):
    """(acknowledged ids, [(rejected id, code)]) of the next `count` that are answered."""
    good, bad = [], []
    while len(good) + len(bad) < count:
        ack = worker.receive("results/ack")
        good += ack["command_ids"]
        bad += [(r["command_id"], r["code"]) for r in ack["rejected"]]
    return good, bad


def test_results_that_come_together_are_committed_together(own):
    worker = own.online("ws-5")
    ids = [order(own, worker) for _ in range(MANY)]
    before = statements(own)
    with held_up(own):
        for number, command_id in enumerate(ids):
            worker.answer(command_id, "done", result=number)
    good, bad = acknowledged(worker, MANY)
    assert sorted(good) == sorted(ids) and not bad
    # One by one each takes three, beside BEGIN and COMMIT.
    assert statements(own) - before < MANY
    rows = rows_of(own, worker)
    assert [(rows[i]["state"], rows[i]["result"]) for i in ids] == [
        ("done", str(number)) for number in range(MANY)]
    assert all(rows[i]["sent_at"] <= rows[i]["done_at"] for i in ids)
    trail = audit_of(own, worker)
    assert sorted(i for event, i in trail if event == "command_done") == sorted(ids)


def test_orders_that_come_together_are_committed_together(own):
    workers = [own.online("tcp-5") for _ in range(3)]
    before = statements(own)
    with held_up(own):
        requests = [Background(own.rest, f"/workers/{worker.worker_id}/start", {"n": n})
                    for n in range(MANY // 3) for worker in workers]
        wait_until(lambda: figure(own, "rollcall_http_connections") >= MANY, 10,
                   "all of them have been asked for")
    ids = [request.answer(202)["command_id"] for request in requests]
    assert len(set(ids)) == MANY
    assert statements(own) - before < 2 * MANY  # one by one: four, beside BEGIN and COMMIT
    for worker in workers:
        rows = rows_of(own, worker)
        assert {row["state"] for row in rows.values()} == {"sent"} and len(rows) == MANY // 3
        got = {worker.receive("commands")["command_id"] for _ in rows}
        assert got == set(rows)
        assert sorted(audit_of(own, worker)) == sorted(("command", i) for i in rows)
        desired = own.database.query("SELECT desired_engine_status status, desired_command id"
                                     " FROM workers WHERE id = %s", worker.worker_id)[0]
        assert desired["status"] == "running" and desired["id"] in rows


def test_each_of_a_group_is_judged_by_itself(own):
    worker, other = own.online("ws-5"), own.online("ws-5")
    done, twice, steps, backwards, cancelled, foreign, changed = (
        order(own, other if n == 5 else worker) for n in range(7))
    own.rest.ok("DELETE", f"/workers/{worker.worker_id}/commands/{cancelled}", 200)
    with held_up(own):
        worker.answer(done, "done", result=1)
        worker.answer(twice, "done", result="once")
        worker.answer(twice, "done", result="again")
        worker.answer(steps, "accepted")
        worker.answer(steps, "failed", error="no oil")
        worker.answer(backwards, "done")
        worker.answer(backwards, "accepted")
        worker.answer(cancelled, "done")
        worker.answer(foreign, "done")
        worker.answer(changed, "failed", error="first")
        worker.answer(changed, "done")
    good, bad = acknowledged(worker, 11)
    assert sorted(good) == sorted([done, twice, twice, steps, steps, backwards, backwards,
                                   changed, changed])
    assert sorted(bad) == sorted([(cancelled, "CONFLICT"), (foreign, "NOT_FOUND")])
    rows = rows_of(own, worker) | rows_of(own, other)
    assert {name: (rows[i]["state"], rows[i]["result"], rows[i]["error"]) for name, i in
            {"done": done, "twice": twice, "steps": steps, "backwards": backwards,
             "cancelled": cancelled, "foreign": foreign, "changed": changed}.items()} == {
        "done": ("done", "1", None), "twice": ("done", '"once"', None),
        "steps": ("failed", None, "no oil"), "backwards": ("done", None, None),
        "cancelled": ("cancelled", None, None), "foreign": ("sent", None, None),
        "changed": ("failed", None, "first")}
    assert rows[steps]["accepted_at"] is not None and rows[backwards]["accepted_at"] is None
    reports = [(event, i) for event, i in audit_of(own, worker)
               if event not in ("command", "command_cancelled")]
    assert sorted(reports) == sorted([
        ("command_done", done), ("command_done", twice), ("command_accepted", steps),
        ("command_failed", steps), ("command_done", backwards), ("command_failed", changed)])


def test_that_it_was_sent_is_written_with_the_end(own):
    """Who waits for the end hears of that; the row has both times all the same."""
    worker = own.online("ws-5")
    request = Background(own.rest, f"/workers/{worker.worker_id}/start?wait=10")
    command_id = worker.receive("commands")["command_id"]
    worker.answer(command_id, "done")
    assert request.answer(200)["state"] == "done"
    row = rows_of(own, worker)[command_id]
    assert row["state"] == "done" and row["sent_generation"] == 1
    assert row["created_at"] <= row["sent_at"] <= row["done_at"]


def test_that_it_was_sent_is_written_while_somebody_waits(own):
    worker = own.online("ws-5")
    request = Background(own.rest, f"/workers/{worker.worker_id}/start?wait=10")
    command_id = worker.receive("commands")["command_id"]
    wait_until(lambda: rows_of(own, worker)[command_id]["state"] == "sent", 5, "it is noted")
    worker.answer(command_id, "failed", error="no")
    assert request.answer(200)["state"] == "failed"

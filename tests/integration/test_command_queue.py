# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Commands that are kept for a worker that is away: sent at each new session until somebody
accepts them, or they expire."""

import contextlib

import pytest

from harness.bridge import Bridge
from harness.listener import Listener
from harness.rest import Rest
from harness.wait import wait_until


def path_of(worker, *more):
    return "/".join([f"/workers/{worker.worker_id}/commands", *more])


def keep(rest, worker, status=202, **body):
    return rest.ok("POST", path_of(worker), status,
                   json={"type": "report", "queue": True, **body})


def state_of(rest, worker, command_id):
    return rest.get(path_of(worker, command_id))["state"]


def wait_state(rest, worker, command_id, state, timeout=5):
    wait_until(lambda: state_of(rest, worker, command_id) == state, timeout,
               f"{command_id} is {state}")


@pytest.fixture
def away(site, rest):
    """A worker that has not connected yet."""
    return site.worker(rest.register(), "ws-5")


def received(worker, n=1, timeout=5):
    return [worker.receive("commands", timeout)["command_id"] for _ in range(n)]


def come(worker):
    return worker.connect()


# ---- delivery --------------------------------------------------------------------------------


def test_it_waits_for_the_worker(rest, away):
    answer = keep(rest, away, payload={"x": 1})
    assert (answer["success"], answer["state"]) == (True, "queued")
    come(away)
    assert away.receive("commands")["payload"] == {"x": 1}
    wait_state(rest, away, answer["command_id"], "sent")
    away.answer(answer["command_id"], "done")
    wait_state(rest, away, answer["command_id"], "done")
    command = rest.get(path_of(away, answer["command_id"]))
    assert command["queue"] is True
    assert command["queued_at"] <= command["sent_at"] <= command["done_at"]


def test_several_come_in_their_order(rest, away):
    ids = [keep(rest, away)["command_id"] for _ in range(12)]
    come(away)
    assert received(away, 12) == ids


def test_a_worker_that_is_there_gets_it_at_once_and_once(rest, away):
    come(away)
    rest.wait_connected(away.worker_id)
    answer = keep(rest, away)
    assert answer["state"] == "sent"
    assert received(away) == [answer["command_id"]]
    other = keep(rest, away)["command_id"]
    assert received(away) == [other]


def test_each_new_session_gets_it_until_it_is_accepted(rest, away):
    command_id = keep(rest, away)["command_id"]
    for _ in range(3):
        come(away)
        assert received(away) == [command_id]
    away.answer(command_id, "accepted")
    wait_state(rest, away, command_id, "accepted")
    come(away)
    marker = keep(rest, away)["command_id"]
    assert received(away) == [marker]


def test_a_second_session_gets_it_too(site, rest, away):
    command_id = keep(rest, away)["command_id"]
    come(away)
    assert received(away) == [command_id]
    wait_state(rest, away, command_id, "sent")
    second = site.worker((away.worker_id, away.token), "tcp-5", "b").connect()
    assert received(second) == [command_id]


def test_a_session_of_that_name_gets_it(site, rest, away):
    command_id = keep(rest, away, target=f"{away.worker_id}.b")["command_id"]
    come(away)
    rest.wait_connected(away.worker_id)
    assert state_of(rest, away, command_id) == "queued"
    second = site.worker((away.worker_id, away.token), "tcp-5", "b").connect()
    assert received(second) == [command_id]
    wait_state(rest, away, command_id, "sent")
    assert away.wire.received_so_far() == []


def test_wait_spans_the_workers_absence(rest, away):
    from harness.background import Background
    request = Background(rest, path_of(away) + "?wait=20", {"type": "t", "queue": True})
    come(away)
    (command_id,) = received(away)
    away.answer(command_id, "done", result=9)
    assert request.answer(200)["result"] == 9


# ---- what ends it ----------------------------------------------------------------------------


def test_one_that_was_taken_back_is_never_delivered(rest, away):
    first, second, third = (keep(rest, away)["command_id"] for _ in range(3))
    rest.ok("DELETE", path_of(away, second), 200)
    come(away)
    assert received(away, 2) == [first, third]
    rest.ok("DELETE", path_of(away, third), 200)
    come(away)
    assert received(away) == [first]
    marker = keep(rest, away)["command_id"]
    assert received(away) == [marker]


def test_one_that_has_expired_is_never_delivered(rest, away):
    short = keep(rest, away, ttl_seconds=1)["command_id"]
    long = keep(rest, away)["command_id"]
    wait_state(rest, away, short, "expired", 3)
    come(away)
    assert received(away) == [long]
    command = rest.get(path_of(away, short))
    assert command["sent_at"] is None and command["expired_at"] >= command["expires_at"]


def test_by_default_it_is_kept_for_a_day(rest, away):
    def life(command_id):
        command = rest.get(path_of(away, command_id))
        return command["expires_at"][:10] > command["created_at"][:10]
    assert life(keep(rest, away)["command_id"])


def test_a_revoked_worker_gets_none(rest, away):
    rest.post(f"/workers/{away.worker_id}/revoke")
    rest.fails("POST", path_of(away), 409, "WORKER_REVOKED", json={"type": "t", "queue": True})


def test_not_too_many_wait_for_one_worker(site, rest, away):
    site.database.query(
        "INSERT INTO commands (id, worker_id, type, payload, target, created_at, expires_at, queue,"
        " kept_for) SELECT CONCAT('cmd_', LPAD(seq, 26, '0')), %s, 't', '{}', 'any',"
        " UTC_TIMESTAMP(3), '2100-01-01', 1, %s FROM seq_1_to_499",
        away.worker_id, away.worker_id)
    keep(rest, away)
    rest.fails("POST", path_of(away), 409, "COMMAND_QUEUE_FULL", json={"type": "t", "queue": True})
    site.database.query("DELETE FROM commands WHERE worker_id = %s", away.worker_id)


# ---- restarts --------------------------------------------------------------------------------


def test_it_survives_the_restart_of_every_part(new_site, new_database_server):
    site = new_site(new_database_server())
    rest = site.rest
    away = site.worker(rest.register(), "tcp-5")
    ids = []

    def more():
        ids.append(keep(rest, away, idempotency_key=str(len(ids)))["command_id"])
    more()
    site.bridge.kill9()
    site.bridge.start()
    more()
    site.broker.kill9()
    more()  # the broker is not needed for it
    site.broker.start()
    site.server.kill9()
    site.server.start()
    site.bridge.wait_ready()
    more()
    come(away)
    assert received(away, len(ids), 10) == ids
    # Each of them again after each restart, until it is accepted.
    site.bridge.kill9()
    site.bridge.start()
    come(away)
    assert received(away, len(ids), 10) == ids
    away.answer(ids[0], "accepted")
    wait_state(rest, away, ids[0], "accepted")
    site.broker.kill9()
    site.broker.start()
    come(away)
    assert received(away, len(ids) - 1, 10) == ids[1:]


def test_what_a_bridge_did_not_live_to_send_is_sent_by_the_next(new_site):
    """As if it had died between its note that it sends the command, and the sending."""
    site = new_site()
    worker = site.online("tcp-5")
    site.bridge.kill9()
    site.database.query(
        "INSERT INTO commands (id, worker_id, type, payload, target, created_at, expires_at, queue,"
        " kept_for, offered_generation, offered_at) VALUES"
        " ('cmd_01ARZ3NDEKTSV4RRFFQ69G5FAV', %s, 't', '{}', 'any', UTC_TIMESTAMP(3),"
        " '2100-01-01', 1, %s, 1, UTC_TIMESTAMP(3) - INTERVAL 4 SECOND)",
        worker.worker_id, worker.worker_id)
    site.bridge.start()
    assert received(worker, timeout=12) == ["cmd_01ARZ3NDEKTSV4RRFFQ69G5FAV"]


def test_what_was_not_kept_and_never_sent_expires_at_its_time(new_site):
    """As if the bridge had died between the recording and the sending."""
    site = new_site()
    worker = site.online("tcp-5")
    site.bridge.kill9()
    site.database.query(
        "INSERT INTO commands (id, worker_id, type, payload, target, created_at, expires_at) VALUES"
        " ('cmd_01ARZ3NDEKTSV4RRFFQ69G5FAV', %s, 't', '{}', 'any', UTC_TIMESTAMP(3),"
        " UTC_TIMESTAMP(3) + INTERVAL 4 SECOND)", worker.worker_id)
    site.bridge.start()
    wait_state(site.rest, worker, "cmd_01ARZ3NDEKTSV4RRFFQ69G5FAV", "expired", 12)
    command = site.rest.get(path_of(worker, "cmd_01ARZ3NDEKTSV4RRFFQ69G5FAV"))
    assert command["sent_at"] is None and command["expired_at"] >= command["expires_at"]
    assert worker.wire.received_so_far() == []


def test_a_deleted_workers_commands_are_taken_back(site, rest, away):
    """As if each had been taken back by hand: who listens, who waits and the audit trail are
    told. What was accepted goes on."""
    other = keep(rest, site.worker(rest.register(), "tcp-5"))["command_id"]
    accepted = keep(rest, away)["command_id"]
    come(away)
    received(away)
    away.answer(accepted, "accepted")
    wait_state(rest, away, accepted, "accepted")
    away.disconnect()
    rest.wait_connected(away.worker_id, False)
    ids = [keep(rest, away)["command_id"] for _ in range(2)]
    with contextlib.closing(Listener(rest, types="command,worker")) as listener:
        rest.ok("DELETE", f"/workers/{away.worker_id}", 200)
        listener.wait("worker", worker_id=away.worker_id, change="deleted")
        told = listener.found("command")
        assert sorted(e.data["command_id"] for e in told) == sorted(ids)
        assert {e.data["state"] for e in told} == {"cancelled"}
    rows = {row["id"]: row for row in site.database.query("SELECT * FROM commands")}
    assert {(rows[i]["state"], rows[i]["kept_for"]) for i in ids} == {("cancelled", None)}
    assert rows[accepted]["state"] == "accepted" and rows[other]["state"] == "queued"
    trail = rest.get(f"/workers/{away.worker_id}/events", types="command_cancelled")
    assert sorted(e["detail"]["command_id"] for e in trail) == sorted(ids)
    assert {e["actor"] for e in trail} == {"admin"}


def test_two_bridges_send_it_once_a_session(new_site, new_directory):
    site = new_site()
    second = Bridge(new_directory("second"), site.broker, site.database, "bridge-2").start()
    rests = [site.rest, Rest(second.url).login()]
    worker = site.worker(site.rest.register(), "tcp-5")
    wait_until(lambda: rests[1].get("/workers", id=worker.worker_id))
    ids = [keep(rests[n % 2], worker)["command_id"] for n in range(6)]
    for _ in range(3):
        come(worker)
        assert received(worker, 6) == ids
    rests[0].wait_connected(worker.worker_id)
    rests[1].wait_connected(worker.worker_id)
    marker = keep(rests[1], worker)["command_id"]
    assert received(worker) == [marker]
    assert worker.wire.received_so_far() == []
    second.kill9()
    come(worker)
    assert received(worker, 7, 10) == [*ids, marker]
    rests[1].session.close()

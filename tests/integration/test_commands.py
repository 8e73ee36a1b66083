# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Commands to workers: send, start, stop, what the worker answers, and who may answer."""

import pytest

from harness.background import Background
from harness.identity import new_worker_id
from harness.wait import wait_until


@pytest.fixture
def worker(site):
    return site.online("ws-5")


def start(rest, worker, body=None, verb="start", **query):
    return rest.ok("POST", f"/workers/{worker.worker_id}/{verb}", 202, json=body or {},
                   params=query)


def row_of(site, command_id):
    return site.database.query("SELECT * FROM commands WHERE id = %s", command_id)[0]


def wait_row(site, command_id, state):
    def reached():
        row = row_of(site, command_id)
        return row if row["state"] == state else None
    return wait_until(reached, 5, f"{command_id} is {state}")


# ---- send ------------------------------------------------------------------------------------


def test_send_delivers_verbatim_and_leaves_no_record(site, rest, worker):
    before = site.database.value("SELECT COUNT(*) FROM commands")
    for message in ("plain words", '{"a":  1}', "ü" * 500):
        answer = rest.post(f"/workers/{worker.worker_id}/send", {"message": message})
        assert answer["success"] is True
        assert worker.wire.receive(worker.topic("commands")).payload.decode() == message
    assert site.database.value("SELECT COUNT(*) FROM commands") == before


def test_send_reaches_all_sessions_or_the_one_that_is_named(site, rest, worker):
    second = site.worker((worker.worker_id, worker.token), "tcp-5", "b").connect()
    wait_until(lambda: rest.worker(worker.worker_id)["connection"]["sessions"] == 2)
    rest.post(f"/workers/{worker.worker_id}/send", {"message": "both"})
    rest.post(f"/workers/{worker.worker_id}/send",
              {"message": "second", "target": second.client_id})
    assert second.wire.receive().payload == b"both"
    assert second.wire.receive().payload == b"second"
    assert worker.wire.receive().payload == b"both"
    assert worker.wire.received_so_far() == []


def test_send_to_nobody(rest):
    identity = rest.register()
    rest.fails("POST", f"/workers/{identity.worker_id}/send", 409, "WORKER_NOT_CONNECTED",
               json={"message": "x"})


# ---- start, stop -----------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["start", "stop"])
def test_a_start_and_a_stop_reach_the_worker(site, rest, worker, verb):
    answer = start(rest, worker, {"mode": "slow", "n": [1, 2]}, verb)
    assert (answer["success"], answer["state"]) == (True, "sent")
    assert answer["command_id"].startswith("cmd_") and len(answer["command_id"]) == 30
    assert answer["message"]
    command = worker.receive("commands")
    assert command["command_id"] == answer["command_id"]
    assert command["type"] == f"engine_{verb}"
    assert command["payload"] == {"mode": "slow", "n": [1, 2]}
    assert command["expires_at"].endswith("Z")
    row = row_of(site, answer["command_id"])
    assert (row["state"], row["type"], row["created_by"]) == ("sent", f"engine_{verb}", "admin")
    assert row["sent_at"] is not None


def test_a_start_needs_no_body(rest, worker):
    assert rest.ok("POST", f"/workers/{worker.worker_id}/start", 202)["success"] is True


def test_results_advance_the_command_and_are_acknowledged(site, rest, worker):
    command_id = start(rest, worker)["command_id"]
    worker.receive("commands")
    worker.answer(command_id, "accepted")
    assert worker.receive("results/ack")["command_ids"] == [command_id]
    assert row_of(site, command_id)["state"] == "accepted"
    worker.answer(command_id, "done", result={"pid": 7})
    assert worker.receive("results/ack")["command_ids"] == [command_id]
    row = row_of(site, command_id)
    assert (row["state"], row["result"]) == ("done", '{"pid":7}')
    assert row["accepted_at"] <= row["done_at"]


def test_a_repeated_result_is_acknowledged_again_and_changes_nothing(site, rest, worker):
    command_id = start(rest, worker)["command_id"]
    for _ in range(3):
        worker.answer(command_id, "done", result=1)
        assert worker.receive("results/ack")["command_ids"] == [command_id]
    first = row_of(site, command_id)
    worker.answer(command_id, "accepted")
    assert worker.receive("results/ack")["command_ids"] == [command_id]
    worker.answer(command_id, "failed", error="changed my mind")
    worker.receive("results/ack")
    assert row_of(site, command_id) == first


def test_wait_gives_the_workers_answer(rest, worker):
    request = Background(rest, f"/workers/{worker.worker_id}/start?wait=10")
    command_id = worker.receive("commands")["command_id"]
    worker.answer(command_id, "accepted")
    worker.answer(command_id, "done", result={"speed": 3})
    answer = request.answer(200)
    assert (answer["success"], answer["state"], answer["command_id"]) == (True, "done", command_id)
    assert answer["result"] == {"speed": 3}


def test_wait_gives_the_workers_failure(rest, worker):
    request = Background(rest, f"/workers/{worker.worker_id}/stop?wait=10")
    worker.answer(worker.receive("commands")["command_id"], "failed", error="door is open")
    answer = request.answer(200)
    assert (answer["success"], answer["state"], answer["error"]) == \
        (False, "failed", "door is open")


def test_wait_ends_when_the_worker_is_silent(rest, worker):
    error = rest.fails("POST", f"/workers/{worker.worker_id}/start?wait=1", 504,
                       "COMMAND_TIMEOUT", json={})
    assert worker.receive("commands")["command_id"] in error["message"]


@pytest.mark.parametrize("wait", ["0", "61", "x", "-1", ""])
def test_a_wrong_wait_is_named(rest, worker, wait):
    rest.fails("POST", f"/workers/{worker.worker_id}/start?wait={wait}", 400, "INVALID_REQUEST",
               "wait", json={})


def test_many_waiting_requests_do_not_hold_up_others(site, rest, worker):
    """A hundred starts wait at once; the list is answered meanwhile, and so are they."""
    waiting = [Background(rest, f"/workers/{worker.worker_id}/start?wait=20") for _ in range(100)]
    ids = [worker.receive("commands", 10)["command_id"] for _ in waiting]
    assert rest.get("/workers", limit=1)
    for command_id in ids:
        worker.answer(command_id, "done", result=command_id)
    answers = [request.answer(200) for request in waiting]
    assert all(a["result"] == a["command_id"] for a in answers)
    assert {a["command_id"] for a in answers} == set(ids)


# ---- what forbids it -------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["start", "stop"])
def test_nobody_is_there_to_start(site, rest, verb):
    identity = rest.register()
    rest.fails("POST", f"/workers/{identity.worker_id}/{verb}", 409, "WORKER_NOT_CONNECTED",
               json={})
    rows = site.database.query("SELECT state FROM commands WHERE worker_id = %s",
                               identity.worker_id)
    assert [row["state"] for row in rows] in ([], ["failed"])


def test_a_revoked_worker_is_not_started(rest):
    identity = rest.register()
    rest.post(f"/workers/{identity.worker_id}/revoke")
    rest.fails("POST", f"/workers/{identity.worker_id}/start", 409, "WORKER_REVOKED", json={})


@pytest.mark.parametrize("status, start_code, stop_code", [
    ("running", "ENGINE_ALREADY_RUNNING", None), ("starting", "ENGINE_ALREADY_RUNNING", None),
    ("stopped", None, "ENGINE_ALREADY_STOPPED"), ("draining", None, None), ("error", None, None)])
def test_the_engines_status_forbids_what_makes_no_sense(rest, worker, status, start_code,
                                                        stop_code):
    worker.say(status)
    wait_until(lambda: rest.status_of(worker.worker_id)["engine_status"] == status)
    for verb, code in (("start", start_code), ("stop", stop_code)):
        path = f"/workers/{worker.worker_id}/{verb}"
        if code:
            rest.fails("POST", path, 409, code, json={})
        else:
            rest.ok("POST", path, 202, json={})


def test_the_engines_status_is_the_one_received_last(rest, worker):
    """By `state` or by `metrics`, whichever came later."""
    def shown(status):
        return lambda: rest.status_of(worker.worker_id)["engine_status"] == status
    worker.say("running")
    wait_until(shown("running"))
    worker.report(engine_status="stopped")
    wait_until(shown("stopped"))
    worker.say("starting")
    wait_until(shown("starting"))
    worker.report(memory=5)
    wait_until(lambda: rest.status_of(worker.worker_id)["memory"] == 5)
    assert shown("starting")()


# ---- who may answer --------------------------------------------------------------------------


def test_another_workers_result_changes_nothing(site, rest, worker):
    thief = site.online("tcp-5")
    command_id = start(rest, worker)["command_id"]
    thief.answer(command_id, "done", result="mine now")
    ack = thief.receive("results/ack")
    assert ack["command_ids"] == []
    assert ack["rejected"][0]["command_id"] == command_id and ack["rejected"][0]["code"]
    assert row_of(site, command_id)["state"] == "sent"


@pytest.mark.parametrize("rubbish", [
    b"", b"no JSON", b"[]", b"{}", b"7", b"[" * 200, b'{"command_id":7,"status":"done"}',
    b'{"command_id":"cmd_x"}', b'{"status":"done"}', b"\xff\xfe\x00",
    b'{"command_id":"CMD","status":"sent"}', b'{"command_id":"CMD","status":"finished"}',
    b'{"command_id":"CMD","status":["done"]}'], ids=lambda r: repr(r[:24]))
def test_a_result_that_is_none_changes_nothing(site, rest, worker, rubbish):
    command_id = start(rest, worker)["command_id"]
    worker.publish("results", rubbish.replace(b"CMD", command_id.encode()))
    worker.answer(command_id, "accepted")
    wait_row(site, command_id, "accepted")
    worker.answer(command_id, "done")
    wait_row(site, command_id, "done")


def test_a_result_of_an_unknown_command_is_rejected_not_left_unanswered(worker):
    worker.answer("cmd_01ARZ3NDEKTSV4RRFFQ69G5FAV", "done")
    ack = worker.receive("results/ack")
    assert [r["command_id"] for r in ack["rejected"]] == ["cmd_01ARZ3NDEKTSV4RRFFQ69G5FAV"]


def test_commands_of_an_unknown_worker(rest):
    rest.fails("POST", f"/workers/{new_worker_id()}/start", 404, "WORKER_NOT_FOUND", json={})

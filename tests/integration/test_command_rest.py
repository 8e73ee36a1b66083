# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Commands in the general form: what may be asked for, looked at, taken back, asked for twice."""

import threading

import pytest

from harness.background import Background
from harness.bridge import Bridge
from harness.identity import new_worker_id
from harness.rest import Rest
from harness.wait import wait_until

UNKNOWN = "cmd_01ARZ3NDEKTSV4RRFFQ69G5FAV"
TIMES = {"queued_at", "sent_at", "accepted_at", "done_at", "failed_at", "expired_at",
         "cancelled_at"}


@pytest.fixture
def worker(site):
    return site.online("ws-5")


def path_of(worker, *more):
    return "/".join([f"/workers/{worker.worker_id}/commands", *more])


def order(rest, worker, status=202, **body):
    return rest.ok("POST", path_of(worker), status, json={"type": "report", **body})


def get(rest, worker, command_id):
    return rest.get(path_of(worker, command_id))


def wait_state(rest, worker, command_id, state, timeout=5):
    def reached():
        command = get(rest, worker, command_id)
        return command if command["state"] == state else None
    return wait_until(reached, timeout, f"{command_id} is {state}")


def reached(command):
    """The states that have a time."""
    return {name[:-3] for name in TIMES if command[name]}


# ---- ordering --------------------------------------------------------------------------------


def test_a_command_reaches_the_worker_and_can_be_looked_at(rest, worker):
    answer = order(rest, worker, payload={"n": [1, {"a": None}]}, ttl_seconds=30)
    assert (answer["success"], answer["state"]) == (True, "sent")
    message = worker.receive("commands")
    assert message == {"command_id": answer["command_id"], "type": "report",
                       "expires_at": message["expires_at"], "payload": {"n": [1, {"a": None}]}}
    command = get(rest, worker, answer["command_id"])
    assert command["worker_id"] == worker.worker_id
    assert command["payload"] == {"n": [1, {"a": None}]}
    assert (command["type"], command["target"], command["queue"]) == ("report", "any", False)
    assert (command["state"], command["created_by"]) == ("sent", "admin")
    assert command["expires_at"] == message["expires_at"]
    assert reached(command) == {"queued", "sent"}


def test_each_step_has_its_time_and_the_end_its_result(rest, worker):
    command_id = order(rest, worker)["command_id"]
    assert worker.receive("commands")["payload"] == {}
    worker.answer(command_id, "accepted")
    worker.answer(command_id, "done", result={"rows": 3})
    command = wait_state(rest, worker, command_id, "done")
    assert command["result"] == {"rows": 3} and command["error"] is None
    assert reached(command) == {"queued", "sent", "accepted", "done"}
    times = [command[f"{step}_at"] for step in ("queued", "sent", "accepted", "done")]
    assert times == sorted(times)


def test_wait_gives_the_result(rest, worker):
    request = Background(rest, path_of(worker) + "?wait=10", {"type": "report"})
    command_id = worker.receive("commands")["command_id"]
    worker.answer(command_id, "done", result=[1])
    answer = request.answer(200)
    assert (answer["command_id"], answer["state"], answer["result"]) == (command_id, "done", [1])


def test_with_all_the_first_that_ends_decides(site, rest, worker):
    second = site.worker((worker.worker_id, worker.token), "tcp-5", "b").connect()
    wait_until(lambda: rest.worker(worker.worker_id)["connection"]["sessions"] == 2)
    command_id = order(rest, worker, target="all")["command_id"]
    for session in (worker, second):
        assert session.receive("commands")["command_id"] == command_id
    second.answer(command_id, "failed", error="mine first")
    command = wait_state(rest, worker, command_id, "failed")
    worker.answer(command_id, "done", result="too late")
    assert worker.receive("results/ack")["command_ids"] == [command_id]
    assert worker.receive("results/ack")["command_ids"] == [command_id]
    assert get(rest, worker, command_id) == command


def test_a_target_is_one_session(site, rest, worker):
    second = site.worker((worker.worker_id, worker.token), "tcp-5", "b").connect()
    wait_until(lambda: rest.worker(worker.worker_id)["connection"]["sessions"] == 2)
    for session in (worker, second):
        answer = order(rest, worker, target=session.client_id)
        assert session.receive("commands")["command_id"] == answer["command_id"]
    assert worker.wire.received_so_far() == [] and second.wire.received_so_far() == []


def test_a_session_that_is_not_there_gets_nothing(rest, worker):
    rest.fails("POST", path_of(worker), 409, "WORKER_NOT_CONNECTED",
               json={"type": "report", "target": f"{worker.worker_id}.gone"})
    (command,) = rest.get(path_of(worker))
    assert (command["state"], command["error"]) == ("failed", "WORKER_NOT_CONNECTED")


@pytest.mark.parametrize("body, field", [
    ({}, "type"), ({"type": ""}, "type"), ({"type": "a b"}, "type"), ({"type": 7}, "type"),
    ({"type": "x" * 65}, "type"), ({"type": "t", "ttl_seconds": 0}, "ttl_seconds"),
    ({"type": "t", "ttl_seconds": 30 * 86400 + 1}, "ttl_seconds"),
    ({"type": "t", "queue": "yes"}, "queue"), ({"type": "t", "target": "other"}, "target"),
    ({"type": "t", "idempotency_key": ""}, "idempotency_key"),
    ({"type": "t", "idempotency_key": "k" * 129}, "idempotency_key"),
    ({"type": "t", "when": "now"}, "when")], ids=repr)
def test_a_wrong_order_is_named(rest, worker, body, field):
    rest.fails("POST", path_of(worker), 400, "INVALID_REQUEST", field, json=body)
    assert rest.get(path_of(worker)) == []


def test_a_payload_that_is_too_large(rest, worker):
    rest.fails("POST", path_of(worker), 413, "PAYLOAD_TOO_LARGE",
               json={"type": "t", "payload": "x" * 300_000})


def test_who_cannot_be_commanded(rest, worker):
    away, revoked = rest.register(), rest.register()
    rest.post(f"/workers/{revoked.worker_id}/revoke")
    for identity, status, code in ((away, 409, "WORKER_NOT_CONNECTED"),
                                   (revoked, 409, "WORKER_REVOKED")):
        rest.fails("POST", path_of(identity), status, code, json={"type": "t"})
        assert rest.get(path_of(identity)) == []
    for method, more in (("POST", []), ("GET", []), ("GET", [UNKNOWN]), ("DELETE", [UNKNOWN])):
        path = f"/workers/{new_worker_id()}/commands" + "".join(f"/{m}" for m in more)
        rest.fails(method, path, 404, "WORKER_NOT_FOUND", json={"type": "t"})


# ---- looking ---------------------------------------------------------------------------------


def test_a_list_is_newest_first_in_pages(rest, worker):
    ids = [order(rest, worker)["command_id"] for _ in range(7)]
    seen, path = [], path_of(worker) + "?limit=3"
    while path:
        response = rest.request("GET", path)
        assert response.status_code == 200
        assert len(response.json()) <= 3
        seen += [command["command_id"] for command in response.json()]
        link = response.links.get("next")
        path = link["url"].removeprefix(rest.url) if link else None
        order(rest, worker)  # what is new moves no page
    assert seen == ids[::-1]


def test_a_list_can_be_filtered(rest, worker):
    start = order(rest, worker, type="first")["command_id"]
    second = order(rest, worker, type="second")["command_id"]
    third = order(rest, worker, type="second")["command_id"]
    worker.answer(start, "done")
    worker.answer(third, "accepted")
    wait_state(rest, worker, start, "done")
    wait_state(rest, worker, third, "accepted")

    def found(**query):
        return [command["command_id"] for command in rest.get(path_of(worker), **query)]
    assert found(type="second") == [third, second]
    assert found(state="sent") == [second]
    assert found(state=["done", "accepted"]) == [third, start]
    assert found(state="done", type="second") == []
    for query, field in (({"state": "lost"}, "state"), ({"cursor": "x"}, "cursor"),
                         ({"limit": 0}, "limit"), ({"stat": "done"}, "stat")):
        rest.fails("GET", path_of(worker), 400, "INVALID_REQUEST", field, params=query)


def test_another_workers_command_is_not_found(site, rest, worker):
    other = site.online("tcp-5")
    command_id = order(rest, worker)["command_id"]
    for method in ("GET", "DELETE"):
        rest.fails(method, path_of(other, command_id), 404, "NOT_FOUND")
        rest.fails(method, path_of(worker, UNKNOWN), 404, "NOT_FOUND")
        rest.fails(method, path_of(worker, "nonsense"), 404, "NOT_FOUND")
    assert get(rest, worker, command_id)["state"] == "sent"


def test_who_may_only_read_gives_no_commands(site, rest, worker):
    command_id = order(rest, worker)["command_id"]
    key = rest.post("/keys", {"name": "reader of commands", "scopes": ["read"]}, 201)
    with Rest(site.bridge.url) as reader:
        reader.session.headers["Authorization"] = f"Bearer {key['key']}"
        assert get(reader, worker, command_id)["command_id"] == command_id
        reader.fails("POST", path_of(worker), 403, "FORBIDDEN", json={"type": "t"})
        reader.fails("DELETE", path_of(worker, command_id), 403, "FORBIDDEN")


# ---- taking back -----------------------------------------------------------------------------


def test_what_nobody_has_accepted_can_be_taken_back(rest, worker):
    command_id = order(rest, worker)["command_id"]
    for _ in range(2):
        answer = rest.ok("DELETE", path_of(worker, command_id), 200)
        assert (answer["command_id"], answer["state"]) == (command_id, "cancelled")
    worker.answer(command_id, "accepted")
    (rejected,) = worker.receive("results/ack")["rejected"]
    assert (rejected["command_id"], rejected["code"]) == (command_id, "CONFLICT")
    command = get(rest, worker, command_id)
    assert reached(command) == {"queued", "sent", "cancelled"}
    trail = rest.get(f"/workers/{worker.worker_id}/events", types="command_cancelled")
    assert [row["actor"] for row in trail] == ["admin"]


@pytest.mark.parametrize("status", ["accepted", "done", "failed"])
def test_what_was_accepted_cannot_be_taken_back(rest, worker, status):
    command_id = order(rest, worker)["command_id"]
    worker.answer(command_id, status)
    before = wait_state(rest, worker, command_id, status)
    rest.fails("DELETE", path_of(worker, command_id), 409, "COMMAND_NOT_CANCELLABLE", status)
    assert get(rest, worker, command_id) == before


def test_taking_it_back_ends_the_waiting(rest, worker):
    request = Background(rest, path_of(worker) + "?wait=20", {"type": "report"})
    command_id = worker.receive("commands")["command_id"]
    wait_state(rest, worker, command_id, "sent")
    rest.ok("DELETE", path_of(worker, command_id), 200)
    answer = request.answer(200)
    assert (answer["success"], answer["state"]) == (False, "cancelled")


# ---- time ------------------------------------------------------------------------------------


def test_a_command_expires_when_its_time_is_over(rest, worker):
    silent = order(rest, worker, ttl_seconds=1)["command_id"]
    accepted = order(rest, worker, ttl_seconds=1)["command_id"]
    worker.answer(accepted, "accepted")
    commands = [wait_state(rest, worker, c, "expired", 3) for c in (silent, accepted)]
    assert reached(commands[0]) == {"queued", "sent", "expired"}
    assert reached(commands[1]) == {"queued", "sent", "accepted", "expired"}
    trail = rest.get(f"/workers/{worker.worker_id}/events", types="command_expired")
    assert sorted(row["detail"]["command_id"] for row in trail) == sorted([silent, accepted])


def test_expiry_ends_the_waiting(rest, worker):
    request = Background(rest, path_of(worker) + "?wait=30", {"type": "t", "ttl_seconds": 1})
    command_id = worker.receive("commands")["command_id"]
    error = request.answer(504)["error"]
    assert error["code"] == "COMMAND_TIMEOUT"
    assert command_id in error["message"] and "expired" in error["message"]


def test_a_late_result_is_rejected_unless_the_command_was_accepted_in_time(rest, worker):
    """Who accepted it has proof of what it came to; who did not comes too late for anything."""
    silent = order(rest, worker, ttl_seconds=1)["command_id"]
    accepted = order(rest, worker, ttl_seconds=1)["command_id"]
    worker.answer(accepted, "accepted")
    assert worker.receive("results/ack")["command_ids"] == [accepted]
    for command_id in (silent, accepted):
        wait_state(rest, worker, command_id, "expired", 3)
    worker.answer(silent, "done", result="late")
    (rejected,) = worker.receive("results/ack")["rejected"]
    assert (rejected["command_id"], rejected["code"]) == (silent, "CONFLICT")
    worker.answer(accepted, "accepted")
    (rejected,) = worker.receive("results/ack")["rejected"]
    assert rejected["command_id"] == accepted
    worker.answer(accepted, "done", result="late")
    assert worker.receive("results/ack")["command_ids"] == [accepted]
    assert get(rest, worker, silent)["state"] == "expired"
    assert get(rest, worker, accepted)["result"] == "late"


# ---- asking twice ----------------------------------------------------------------------------


def test_the_same_key_is_the_same_command(rest, worker):
    body = {"payload": {"a": 1, "b": 2}, "idempotency_key": "once, ü"}
    first = order(rest, worker, **body)
    again = order(rest, worker, 200, **body)
    assert again["command_id"] == first["command_id"] and again["state"] == "sent"
    # The order of members says nothing.
    again = order(rest, worker, 200, **{**body, "payload": {"b": 2, "a": 1}})
    assert again["command_id"] == first["command_id"]
    assert len(rest.get(path_of(worker))) == 1
    assert worker.receive("commands")["command_id"] == first["command_id"]
    assert worker.wire.received_so_far() == []
    assert get(rest, worker, first["command_id"])["idempotency_key"] == "once, ü"


def test_the_same_key_gives_the_result_even_when_the_worker_has_gone(rest, worker):
    body = {"idempotency_key": "k", "ttl_seconds": 40}
    command_id = order(rest, worker, **body)["command_id"]
    worker.answer(command_id, "done", result=5)
    wait_state(rest, worker, command_id, "done")
    worker.disconnect()
    rest.wait_connected(worker.worker_id, False)
    for path in (path_of(worker), path_of(worker) + "?wait=5"):
        again = rest.ok("POST", path, 200, json={"type": "report", **body})
        assert (again["command_id"], again["state"], again["result"]) == (command_id, "done", 5)
    rest.fails("POST", path_of(worker), 409, "WORKER_NOT_CONNECTED",
               json={"type": "report", "idempotency_key": "another"})


def test_the_same_key_can_wait_for_the_first_one(rest, worker):
    body = {"type": "report", "idempotency_key": "k"}
    first = Background(rest, path_of(worker) + "?wait=20", body)
    command_id = worker.receive("commands")["command_id"]
    wait_state(rest, worker, command_id, "sent")
    second = Background(rest, path_of(worker) + "?wait=20", body)
    worker.answer(command_id, "done", result="both")
    assert first.answer(200)["result"] == second.answer(200)["result"] == "both"


@pytest.mark.parametrize("other", [{"type": "another"}, {"payload": {"a": 2}}, {"target": "all"},
                                   {"ttl_seconds": 61}, {"queue": True, "ttl_seconds": 60}],
                         ids=repr)
def test_the_same_key_for_something_else_is_a_conflict(rest, worker, other):
    body = {"type": "report", "payload": {"a": 1}, "idempotency_key": "k"}
    command_id = order(rest, worker, **body)["command_id"]
    error = rest.fails("POST", path_of(worker), 409, "IDEMPOTENCY_CONFLICT",
                       json={**body, **other})
    assert command_id in error["message"]
    assert len(rest.get(path_of(worker))) == 1


def test_a_key_belongs_to_its_worker(site, rest, worker):
    other = site.online("tcp-5")
    assert order(rest, worker, idempotency_key="k")["command_id"] != \
        order(rest, other, idempotency_key="k")["command_id"]


def test_the_same_key_at_two_bridges_at_once(new_site, new_directory):
    site = new_site()
    second = Bridge(new_directory("second"), site.broker, site.database, "bridge-2").start()
    worker, rests = site.online("tcp-5"), [site.rest, Rest(second.url).login()]
    rests[1].wait_connected(worker.worker_id)
    for n in range(5):
        gate, requests = threading.Barrier(8), []
        for i in range(8):
            requests.append(Background(rests[i % 2], path_of(worker), gate=gate, body={
                "type": "report", "idempotency_key": f"k{n}"}))
        answers = [request.any_answer() for request in requests]
        assert sorted(status for status, _ in answers) == [200] * 7 + [202]
        (command_id,) = {body["command_id"] for _, body in answers}
        assert worker.receive("commands")["command_id"] == command_id
    assert worker.wire.received_so_far() == []
    rests[1].session.close()
    second.terminate()

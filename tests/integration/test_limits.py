# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Who does too much is held back, and nobody else: failed logins, logins, messages, commands."""

import json

import pytest

from harness.identity import new_token
from harness.observer import RESPONSE
from harness.site import Hall
from harness.wait import wait_until
from harness.worker import Refused


@pytest.fixture(params=["tcp-5", "ws-3.1.1"])
def protocol(request):
    return request.param


@pytest.fixture(scope="module")
def strict_hall(new_directory):
    """A hall whose limits a test can reach: 10 failures and 20 logins a minute, 100 messages."""
    hall = Hall(new_directory("strict"), auth_failures_per_minute=10, connects_per_minute=20,
                publishes_per_second=10)
    yield hall
    hall.close()
    assert not hall.observer.faults


@pytest.fixture
def strict(strict_hall):
    yield strict_hall
    strict_hall.dismiss()


def limited(hall, limit):
    return hall.observer.call("getStats")["counters"]["limited"]["values"][limit]


# ---- failed logins -----------------------------------------------------------------------------


def test_failures_past_the_limit_are_rate_limited_and_a_right_token_is_let_in(strict, protocol):
    live, victim = strict.online(protocol), strict.enroll()
    for _ in range(15):
        with pytest.raises(Refused):
            strict.worker((victim.worker_id, new_token()), protocol).connect()
    strict.observer.wait_audit(victim.worker_id, "RATE_LIMITED")
    assert limited(strict, "auth_failures") >= 5
    strict.online(protocol, victim)
    live.wire.ping()


# ---- a worker that connects in a loop ----------------------------------------------------------


def test_a_loop_of_takeovers_is_stopped_and_the_last_session_stays(strict, protocol):
    identity, neighbour = strict.enroll(), strict.online(protocol)
    crowd = [strict.worker(identity, protocol) for _ in range(40)]
    let_in = []
    for worker in crowd:
        try:
            let_in.append(worker.connect())
        except Refused:
            break
    assert 20 <= len(let_in) < 30  # more than 20 where the loop itself takes seconds
    strict.observer.wait_audit(identity.worker_id, "RATE_LIMITED")
    let_in[-1].wire.ping()
    assert let_in[-1].publish("metrics", {"memory": 1}) == 0
    connection = strict.observer.connection(identity.worker_id)
    assert (connection["connected"], connection["session_count"]) == (True, 1)
    neighbour.wire.ping()
    assert limited(strict, "connects") >= 1


def test_saying_goodbye_each_time_does_not_help(strict):
    worker = strict.worker(strict.enroll(), "tcp-5")
    for n in range(40):
        try:
            worker.connect()
        except Refused:
            break
        worker.disconnect()
    assert 20 <= n < 30
    strict.observer.wait_audit(worker.worker_id, "RATE_LIMITED")


# ---- a worker that floods ----------------------------------------------------------------------


def test_a_flood_is_cut_counted_and_told_once(strict, protocol):
    reader = strict.wire(strict.broker.ordinary_wire(f"reader-{protocol}"))
    worker, neighbour = strict.online(protocol), strict.online(protocol)
    reader.subscribe(worker.topic("app/x"))
    before = limited(strict, "publishes")
    for n in range(300):
        worker.publish("app/x", str(n), qos=0)
    worker.wire.ping()
    held_back = wait_until(lambda: limited(strict, "publishes") - before)
    received = [m for m in reader.received_so_far() if m.topic == worker.topic("app/x")]
    assert 100 <= len(received) < 200
    assert len(received) + held_back == 300
    notices = [json.loads(m.payload) for m in worker.wire.received_so_far()
               if m.topic == worker.topic("notice")]
    assert [n["code"] for n in notices] == ["RATE_LIMITED"]
    assert strict.observer.connection(worker.worker_id)["connected"] is True
    neighbour.say("running")
    assert strict.observer.connection(neighbour.worker_id)["reported_state"]


def test_a_denied_publish_says_so_in_mqtt_5(strict):
    worker = strict.online("tcp-5")
    reasons = [worker.publish("app/x", "1") for _ in range(150)]
    assert set(reasons) <= {0, 0x10, 0x87} and reasons[-1] == 0x87


# ---- notices -----------------------------------------------------------------------------------


def test_every_forced_end_is_told_before_it_comes(hall, protocol):
    def put(status="active", token=None):
        def force(worker):
            hashes = [hall.directory.hash_entry(token or worker.token)]
            hall.directory.put(hall.directory.entry(worker.worker_id, hashes, status))
        return force

    def disconnect(code):
        return lambda worker: hall.observer.call("disconnect", worker_id=worker.worker_id,
                                                 code=code, message="because")
    ends = {"WORKER_REVOKED": put("revoked"), "TOKEN_REVOKED": put(token=new_token()),
            "WORKER_DELETED": lambda worker: hall.directory.delete(worker.worker_id),
            **{code: disconnect(code) for code in ("KICKED", "TOKEN_EXPIRED")}}
    for code, force in ends.items():
        worker = hall.online(protocol)
        force(worker)
        assert worker.receive("notice")["code"] == code
        assert worker.wire.wait_closed(2)


# ---- control commands --------------------------------------------------------------------------


def test_a_message_that_asks_for_too_much_is_cut(hall):
    asked = [{"command": "getDirectory", "limit": 1000}] * 20 + \
        [{"command": "getConnection", "worker_id": "nobody"}]
    wire = hall.wire(hall.broker.control_wire())
    wire.publish("$CONTROL/rollcall/v1", json.dumps({"commands": asked}))
    responses = json.loads(wire.receive(RESPONSE).payload)["responses"]
    codes = [r.get("error", {}).get("code") for r in responses]
    assert codes[0] is None
    assert codes[2:20] == ["RATE_LIMITED"] * 18
    assert codes[20] == "WORKER_NOT_FOUND"

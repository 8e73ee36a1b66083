# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""What a session may publish and subscribe to, and what is left to the broker's other means."""

import json

import pytest

from harness.observer import CONTROL
from harness.worker import PROTOCOLS

DENIED = {4: 0x80, 5: 0x87}  # in SUBACK
OTHER = "wrk_aaaaaaaaaaaaaaaa"

OWN_READS = ["commands", "token", "notice", "metrics/ack", "results/ack", "presence", "app/x",
             "app/#", "app/+/y"]
OWN_WRITES = ["metrics", "state", "results", "token/ack", "will", "app/x", "app/a/b"]

FOREIGN_READS = [
    f"workers/{OTHER}/commands", f"workers/{OTHER}/#", f"workers/{OTHER}/app/x",
    "workers/+/commands", "workers/#", "+/{id}/commands", "+/+/commands", "#", "+/#", "+",
    "$SYS/#", "$SYS/broker/version", "$CONTROL/#", "$CONTROL/rollcall/v1",
    "$CONTROL/rollcall/v1/response", "$CONTROL/dynamic-security/v1/response",
    "rollcall/v1/presence", "rollcall/#", "workers/{id}", "workers/{id}/#", "workers/{id}/+",
    "workers/{id}/metrics", "workers/{id}/results", "workers/{id}/state", "workers/{id}/will",
    "workers/{id}/other", "workers/{id}/commands/#", "workers/{id}/commands/x",
    "workers/{id}x/commands", "Workers/{id}/commands", "/workers/{id}/commands",
    f"$share/g/workers/{OTHER}/commands", "$share/g/#", "sensors/1", "other"]

FOREIGN_WRITES = [
    f"workers/{OTHER}/metrics", f"workers/{OTHER}/state", f"workers/{OTHER}/will",
    f"workers/{OTHER}/commands", f"workers/{OTHER}/app/x", "workers/{id}/commands",
    "workers/{id}/token", "workers/{id}/notice", "workers/{id}/metrics/ack",
    "workers/{id}/results/ack", "workers/{id}/presence", "workers/{id}/other", "workers/{id}",
    "workers/{id}/metrics/x", "workers/{id}x/metrics", "/workers/{id}/metrics",
    "rollcall/v1/presence", "rollcall/v1/heartbeat", "rollcall/v1/audit", "rollcall/x",
    "rollcall/metrics/v1",
    "$CONTROL/rollcall/v1", "$CONTROL/rollcall/v1/response", "$SYS/x", "sensors/1", "other"]


@pytest.fixture(params=["tcp-3.1.1", "ws-5"])
def protocol(request):
    return request.param


@pytest.fixture(params=PROTOCOLS)
def every_protocol(request):
    return request.param


@pytest.fixture
def ear(hall):
    """A control user who hears every ordinary topic, and of $SYS nothing."""
    wire = hall.wire(hall.broker.control_wire("ear"))
    for topic in ("workers/#", "rollcall/x"):
        assert wire.subscribe(topic) < 0x80
    return wire


def test_a_worker_may_subscribe_to_its_own_topics(hall, every_protocol):
    worker = hall.online(every_protocol)
    assert {name: worker.subscribe(name) for name in OWN_READS} == dict.fromkeys(OWN_READS, 1)


def test_a_worker_may_publish_on_its_own_topics(hall, ear, every_protocol):
    worker = hall.online(every_protocol)
    for name in OWN_WRITES:
        assert worker.publish(name, {"from": name}) == 0
        assert json.loads(ear.receive(worker.topic(name)).payload) == {"from": name}


def test_a_worker_cannot_subscribe_to_anything_else(hall, protocol):
    worker = hall.online(protocol)
    wanted = [topic.replace("{id}", worker.worker_id) for topic in FOREIGN_READS]
    denied = DENIED[worker.wire.version]
    assert {t: worker.wire.subscribe(t) for t in wanted} == dict.fromkeys(wanted, denied)


def test_a_worker_hears_nothing_of_others(hall):
    """Even if a subscription had slipped through."""
    worker, other = hall.online("tcp-5"), hall.online("tcp-5")
    for topic in FOREIGN_READS:
        worker.wire.subscribe(topic.replace("{id}", worker.worker_id))
    other.report(memory=1)
    other.say("running")
    hall.observer.call("send", worker_id=other.worker_id, topic="commands", payload="secret")
    other.wire.receive(other.topic("commands"))
    assert worker.wire.received_so_far() == []


def test_a_worker_cannot_publish_anything_else(hall, ear, protocol):
    worker = hall.online(protocol)
    for topic in FOREIGN_WRITES:
        reason = worker.wire.publish(topic.replace("{id}", worker.worker_id), "{}")
        assert reason == (0x87 if worker.wire.version == 5 else 0), topic
    worker.publish("metrics", "the last")
    heard = [ear.receive()]
    while heard[-1].payload != b"the last":
        heard.append(ear.receive())
    # Presence of workers of other tests may be among it; no word of this one's may.
    mine = [m.topic for m in heard[:-1] if m.payload == b"{}"]
    assert mine == []


def test_what_a_worker_says_to_control_is_not_obeyed(hall):
    worker, victim = hall.online("tcp-5"), hall.online("tcp-5")
    order = {"commands": [{"command": "disconnect", "worker_id": victim.worker_id,
                           "code": "KICKED", "message": "x"}]}
    for qos in (0, 1):
        worker.wire.publish(CONTROL, json.dumps(order), qos=qos)
    worker.wire.ping()
    victim.wire.ping()
    assert hall.observer.connection(victim.worker_id)["session_count"] == 1
    assert worker.wire.received_so_far() == []


@pytest.mark.parametrize("name", ["metrics", "state", "results", "will", "app/x"])
def test_a_worker_cannot_retain(hall, name):
    worker = hall.online("tcp-5")
    assert worker.publish(name, "kept for ever", retain=True) == 0x87
    late = hall.wire(hall.broker.ordinary_wire())
    assert late.subscribe(worker.topic(name)) == 1
    assert late.received_so_far() == []


def test_app_topics_may_be_allowed_to_retain(new_hall):
    hall = new_hall(app_retain="true")
    worker = hall.online("tcp-5")
    assert worker.publish("app/x", "kept", retain=True) == 0
    assert worker.publish("metrics", "not kept", retain=True) == 0x87
    late = hall.wire(hall.broker.ordinary_wire())
    assert late.subscribe(worker.topic("app/x")) == 1
    assert late.receive(worker.topic("app/x")).retain


def test_a_topic_root_of_the_operators_choice(new_hall):
    hall = new_hall(topic_root="plant/7")
    identity = hall.enroll()
    wire = hall.wire(hall.broker.wire())
    assert wire.connect(identity.worker_id, *identity) == 0
    assert wire.subscribe(f"plant/7/{identity.worker_id}/commands") == 1
    assert wire.publish(f"plant/7/{identity.worker_id}/metrics", "{}") == 0
    assert wire.subscribe(f"workers/{identity.worker_id}/commands") == 0x87
    assert wire.publish(f"workers/{identity.worker_id}/metrics", "{}") == 0x87


def test_a_worker_that_was_denied_stays_connected(hall):
    worker = hall.online("tcp-5")
    for _ in range(20):
        worker.wire.publish(f"workers/{OTHER}/metrics", "{}")
        worker.wire.subscribe("#")
    assert worker.publish("metrics", {"memory": 1}) == 0
    assert len(hall.observer.events_of(worker.worker_id)) == 1


# ---- other users of the same broker ----------------------------------------------------------


@pytest.mark.parametrize("topic", [
    f"workers/{OTHER}/commands", f"workers/{OTHER}/presence", f"workers/{OTHER}/metrics",
    f"workers/{OTHER}/token", f"workers/{OTHER}/state", f"workers/{OTHER}/x", "workers/any/will",
    "rollcall/v1/presence", "rollcall/v1/heartbeat", "rollcall/v1/audit", "rollcall/v1/x",
    "rollcall/metrics/v1"])
def test_an_ordinary_user_cannot_speak_for_rollcall(hall, topic):
    """Though the access file grants that user everything."""
    alice = hall.wire(hall.broker.ordinary_wire())
    listener = hall.wire(hall.broker.control_wire("listener"))
    assert listener.subscribe(topic) == 1
    for retain in (False, True):
        assert alice.publish(topic, '"forged"', retain=retain) == 0x87
    assert [m for m in listener.received_so_far() if b"forged" in m.payload] == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_ordinary_users_topics_work_as_before(hall, protocol):
    alice = hall.wire(hall.broker.ordinary_wire("alice-1", *PROTOCOLS[protocol]))
    for topic in ("sensors/1", "rollcall/v2/x", "workers", "a/workers/b/c", "worker/x/commands"):
        assert alice.subscribe(topic) == 1
        assert alice.publish(topic, "hello", retain=topic == "sensors/1") == 0
        assert alice.receive(topic).payload == b"hello"
    alice.publish("sensors/1", "", retain=True)


def test_an_ordinary_user_and_a_worker_talk_on_app_topics(hall):
    worker, alice = hall.online("tcp-5"), hall.wire(hall.broker.ordinary_wire())
    assert worker.subscribe("app/#") == 1
    assert alice.publish(worker.topic("app/hello"), "from alice") == 0
    assert worker.wire.receive(worker.topic("app/hello")).payload == b"from alice"


def test_an_ordinary_user_may_read_what_the_access_file_grants(hall):
    worker, alice = hall.online("tcp-5"), hall.wire(hall.broker.ordinary_wire())
    assert alice.subscribe("workers/+/presence") == 1
    assert alice.subscribe(worker.topic("metrics")) == 1
    worker.report(memory=5)
    assert alice.receive(worker.topic("metrics")).payload == b'{"memory": 5}'


def test_control_ignores_an_ordinary_user(hall):
    """2.0 has no way to refuse it but the ACL, which here grants it all."""
    victim, alice = hall.online("tcp-5"), hall.wire(hall.broker.ordinary_wire())
    alice.subscribe("$CONTROL/#")
    order = {"commands": [
        {"command": "getConnection", "correlationData": "1", "worker_id": victim.worker_id},
        {"command": "disconnect", "worker_id": victim.worker_id, "code": "KICKED", "message": "x"},
        {"command": "deleteWorkers", "workers": [{
            "worker_id": victim.worker_id, "revision": hall.directory.revision(10 ** 9)}]}]}
    for qos in (0, 1):
        alice.publish(CONTROL, json.dumps(order), qos=qos)
    assert [m for m in alice.received_so_far() if b"connection" in m.payload] == []
    victim.wire.ping()
    assert hall.observer.connection(victim.worker_id)["session_count"] == 1


def test_a_wrong_password_of_an_ordinary_user_is_refused(hall):
    wire = hall.wire(hall.broker.wire())
    assert wire.connect("alice-2", "alice", "wrong") != 0
    assert hall.observer.audit_of("alice") == []


def test_the_bridges_own_client_ids_are_free(hall):
    hall.wire(hall.broker.control_wire("rollcall-bridge-1")).ping()

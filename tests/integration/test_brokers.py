# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Where Mosquitto's versions raise other events, or in another order: what is told stays right."""

import json
import os
import signal
import struct
import threading

import pytest

from harness.wait import hold_true, wait_until
from harness.wire import Closed, DISCONNECT, Will
from harness.worker import PROTOCOLS

WITH_MQTT_5 = ["tcp-5", "ws-5"]


@pytest.fixture(params=PROTOCOLS)
def protocol(request):
    return request.param


def lost_or(hall, reason):
    """What 2.0 knows of an end is that a will came with it."""
    return reason if hall.broker.tells_how_sessions_end else "connection_lost"


def connected_with_will(hall, protocol, delay=0, **options):
    """A worker's wire; the worker is known to be online."""
    websocket, version = PROTOCOLS[protocol]
    identity = hall.enroll()
    wire = hall.wire(hall.broker.wire(websocket, version))
    will = Will(f"workers/{identity.worker_id}/will", '{"reason":"words"}', delay=delay)
    assert wire.connect(identity.worker_id, *identity, will=will, **options) == 0
    hall.observer.wait_state(identity.worker_id, "online")
    return identity, wire


# ---- logins that the broker refuses after the plugin let them in ----

# Above the keepalives of all clients that are to stay: 2.0.21 soon drops one whose equals it.
MAX_KEEPALIVE = "max_keepalive 70"


def try_to_connect(hall, identity, protocol, keepalive):
    """CONNACK's code, or None where there is none."""
    websocket, version = PROTOCOLS[protocol]
    wire = hall.wire(hall.broker.wire(websocket, version))
    will = Will(f"workers/{identity.worker_id}/will", '{"reason":"was never there"}')
    try:
        code = wire.connect(identity.worker_id, *identity, keepalive=keepalive, will=will)
    except Closed:
        return None
    return code if code == 0 or wire.wait_closed() else "left open"


@pytest.mark.parametrize("protocol", ["tcp-3.1.1", "ws-3.1.1"])
def test_a_login_that_the_broker_refuses_later_is_never_online(new_hall, protocol):
    """Since 2.0.12 max_keepalive is checked after the plugin was asked; 2.0.11 ignores it."""
    hall = new_hall(lines=[MAX_KEEPALIVE])
    identity = hall.enroll()
    code = try_to_connect(hall, identity, protocol, keepalive=80)
    if hall.broker.version < (2, 0, 12):
        assert code == 0
        return
    assert code in (2, None)
    # Both its events and those of one that came later would be told by now.
    hall.online("tcp-5")
    hold_true(lambda: hall.observer.last_event(identity.worker_id) is None, 0.5)
    assert hall.worker(identity, protocol).connect()
    assert hall.observer.wait_state(identity.worker_id, "online")["generation"] >= 1


def test_a_late_refusal_does_not_disturb_the_live_session_of_that_id(new_hall):
    hall = new_hall(lines=[MAX_KEEPALIVE])
    if hall.broker.version < (2, 0, 12):
        pytest.skip("this version does not refuse it")
    worker = hall.online("ws-5")
    identity = hall.enroll()
    hall.online("tcp-5", identity, session="first")
    before = hall.observer.mark()
    assert try_to_connect(hall, identity, "tcp-3.1.1", keepalive=80) != 0
    assert hall.observer.connection(identity.worker_id)["session_count"] == 1
    assert hall.observer.events_of(identity.worker_id, before) == []
    worker.wire.ping()


# ---- how sessions end ----

@pytest.mark.parametrize("protocol", WITH_MQTT_5)
def test_a_goodbye_with_the_will_is_a_loss(hall, protocol):
    """MQTT 5's reason 4 asks for the will in spite of the goodbye."""
    identity, wire = connected_with_will(hall, protocol)
    wire.disconnect(reason=4)
    event = hall.observer.wait_event(identity.worker_id, connected=False)
    assert (event["reason"], event["detail"]) == ("connection_lost", "words")


def test_a_silent_peer_is_told_as_such(hall, protocol):
    identity, _ = connected_with_will(hall, protocol, keepalive=1)
    event = hall.observer.wait_event(identity.worker_id, connected=False, timeout=12)
    assert (event["reason"], event["detail"]) == (lost_or(hall, "keepalive_timeout"), "words")


def test_a_broken_packet_is_told_as_such(hall, protocol):
    identity, wire = connected_with_will(hall, protocol)
    wire.send_packet(DISCONNECT, b"", flags=9)  # MQTT 3.14.1: these bits must be 0
    event = hall.observer.wait_event(identity.worker_id, connected=False)
    assert (event["reason"], event["detail"]) == (lost_or(hall, "protocol_error"), "words")


def test_a_closed_websocket_is_noticed(hall):
    """A Close frame alone is enough for 2.0; 2.1 waits for the connection to close."""
    identity, wire = connected_with_will(hall, "ws-5")
    wire.send_raw(b"")
    wire.transport.sock.sendall(b"\x88\x82\0\0\0\0\x03\xe8")
    wire.drop()
    event = hall.observer.wait_event(identity.worker_id, connected=False)
    assert (event["reason"], event["detail"]) == ("connection_lost", "words")


def test_an_end_in_the_turn_of_the_login_leaves_nobody_connected(hall, protocol):
    """Login and goodbye in one go: it may be seen or not, but it does not stay."""
    websocket, version = PROTOCOLS[protocol]
    identities = [hall.enroll() for _ in range(20)]
    for identity in identities:
        wire = hall.wire(hall.broker.wire(websocket, version))
        wire.send_connect(identity.worker_id, *identity)
        wire.disconnect()
    # It came after all of them; where turns matter, some have passed when it is online.
    hall.online(protocol)
    for identity in identities:
        wait_until(lambda: not hall.observer.connection(identity.worker_id)["sessions"])
        wait_until(lambda: not (hall.observer.last_event(identity.worker_id) or {})
                   .get("connected"))


# ---- MQTT 5: sessions and wills that outlive the connection ----

@pytest.mark.parametrize("protocol", WITH_MQTT_5)
@pytest.mark.parametrize("again", WITH_MQTT_5)
def test_an_expiry_above_0_ends_with_the_connection(hall, protocol, again):
    identity, wire = connected_with_will(hall, protocol, expiry=600)
    wire.drop()
    event = hall.observer.wait_event(identity.worker_id, connected=False)
    assert event["reason"] == "connection_lost"
    hall.observer.wait_state(identity.worker_id, "offline")
    before = hall.observer.mark()
    hall.online(again, identity, expiry=600)
    assert hall.observer.connection(identity.worker_id)["session_count"] == 1
    assert [e["state"] for e in hall.observer.events_of(identity.worker_id, before)] == ["online"]


@pytest.mark.parametrize("protocol", WITH_MQTT_5)
def test_an_expiry_above_0_and_a_goodbye(hall, protocol):
    identity, wire = connected_with_will(hall, protocol, expiry=600)
    wire.disconnect()
    event = hall.observer.wait_event(identity.worker_id, connected=False)
    goodbye = "client_disconnect" if hall.broker.tells_how_sessions_end else "connection_closed"
    assert (event["reason"], event["detail"]) == (goodbye, None)


@pytest.mark.parametrize("protocol", WITH_MQTT_5)
def test_a_takeover_of_a_session_that_would_outlive_it(hall, protocol):
    identity, wire = connected_with_will(hall, protocol, expiry=600)
    generation = hall.observer.last_event(identity.worker_id)["generation"]
    hall.worker(identity, protocol).connect(expiry=600)
    wait_until(lambda: hall.observer.last_event(identity.worker_id)["generation"] > generation)
    assert wire.wait_closed()
    assert hall.observer.connection(identity.worker_id)["session_count"] == 1
    assert all(e["connected"] for e in hall.observer.events_of(identity.worker_id))


@pytest.mark.parametrize("protocol", WITH_MQTT_5)
def test_a_return_within_the_will_delay_is_undisturbed(hall, protocol):
    """The broker cancels the will and, on 2.0, tells the old session's end once more."""
    identity, wire = connected_with_will(hall, protocol, delay=2)
    wire.drop()
    hall.observer.wait_event(identity.worker_id, connected=False)
    before = hall.observer.mark()
    worker = hall.online(protocol, identity)
    hold_true(lambda: hall.observer.last_event(identity.worker_id)["connected"], 3)
    assert [e["state"] for e in hall.observer.events_of(identity.worker_id, before)] == ["online"]
    worker.wire.ping()


# ---- SIGHUP ----

@pytest.mark.parametrize("outlives", [{"expiry": 600}, {"delay": 600}], ids=["expiry", "delay"])
@pytest.mark.parametrize("protocol", WITH_MQTT_5)
def test_a_reload_does_not_revive_a_session_that_has_ended(hall, protocol, outlives):
    """The broker asks about it as well as about live ones, and still has it where its session or
    its will outlives its connection."""
    identity, wire = connected_with_will(hall, protocol, **outlives)
    other = hall.online(protocol, expiry=600)
    wire.drop()
    hall.observer.wait_state(identity.worker_id, "offline")
    before = hall.observer.mark()
    hall.broker.sighup()
    assert other.subscribe("commands") == 1
    hold_true(lambda: hall.observer.events_of(identity.worker_id, before) == [], 0.5)
    connection = hall.observer.connection(identity.worker_id)
    assert (connection["connected"], connection["session_count"]) == (False, 0)
    hall.observer.expect_error("NOT_CONNECTED", "disconnect", worker_id=identity.worker_id,
                               code="KICKED", message="whom?")
    assert hall.observer.events_of(identity.worker_id, before) == []
    hall.online(protocol, identity)
    assert hall.observer.connection(other.worker_id)["connected"]


def test_logins_during_reloads_are_let_in(hall, protocol):
    for _ in range(10):
        hall.broker.sighup()
        hall.online(protocol).disconnect()


def test_no_login_slips_in_unseen_while_the_broker_reloads(hall, protocol):
    """During a reload the plugin does not check again whom it does not know: a session that has
    ended. A login that came then would be let in with any token, and not be shown."""
    websocket, version = PROTOCOLS[protocol]
    over = threading.Event()

    def reload_all_the_time():
        # Not waited for: a signal that comes while the broker reloads is lost.
        while not over.wait(0.002):
            os.kill(hall.broker.process.pid, signal.SIGHUP)

    reloads = threading.Thread(target=reload_all_the_time)
    reloads.start()
    try:
        for _ in range(10 if websocket else 40):
            identity = hall.enroll()
            stranger = hall.wire(hall.broker.wire(websocket, version))
            assert stranger.connect(identity.worker_id, identity.worker_id, "tk_wrong") != 0
            hall.online(protocol, identity)
    finally:
        over.set()
        reloads.join()


@pytest.mark.parametrize("protocol", WITH_MQTT_5)
def test_a_reload_ends_whom_the_directory_no_longer_has(hall, protocol):
    worker = hall.online(protocol)
    hall.directory.delete(worker.worker_id)
    hall.broker.sighup()
    assert worker.wire.wait_closed()
    hall.observer.wait_state(worker.worker_id, "offline")


# ---- control ----

@pytest.mark.parametrize("size", [1, 60000])
def test_an_answer_goes_to_mqtt_5s_response_topic(hall, size):
    """Mosquitto 2.0.21 does not show a plugin how to read these; libmosquitto does."""
    identity = hall.enroll()
    wire = hall.wire(hall.broker.control_wire("asks-5"))
    topic, correlation = b"answers/of/mine", bytes(range(200))
    command = {"command": "getConnection", "worker_id": identity.worker_id}
    text = json.dumps({"commands": [command]}).ljust(size)
    properties = (b"\x08" + struct.pack("!H", len(topic)) + topic
                  + b"\x09" + struct.pack("!H", len(correlation)) + correlation)
    assert wire.publish("$CONTROL/rollcall/v1", text, properties=properties) == 0
    answer = wire.receive(topic.decode())
    assert correlation in answer.properties
    assert json.loads(answer.payload)["responses"][0]["command"] == "getConnection"


def test_a_kicked_session_hears_why_before_it_ends(hall, protocol):
    identity, wire = connected_with_will(hall, protocol)
    hall.observer.call("disconnect", worker_id=identity.worker_id, code="KICKED", message="go")
    notice = json.loads(wire.receive(f"workers/{identity.worker_id}/notice").payload)
    assert notice == {"code": "KICKED", "message": "go"}
    assert wire.wait_closed()
    event = hall.observer.wait_event(identity.worker_id, connected=False)
    assert (event["state"], event["reason"]) == ("offline", "kicked")


# ---- what the broker makes of its configuration and of strangers' bytes ----

@pytest.mark.parametrize("protocol", WITH_MQTT_5)
@pytest.mark.parametrize("stop", ["terminate", "kill9"])
def test_a_session_restored_from_disk_does_not_end_the_one_that_follows(new_hall, protocol, stop):
    """The broker ends the stored one when the client returns, by an address never seen before."""
    hall = new_hall(lines=["autosave_on_changes true", "autosave_interval 1"])
    identity, wire = connected_with_will(hall, protocol, expiry=600)
    assert wire.subscribe(f"workers/{identity.worker_id}/commands") == 1
    getattr(hall.broker, stop)()
    hall.broker.start()
    hall.observer.wait_ready()
    before = hall.observer.mark()
    worker = hall.online(protocol, identity, expiry=600)
    hall.broker.sighup()
    worker.wire.ping()
    assert [e["state"] for e in hall.observer.events_of(identity.worker_id, before)] == ["online"]
    assert hall.observer.connection(identity.worker_id)["session_count"] == 1


@pytest.mark.parametrize("protocol", WITH_MQTT_5)
def test_with_check_retain_source_a_dead_author_is_asked_about_in_vain(new_hall, protocol):
    """The broker asks on behalf of a retained message's author, who may be gone or online."""
    hall = new_hall(lines=["check_retain_source true"], app_retain="true")
    worker = hall.online(protocol, reason="gone")
    assert worker.publish("app/x", "kept", retain=True) == 0
    reader = hall.wire(hall.broker.ordinary_wire("reads-1"))
    reader.subscribe(worker.topic("app/#"))
    assert reader.receive(worker.topic("app/x")).payload == b"kept"
    before = hall.observer.mark()
    assert hall.observer.connection(worker.worker_id)["session_count"] == 1
    assert hall.observer.events_of(worker.worker_id, before) == []
    worker.disconnect()
    last = hall.observer.wait_state(worker.worker_id, "offline")
    reader = hall.wire(hall.broker.ordinary_wire("reads-2"))
    reader.subscribe(worker.topic("app/#"))
    assert reader.receive(worker.topic("app/x")).payload == b"kept"
    hall.observer.connection(worker.worker_id)
    assert hall.observer.last_event(worker.worker_id) == last

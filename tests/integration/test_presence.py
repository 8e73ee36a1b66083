# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Who is connected, as the plugin tells it: sessions come, go, overlap and break."""

import json

import pytest

from harness.wait import hold_true, wait_until
from harness.wire import Will
from harness.worker import PROTOCOLS

EVENT_MEMBERS = {"worker_id", "state", "connected", "sessions", "node", "boot", "seq",
                 "generation", "at", "reason", "detail", "connected_since", "disconnected_since"}


@pytest.fixture(params=PROTOCOLS)
def protocol(request):
    return request.param


def goodbye_reason(hall):
    return "client_disconnect" if hall.broker.tells_how_sessions_end else "connection_closed"


def test_a_session_makes_its_worker_online(hall, protocol):
    identity = hall.enroll()
    hall.worker(identity, protocol).connect()
    event = hall.observer.wait_event(identity.worker_id, state="online")
    assert event.keys() >= EVENT_MEMBERS
    assert (event["connected"], event["sessions"], event["node"]) == (True, 1, "test-node")
    assert (event["reason"], event["detail"], event["disconnected_since"]) == (None, None, None)
    assert event["connected_since"] <= event["at"] and event["at"].endswith("Z")


def test_a_session_that_does_nothing_after_its_login_is_online(hall, protocol):
    """No subscription, no message: the accepted login alone must count on every version."""
    worker = hall.online(protocol)
    assert hall.observer.connection(worker.worker_id)["session_count"] == 1


def test_a_goodbye_ends_a_session(hall, protocol):
    worker = hall.online(protocol, reason="lost")
    worker.disconnect()
    event = hall.observer.wait_event(worker.worker_id, connected=False)
    assert (event["reason"], event["detail"]) == (goodbye_reason(hall), None)
    hall.observer.wait_state(worker.worker_id, "offline")


def test_a_lost_session_tells_its_wills_words(hall, protocol):
    worker = hall.online(protocol, reason="power cut in hall 3")
    worker.drop()
    event = hall.observer.wait_event(worker.worker_id, connected=False, reason="connection_lost")
    assert event["detail"] == "power cut in hall 3"
    event = hall.observer.wait_state(worker.worker_id, "offline")
    assert (event["reason"], event["detail"]) == ("connection_lost", "power cut in hall 3")


def test_a_lost_session_without_a_will_is_closed_or_lost(hall, protocol):
    """2.0 cannot tell; 2.1 saw the connection break."""
    worker = hall.online(protocol)
    worker.drop()
    event = hall.observer.wait_state(worker.worker_id, "offline")
    lost = "connection_lost" if hall.broker.tells_how_sessions_end else "connection_closed"
    assert event["reason"] == lost


def test_a_reset_connection_is_lost_like_a_closed_one(hall):
    worker = hall.online("tcp-5", reason="reset")
    worker.wire.drop(reset=True)
    hall.observer.wait_event(worker.worker_id, connected=False, detail="reset")


def test_a_loss_is_reconnecting_for_the_grace_time_and_then_offline(hall):
    worker = hall.online(reason="gone")
    worker.drop()
    first = hall.observer.wait_event(worker.worker_id, connected=False)
    last = hall.observer.wait_state(worker.worker_id, "offline")
    assert first["state"] == "reconnecting"
    assert 0.2 < last["heard"] - first["heard"] < 2
    assert last["generation"] == first["generation"]
    assert last["disconnected_since"] == first["disconnected_since"] <= first["at"] < last["at"]


def test_a_worker_that_returns_within_the_grace_time_is_never_offline(hall):
    worker = hall.online(reason="gone")
    before = hall.observer.mark()
    worker.drop()
    hall.observer.wait_event(worker.worker_id, state="reconnecting")
    again = hall.online(identity=(worker.worker_id, worker.token))
    hall.observer.connection(worker.worker_id)
    states = [e["state"] for e in hall.observer.events_of(worker.worker_id, before)]
    assert states == ["reconnecting", "online"]
    assert again.wire.subscribe(again.topic("commands")) == 1


def test_a_second_session_keeps_the_worker_connected_when_the_first_goes(hall, protocol):
    first = hall.online(protocol, reason="first")
    hall.online(protocol, (first.worker_id, first.token), session="b")
    assert hall.observer.last_event(first.worker_id)["sessions"] == 2
    before = hall.observer.mark()
    first.drop()
    hall.observer.wait_event(first.worker_id, sessions=1, since=before)
    connection = hall.observer.connection(first.worker_id)
    assert [s["client_id"] for s in connection["sessions"]] == [first.worker_id + ".b"]
    assert all(e["connected"] for e in hall.observer.events_of(first.worker_id))


def test_a_takeover_changes_the_generation_and_shows_no_offline(hall, protocol):
    old = hall.online(protocol, reason="taken over")
    generation = hall.observer.last_event(old.worker_id)["generation"]
    hall.worker((old.worker_id, old.token), protocol).connect(reason="next")
    wait_until(lambda: hall.observer.last_event(old.worker_id)["generation"] > generation)
    assert old.wire.wait_closed()
    connection = hall.observer.connection(old.worker_id)
    assert (connection["connected"], connection["session_count"]) == (True, 1)
    assert all(e["connected"] for e in hall.observer.events_of(old.worker_id))


def test_twenty_takeovers_in_a_row_leave_one_session(hall):
    identity = hall.enroll()
    for _ in range(20):
        last = hall.worker(identity, "tcp-5").connect(reason="again")
    last.wire.ping()
    wait_until(lambda: hall.observer.connection(identity.worker_id)["generation"] >= 20)
    connection = hall.observer.connection(identity.worker_id)
    assert (connection["connected"], connection["session_count"]) == (True, 1)
    assert all(e["connected"] for e in hall.observer.events_of(identity.worker_id))


def test_a_silent_peer_is_seen_by_its_keepalive(hall):
    """1.5 times the keepalive and a second; 2.0.11 looks only every six seconds."""
    worker = hall.online("tcp-5", reason="silent", keepalive=1)
    before = hall.observer.last_event(worker.worker_id)["heard"]
    event = hall.observer.wait_event(worker.worker_id, connected=False, timeout=12)
    late = 6 if hall.broker.version < (2, 0, 12) else 1
    assert event["heard"] - before < 1.5 + late + 2
    expected = "keepalive_timeout" if hall.broker.tells_how_sessions_end else "connection_lost"
    assert (event["reason"], event["detail"]) == (expected, "silent")


def test_garbage_after_the_login_ends_that_session_alone(hall):
    neighbour = hall.online("tcp-5")
    worker = hall.online("tcp-5", reason="broken")
    worker.wire.send_raw(b"\xff\xff\xff\xff\xff\xff")
    event = hall.observer.wait_event(worker.worker_id, connected=False)
    expected = "protocol_error" if hall.broker.tells_how_sessions_end else "connection_lost"
    assert event["reason"] == expected
    assert hall.observer.connection(neighbour.worker_id)["connected"]


def test_a_worker_that_publishes_to_its_will_topic_changes_nothing(hall, protocol):
    worker = hall.online(protocol, reason="true will")
    before = hall.observer.last_event(worker.worker_id)
    worker.publish("will", {"reason": "not dead"})
    worker.wire.ping()
    assert hall.observer.connection(worker.worker_id)["connected"]
    assert hall.observer.last_event(worker.worker_id) == before
    worker.disconnect()
    event = hall.observer.wait_event(worker.worker_id, connected=False)
    assert (event["reason"], event["detail"]) == (goodbye_reason(hall), None)


@pytest.mark.parametrize("payload", [b"", b"not JSON", b"[1,2]", b'{"reason":7}', b"\xff\xfe",
                                     b'{"reason":"' + b"x" * 1000 + b'"}'],
                         ids=lambda p: repr(p[:24]))
def test_a_will_of_any_shape_proves_the_loss(hall, payload):
    identity = hall.enroll()
    worker = hall.worker(identity, "tcp-5")
    worker.wire = hall.broker.wire()
    will = (worker.topic("will"), payload, 1, False, 0)
    assert worker.wire.connect(identity.worker_id, *identity, will=Will(*will)) == 0
    hall.observer.wait_state(identity.worker_id, "online")
    worker.drop()
    assert hall.observer.wait_state(identity.worker_id, "offline")["reason"] == "connection_lost"


def test_a_delayed_will_does_not_delay_the_news(hall):
    identity = hall.enroll()
    wire = hall.wire(hall.broker.wire())
    will = Will(f"workers/{identity.worker_id}/will", '{"reason":"late words"}', delay=2)
    assert wire.connect(identity.worker_id, *identity, will=will) == 0
    hall.observer.wait_state(identity.worker_id, "online")
    wire.drop()
    hall.observer.wait_event(identity.worker_id, connected=False, timeout=1)
    event = hall.observer.wait_event(identity.worker_id, detail="late words", timeout=8)
    assert (event["connected"], event["reason"]) == (False, "connection_lost")


def test_a_late_will_does_not_touch_the_session_that_followed(hall):
    identity = hall.enroll()
    wire = hall.wire(hall.broker.wire())
    will = Will(f"workers/{identity.worker_id}/will", '{"reason":"late"}', delay=1)
    assert wire.connect(identity.worker_id, *identity, will=will) == 0
    hall.observer.wait_state(identity.worker_id, "online")
    wire.drop()
    hall.observer.wait_event(identity.worker_id, connected=False)
    since = hall.observer.mark()
    # Under a client id of its own, so that the broker does not cancel the will.
    hall.online("tcp-5", identity, session="next")
    hold_true(lambda: hall.observer.last_event(identity.worker_id)["connected"], 3)
    assert all(e["connected"] for e in hall.observer.events_of(identity.worker_id, since))


def test_a_session_expiry_ends_with_the_connection(hall):
    """On 2.0 the broker reports such a session's end twice, the second time when it returns."""
    worker = hall.online("tcp-5", reason="gone", expiry=600)
    worker.drop()
    hall.observer.wait_state(worker.worker_id, "offline")
    before = hall.observer.mark()
    hall.online("tcp-5", (worker.worker_id, worker.token), expiry=600)
    assert hall.observer.connection(worker.worker_id)["session_count"] == 1
    assert [e["state"] for e in hall.observer.events_of(worker.worker_id, before)] == ["online"]


def test_presence_is_retained_for_those_who_come_later(hall):
    worker = hall.online()
    last = hall.observer.last_event(worker.worker_id)
    late = hall.wire(hall.broker.ordinary_wire())
    assert late.subscribe(worker.topic("presence")) == 1
    message = late.receive(worker.topic("presence"))
    assert message.retain
    # Where it is, is for bridges alone.
    assert last["address"].endswith("127.0.0.1")
    assert json.loads(message.payload) == \
        {k: v for k, v in last.items() if k not in ("heard", "address")}


def test_a_worker_may_watch_its_own_presence(hall):
    worker = hall.online()
    assert worker.subscribe("presence") == 1
    assert worker.receive("presence")["state"] == "online"


def test_without_retain_presence_nothing_is_retained(new_hall):
    hall = new_hall(retain_presence="false")
    worker = hall.online("tcp-5")
    assert worker.subscribe("presence") == 1
    assert worker.wire.received_so_far() == []


def test_heartbeats_carry_the_position_every_half_second(hall):
    start = len(hall.observer.heartbeats)
    wait_until(lambda: len(hall.observer.heartbeats) >= start + 5)
    beats = hall.observer.heartbeats[start:start + 5]
    gaps = [b["heard"] - a["heard"] for a, b in zip(beats, beats[1:])]
    assert max(gaps) < 1.0 and min(gaps) > 0.2, gaps
    assert {beat["node"] for beat in beats} == {"test-node"}
    assert beats[-1]["seq"] >= hall.observer.last_event(hall.online().worker_id)["seq"] - 1


def test_a_reload_disconnects_nobody_and_changes_nothing(hall):
    """On SIGHUP the broker asks about the login of every session again."""
    workers = [hall.online(p) for p in PROTOCOLS]
    other = hall.wire(hall.broker.ordinary_wire())
    before = hall.observer.mark()
    generations = {w.worker_id: hall.observer.connection(w.worker_id)["generation"]
                   for w in workers}
    hall.broker.sighup()
    for worker in workers:
        assert worker.subscribe("commands") == 1
        connection = hall.observer.connection(worker.worker_id)
        assert connection["generation"] == generations[worker.worker_id]
        assert (connection["connected"], connection["session_count"]) == (True, 1)
        assert hall.observer.events_of(worker.worker_id, before) == []
    other.ping()

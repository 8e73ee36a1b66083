# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Idle workers hibernate: what shows it is getConnection's `hibernated`, and nothing else."""

import json

import pytest

from harness.identity import new_token
from harness.site import Hall
from harness.wait import hold_true, wait_until
from harness.worker import PROTOCOLS

AFTER_S = 1


@pytest.fixture(scope="module")
def sleepy(new_directory):
    hall = Hall(new_directory("sleepy"), hibernate_after=AFTER_S)
    yield hall
    hall.close()
    assert not hall.observer.faults


@pytest.fixture
def hall(sleepy):
    yield sleepy
    sleepy.dismiss()


def is_asleep(hall, worker):
    return hall.observer.connection(worker.worker_id)["hibernated"]


def wait_asleep(hall, *workers):
    wait_until(lambda: all(is_asleep(hall, w) for w in workers), 10, "they hibernate")


def asleep(hall, *args, **options):
    worker = hall.online(*args, **options)
    wait_asleep(hall, worker)
    return worker


def what_is_known(hall, worker):
    connection = hall.observer.connection(worker.worker_id)
    del connection["hibernated"]
    return connection


def send(hall, worker, payload, **members):
    return hall.observer.call("send", worker_id=worker.worker_id, topic="commands",
                              payload=payload, **members)


@pytest.mark.parametrize("protocol", ["ws-3.1.1", "tcp-5"])
def test_looking_and_pings_wake_nobody(hall, protocol):
    worker = hall.online(protocol, keepalive=7)
    assert worker.subscribe("commands") == 1
    worker.say("running")
    before = what_is_known(hall, worker)
    wait_asleep(hall, worker)
    events = hall.observer.events_of(worker.worker_id)

    def stays():
        worker.wire.ping()
        pages = hall.observer.call_pages("listConnections", only="connected")
        listed = [c for p in pages for c in p.get("data", p)["connections"]]
        assert worker.worker_id in [c["worker_id"] for c in listed]
        assert what_is_known(hall, worker) == before
        return is_asleep(hall, worker)
    hold_true(stays, AFTER_S / 2)
    assert hall.observer.events_of(worker.worker_id) == events
    session, = before["sessions"]
    assert session["keepalive"] == 7 and session["messages_received"] == 1
    assert before["reported_state"] == {"engine_status": "running"}


@pytest.mark.parametrize("protocol", ["tcp-3.1.1", "ws-5"])
def test_a_message_to_it_wakes_it_and_arrives(hall, protocol):
    worker = hall.online(protocol)
    assert worker.subscribe("commands") == 1
    before = what_is_known(hall, worker)
    wait_asleep(hall, worker)
    assert send(hall, worker, {"n": 1}) == {"generation": before["generation"], "sessions": 1}
    assert worker.receive("commands") == {"n": 1}
    after = what_is_known(hall, worker)
    assert after["sessions"][0].pop("messages_sent") > before["sessions"][0].pop("messages_sent")
    assert after["sessions"][0].pop("bytes_sent") > before["sessions"][0].pop("bytes_sent")
    assert after == before


def test_its_own_message_wakes_it_and_its_counters_go_on(hall):
    worker = hall.online()
    for n in range(1, 3):
        worker.publish("app/x", "12345")
        session, = hall.observer.connection(worker.worker_id)["sessions"]
        assert (session["messages_received"], session["bytes_received"]) == (n, 5 * n)
        wait_asleep(hall, worker)
    assert len(hall.observer.events_of(worker.worker_id)) == 1


def test_it_is_lost_with_the_words_of_its_will(hall):
    """As its process dies: nothing but the end of its connection comes."""
    worker = asleep(hall, reason="segfault")
    worker.wire.drop(reset=True)
    event = hall.observer.wait_event(worker.worker_id, connected=False)
    assert (event["reason"], event["detail"]) == ("connection_lost", "segfault")
    assert hall.observer.wait_state(worker.worker_id, "offline")["generation"] == 1


def test_it_is_kicked(hall):
    worker = hall.online()
    worker.subscribe("notice")
    wait_asleep(hall, worker)
    assert hall.observer.call("disconnect", worker_id=worker.worker_id) == {"sessions": 1}
    assert worker.receive("notice")["code"] == "KICKED"
    assert worker.wire.wait_closed()
    assert hall.observer.wait_state(worker.worker_id, "offline")["reason"] == "kicked"


def test_its_token_expires(hall):
    identity = hall.enroll(expires_in=2 * AFTER_S + 1)
    worker = asleep(hall, identity=identity)
    assert worker.wire.wait_closed(10)
    assert hall.observer.wait_state(worker.worker_id, "offline")["reason"] == "token_expired"


def test_its_token_is_taken_away(hall):
    worker = asleep(hall)
    hall.directory.put(hall.directory.entry(
        worker.worker_id, [hall.directory.hash_entry(new_token())]))
    assert worker.wire.wait_closed()
    assert hall.observer.wait_state(worker.worker_id, "offline")["reason"] == "revoked"


def test_sessions_that_overlap(hall):
    identity = hall.enroll()
    first = asleep(hall, identity=identity, session="a")
    second = hall.online(identity=identity, session="b", protocol="tcp-5")
    first.subscribe("commands")
    second.subscribe("commands")
    before = what_is_known(hall, first)
    assert [s["client_id"] for s in before["sessions"]] == [second.client_id, first.client_id]
    wait_asleep(hall, first)
    assert what_is_known(hall, first) == before
    assert send(hall, first, {"n": 2}, target="all")["sessions"] == 2
    assert first.receive("commands") == second.receive("commands") == {"n": 2}
    wait_asleep(hall, first)
    second.disconnect()
    hall.observer.wait_event(identity.worker_id, sessions=1,
                             since=hall.observer.mark() - 1)
    session, = hall.observer.connection(identity.worker_id)["sessions"]
    assert session["client_id"] == first.client_id


def test_a_successor_takes_it_over(hall):
    """The same client id over a new connection, while the old one still seems to be there."""
    worker = asleep(hall, reason="never said")
    successor = hall.worker((worker.worker_id, worker.token)).connect()
    hall.observer.wait_event(worker.worker_id, generation=2)
    assert worker.wire.wait_closed()
    successor.wire.ping()
    assert [e["state"] for e in hall.observer.events_of(worker.worker_id)] == ["online"] * 2


def test_a_reload_of_the_configuration_leaves_it(hall):
    workers = [hall.online(protocol, reason="x") for protocol in PROTOCOLS]
    wait_asleep(hall, *workers)
    hall.broker.sighup()
    for worker in workers:
        assert worker.publish("app/x", "y") == 0
        assert len(hall.observer.events_of(worker.worker_id)) == 1
        assert hall.observer.connection(worker.worker_id)["session_count"] == 1


def test_the_broker_dies(new_hall):
    """What hibernated is no more connected than the rest, and its file is no obstacle."""
    hall = new_hall(hibernate_after=AFTER_S)
    worker = asleep(hall)
    hall.broker.kill9()
    assert (hall.broker.directory / "plugin" / "hibernated").stat().st_size > 0
    hall.broker.start()
    hall.observer.wait_ready()
    connection = hall.observer.connection(worker.worker_id)
    assert (connection["state"], connection["hibernated"]) == ("offline", False)
    assert connection["reason"] == "broker_restart"
    assert connection["sessions"] == []
    assert (hall.broker.directory / "plugin" / "hibernated").stat().st_size == 0
    since = hall.observer.mark()
    worker.connect()
    event = hall.observer.wait_event(worker.worker_id, since=since, state="online")
    assert event["generation"] > 1


def test_the_plugin_counts_them(hall):
    before = hall.observer.call("getStats")
    worker = asleep(hall)
    after = hall.observer.call("getStats")
    assert after["gauges"]["objects_hibernated"] == before["gauges"]["objects_hibernated"] + 1
    assert after["counters"]["hibernations"] > before["counters"]["hibernations"]
    worker.publish("app/x", json.dumps("y"))
    woken = hall.observer.call("getStats")
    assert woken["gauges"]["objects_hibernated"] == before["gauges"]["objects_hibernated"]
    assert woken["histograms"]["wake_duration_seconds"]["count"] == \
        after["histograms"]["wake_duration_seconds"]["count"] + 1

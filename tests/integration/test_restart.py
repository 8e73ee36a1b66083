# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""What the plugin remembers when its broker was killed or stopped, and what it must not."""

import json
import subprocess

import pytest

from harness.broker import Broker
from harness.process import Ended
from harness.wait import wait_until


@pytest.fixture
def own(new_hall):
    return new_hall()


def kill_and_start(hall):
    hall.broker.kill9()
    start(hall)


def stop_and_start(hall):
    assert hall.broker.terminate() == 0
    start(hall)


def start(hall):
    hall.broker.start()
    hall.observer.wait_ready()


def test_after_a_kill_nobody_is_connected(own):
    workers = [own.online("tcp-5", reason="x") for _ in range(3)]
    kill_and_start(own)
    for worker in workers:
        connection = own.observer.connection(worker.worker_id)
        assert (connection["connected"], connection["sessions"]) == (False, [])
        assert (connection["state"], connection["reason"]) == ("offline", "broker_restart")
        assert connection["connected_since"] is None


def test_after_a_shutdown_in_order_nobody_is_connected(own):
    workers = [own.online(p, reason="x") for p in ("tcp-5", "ws-5")]
    stop_and_start(own)
    for worker in workers:
        connection = own.observer.connection(worker.worker_id)
        assert (connection["state"], connection["reason"]) == ("offline", "broker_shutdown")


def test_retained_presence_says_so_too(own):
    worker = own.online("tcp-5", reason="x")
    kill_and_start(own)
    late = own.wire(own.broker.ordinary_wire())
    late.subscribe(worker.topic("presence"))
    event = json.loads(late.receive(worker.topic("presence")).payload)
    assert (event["connected"], event["reason"]) == (False, "broker_restart")


@pytest.mark.parametrize("again", [kill_and_start, stop_and_start])
def test_what_ended_before_keeps_its_reason(own, again):
    worker = own.online("tcp-5", reason="long ago")
    worker.drop()
    before = own.observer.wait_state(worker.worker_id, "offline")
    again(own)
    connection = own.observer.connection(worker.worker_id)
    assert (connection["reason"], connection["detail"]) == ("connection_lost", "long ago")
    assert connection["disconnected_since"] == before["disconnected_since"]


@pytest.mark.parametrize("again", [kill_and_start, stop_and_start])
def test_boot_and_generation_only_grow(own, again):
    """Also when the broker is started several times within a second."""
    identity = own.enroll()
    seen = []
    for _ in range(4):
        own.online("tcp-5", identity)
        event = own.observer.last_event(identity.worker_id)
        seen.append((event["boot"], event["generation"]))
        again(own)
    boots, generations = zip(*seen)
    assert list(boots) == sorted(set(boots))
    assert list(generations) == sorted(set(generations))


def test_a_worker_is_admitted_after_a_restart_without_anyones_help(own):
    identity = own.enroll()
    own.observer.close()
    own.broker.kill9()
    own.broker.start()
    assert own.worker(identity, "ws-5").connect().subscribe("commands") == 1


@pytest.mark.parametrize("again", [kill_and_start, stop_and_start])
def test_what_a_worker_said_of_its_state_survives(own, again):
    worker = own.online("tcp-5")
    worker.publish("state", {"engine_status": "running", "line": 4})
    assert own.observer.connection(worker.worker_id)["reported_state"]
    # Its write is on its way when the next heartbeat is out: the tick does both.
    beats = len(own.observer.heartbeats)
    wait_until(lambda: len(own.observer.heartbeats) > beats + 1)
    again(own)
    connection = own.observer.connection(worker.worker_id)
    assert connection["reported_state"] == {"engine_status": "running", "line": 4}


def test_the_first_events_of_a_boot_begin_a_new_count(own):
    worker = own.online("tcp-5")
    old = own.observer.last_event(worker.worker_id)
    kill_and_start(own)
    mark = own.observer.mark()
    own.online("tcp-5", (worker.worker_id, worker.token))
    event = own.observer.wait_event(worker.worker_id, state="online", since=mark)
    assert event["boot"] > old["boot"]
    assert (event["boot"], event["seq"]) > (old["boot"], old["seq"])
    assert event["generation"] > old["generation"]


def test_many_lost_workers_and_a_killed_broker_leave_a_true_picture(own):
    identities = own.directory.enroll_many(60)
    workers = [own.worker(i, "tcp-5").connect(reason="bye") for i in identities]
    for worker in workers[::2]:
        worker.drop()
    kill_and_start(own)
    for identity in identities[::3]:
        own.online("tcp-5", identity)
    page = own.observer.call("listConnections", limit=1000, only="connected")
    assert {c["worker_id"] for c in page["connections"]} == \
        {i.worker_id for i in identities[::3]}


def test_a_storage_path_that_cannot_be_used_stops_the_broker_with_a_word(new_directory):
    directory = new_directory("no-storage")
    (directory / "file").write_text("")
    broker = Broker(directory)
    config = directory / "mosquitto.conf"
    config.write_text(config.read_text().replace(
        f"storage_path {directory / 'plugin'}", f"storage_path {directory / 'file'}"))
    with pytest.raises(Ended):
        broker.start()
    assert str(directory / "file") in broker.process.log_text()


@pytest.mark.parametrize("option, value", [
    ("reconnect_grace_ms", "soon"), ("no_such_option", "1"), ("retain_presence", "maybe"),
    ("max_worker_keepalive", "0"), ("transports", "udp"), ("topic_root", "a/+/b")])
def test_an_option_that_is_wrong_stops_the_broker_and_is_named(new_directory, option, value):
    broker = Broker(new_directory("bad-option"), **{option: value})
    broker.process.start()
    try:
        assert broker.process.wait(10) != 0
    except subprocess.TimeoutExpired:
        broker.kill9()
        raise
    assert option in broker.process.log_text()

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The main job: what REST says about who is connected, with ordinary clients on the other end."""

import json
import threading
import time
import uuid

import pytest

from harness.observer import paho_client
from harness.wait import wait_until
from harness.worker import PROTOCOLS

STATUS_MEMBERS = {
    "worker_id", "name", "status", "connected", "state", "engine_status", "memory", "cpu", "rate",
    "metrics", "last_report", "last_report_age_seconds", "connected_since", "disconnected_since",
    "disconnect_reason"}


@pytest.fixture(params=PROTOCOLS)
def protocol(request):
    return request.param


class PahoWorker:
    """An ordinary worker made with an ordinary library, in ten lines as a user would write it."""

    def __init__(self, broker, identity, protocol):
        websocket, version = PROTOCOLS[protocol]
        self.worker_id, token = identity
        self.client = paho_client(self.worker_id, "websockets" if websocket else "tcp", version)
        self.client.username_pw_set(self.worker_id, token)
        self.client.will_set(f"workers/{self.worker_id}/will", json.dumps({"reason": "crash"}), 1)
        if websocket:
            self.client.ws_set_options(path=f"/ws/{self.worker_id}")
        self.client.reconnect_delay_set(1, 1)
        self.connected, self.messages = threading.Event(), []
        self.client.on_connect = lambda *_: self.connected.set()
        self.client.on_message = lambda _c, _u, m: self.messages.append(json.loads(m.payload))
        self.client.connect("127.0.0.1", broker.ws_port if websocket else broker.mqtt_port, 20)
        self.client.loop_start()
        assert self.connected.wait(10)

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def ordinary(site, rest, protocol):
    worker = PahoWorker(site.broker, rest.register(f"ordinary {protocol}"), protocol)
    yield worker
    worker.close()


def test_an_ordinary_client_is_seen_and_seen_to_go(site, rest, ordinary):
    row = rest.wait_connected(ordinary.worker_id)
    assert row.keys() >= STATUS_MEMBERS
    assert (row["state"], row["disconnect_reason"]) == ("online", None)
    assert row["connected_since"].endswith("Z") and row["disconnected_since"] is None
    ordinary.close()
    row = rest.wait_connected(ordinary.worker_id, False)
    assert row["disconnect_reason"] == (
        "client_disconnect" if site.broker.tells_how_sessions_end else "connection_closed")
    assert row["disconnected_since"].endswith("Z")
    wait_until(lambda: rest.status_of(ordinary.worker_id)["state"] == "offline")


def test_an_ordinary_client_is_started_and_stopped(rest, ordinary):
    rest.wait_connected(ordinary.worker_id)
    answer = rest.post(f"/workers/{ordinary.worker_id}/start", {"speed": 3}, 202)
    command = wait_until(lambda: ordinary.messages and ordinary.messages[0])
    assert command["command_id"] == answer["command_id"]
    assert (command["type"], command["payload"]) == ("engine_start", {"speed": 3})


def test_a_lost_worker_is_told_from_one_that_left(site, rest, protocol):
    worker = site.online(protocol, reason="out of battery")
    worker.drop()
    row = rest.wait_connected(worker.worker_id, False)
    assert row["disconnect_reason"] == "connection_lost"
    record = rest.worker(worker.worker_id)
    assert record["connection"]["detail"] == "out of battery"


def test_reconnecting_comes_before_offline(site, rest):
    worker = site.online(reason="lost")
    worker.drop()
    assert rest.wait_connected(worker.worker_id, False)["state"] == "reconnecting"
    wait_until(lambda: rest.status_of(worker.worker_id)["state"] == "offline")


def test_a_second_session_keeps_the_worker_connected(site, rest):
    first = site.online("ws-5", reason="first")
    site.worker((first.worker_id, first.token), "ws-5", "b").connect()
    wait_until(lambda: rest.worker(first.worker_id)["connection"]["sessions"] == 2)
    first.drop()
    wait_until(lambda: rest.worker(first.worker_id)["connection"]["sessions"] == 1)
    assert rest.status_of(first.worker_id)["connected"] is True


def test_a_takeover_is_never_seen_as_absence(site, rest):
    worker = site.online("tcp-5", reason="x")
    stop, seen = threading.Event(), set()

    def watch():
        with rest.twin() as mine:
            while not stop.is_set():
                seen.add(mine.status_of(worker.worker_id)["connected"])
    thread = threading.Thread(target=watch)
    thread.start()
    for _ in range(50):
        worker = site.worker((worker.worker_id, worker.token), "tcp-5").connect(reason="x")
    stop.set()
    thread.join()
    assert seen == {True}


def test_a_refused_login_is_not_a_connection_and_is_written_down(site, rest):
    identity = rest.register()
    worker = site.worker((identity.worker_id, "tk_wrong"))
    with pytest.raises(Exception, match="CONNACK"):
        worker.connect()
    assert rest.status_of(identity.worker_id)["connected"] is False
    row = wait_until(lambda: site.database.query(
        "SELECT * FROM token_log WHERE worker_id = %s AND event = 'login_refused'",
        identity.worker_id))[0]
    assert row["code"] == "INVALID_TOKEN" and row["address"].endswith("127.0.0.1")
    assert "tk_wrong" not in str(row)


def test_a_never_connected_worker_is_offline(rest):
    row = rest.status_of(rest.register().worker_id)
    assert (row["connected"], row["state"], row["disconnect_reason"]) == (False, "offline", None)
    assert (row["memory"], row["engine_status"], row["last_report"]) == (None, None, None)
    assert row["last_report_age_seconds"] is None


def test_all_three_reads_agree_with_the_plugin(site, rest):
    worker = site.online()
    for expected in (True, False):
        rest.wait_connected(worker.worker_id, expected)
        assert rest.worker(worker.worker_id)["is_connected"] is expected
        assert rest.get("/workers", id=worker.worker_id)[0]["is_connected"] is expected
        assert rest.get(f"/workers/{worker.worker_id}/connection")["connected"] is expected
        worker.drop()


def test_a_row_that_was_asked_for_before_tells_of_every_change(site, rest):
    identity = rest.register("as it was")

    def shown(**wanted):
        """Asks once more after it was right, for a row is kept once it was asked for."""
        def fits():
            row = rest.status_of(identity.worker_id)
            return row if wanted.items() <= row.items() else None
        wait_until(fits, 5, str(wanted))
        return fits()

    assert shown(connected=False, memory=None)
    worker = site.online(identity=identity)
    assert shown(connected=True, state="online", disconnected_since=None)
    worker.report(memory=12.5, cpu=1, rate=2)
    assert shown(connected=True, memory=12.5)
    worker.say("running")
    assert shown(engine_status="running")
    rest.ok("PATCH", f"/workers/{identity.worker_id}", 200, json={"name": "as it is"})
    assert shown(connected=True, name="as it is", memory=12.5)
    worker.disconnect()
    assert shown(connected=False, connected_since=None, memory=12.5)
    again = site.online(identity=identity)
    assert shown(connected=True, disconnect_reason=None)
    again.drop()
    assert shown(connected=False)["disconnected_since"]


def test_a_storm_of_sessions_ends_in_the_truth(site, rest):
    """Forty workers come and go for a while; what REST says at the end is what they did last."""
    tag = uuid.uuid4().hex[:8]
    workers = [site.worker(rest.register(tags=[tag]), p) for p in list(PROTOCOLS) * 10]
    for round_ in range(5):
        for n, worker in enumerate(workers):
            if worker.wire is None:
                worker.connect(reason="storm")
            elif (n + round_) % 3:
                worker.drop()
                worker.wire = None
    here = {w.worker_id for w in workers if w.wire}

    def agrees():
        rows = rest.get("/workers/status", tag=tag)["workers"]
        return {r["worker_id"] for r in rows if r["connected"]} == here
    wait_until(agrees)
    time_of_truth = time.monotonic()
    wait_until(lambda: time.monotonic() > time_of_truth + 0.5 and agrees())


def test_a_reload_of_the_broker_changes_nothing(site, rest):
    worker = site.online()
    before = rest.worker(worker.worker_id)["connection"]
    site.broker.sighup()
    worker.wire.ping()
    assert rest.worker(worker.worker_id)["connection"] == before

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Any part dies and returns, in any order: never a wrong yes, and no help needed."""

import contextlib
import datetime
import http.client
import itertools
import json
import signal
import threading
import time

import pytest
import requests

from harness.bridge import Bridge
from harness.fleet import Fleet
from harness.rest import Rest
from harness.wait import hold_true, wait_until

PARTS = ("broker", "bridge", "database")


@pytest.fixture
def own(new_site, new_database_server):
    """An installation with a database server of its own."""
    return new_site(new_database_server())


def statuses(site):
    return [row["connected"] for row in site.rest.get("/workers/status")["workers"]]


def reasons(site):
    return {row["disconnect_reason"] for row in site.rest.get("/workers/status")["workers"]}


def all_are(site, value, count):
    return lambda: statuses(site) == [value] * count


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")


# ---- the broker ------------------------------------------------------------------------------


@pytest.mark.parametrize("end, reason", [("kill9", "broker_restart"),
                                         ("terminate", "broker_shutdown")])
def test_a_dying_broker_takes_all_connections_with_it(own, end, reason):
    count = 200
    fleet = Fleet(own.broker, [own.rest.register() for _ in range(count)]).connect()
    wait_until(all_are(own, True, count))
    bridge = own.bridge.process.pid

    getattr(own.broker, end)()
    died = time.monotonic()
    wait_until(lambda: True not in statuses(own), 1, "nobody is reported connected")
    wait_until(all_are(own, None, count), 1)
    assert own.rest.get("/workers/status")["workers"][0]["state"] == "unknown"
    own.rest.fails("GET", f"/workers/{fleet.identities[0].worker_id}/connection", 503,
                   "BROKER_UNAVAILABLE")
    hold_true(all_are(own, None, count), 0.5)
    print(f"nobody connected {(time.monotonic() - died) * 1000:.0f} ms after {end}")

    fleet.drop()
    own.broker.start()
    wait_until(all_are(own, False, count), 10)
    assert reasons(own) == {reason}
    fleet.connect()
    wait_until(all_are(own, True, count), 10)
    assert own.bridge.process.pid == bridge and own.bridge.process.alive
    fleet.drop()


def test_workers_that_were_offline_before_keep_their_reason(own):
    worker = own.online("tcp-5", reason="earlier")
    worker.drop()
    wait_until(lambda: own.rest.status_of(worker.worker_id)["state"] == "offline")
    before = own.rest.status_of(worker.worker_id)
    own.broker.kill9()
    own.rest.wait_connected(worker.worker_id, None)
    own.broker.start()
    after = own.rest.wait_connected(worker.worker_id, False, 10)
    assert after["disconnect_reason"] == "connection_lost"
    assert after["disconnected_since"] == before["disconnected_since"]


def test_a_broker_that_is_frozen_is_not_believed(own):
    """No heartbeat for two seconds: what was known may be wrong by now."""
    worker = own.online("tcp-5")
    own.broker.process.freeze()
    try:
        own.rest.wait_connected(worker.worker_id, None, 4)
        assert own.bridge.probe("/readyz") == 503
    finally:
        own.broker.process.signal(signal.SIGCONT)
    own.rest.wait_connected(worker.worker_id, True, 10)


def test_a_broker_that_is_restarted_again_and_again(own):
    worker = own.worker(own.rest.register(), "tcp-5")
    for n in range(5):
        worker.connect()
        own.rest.wait_connected(worker.worker_id, True, 10)
        own.broker.kill9() if n % 2 else own.broker.terminate()
        own.rest.wait_connected(worker.worker_id, None)
        own.broker.start()
        own.rest.wait_connected(worker.worker_id, False, 10)


def test_commands_say_that_the_broker_is_away(own):
    worker = own.online("tcp-5")
    own.broker.kill9()
    own.rest.wait_connected(worker.worker_id, None)
    for path, body in (("start", {}), ("stop", {}), ("send", {"message": "x"})):
        own.rest.fails("POST", f"/workers/{worker.worker_id}/{path}", 503, "BROKER_UNAVAILABLE",
                       json=body)


# ---- the database ----------------------------------------------------------------------------


def test_a_database_that_is_frozen_is_not_ready(own):
    own.server.process.freeze()
    try:
        assert own.bridge.probe("/readyz") == 503
        assert own.bridge.probe("/livez") == 200
    finally:
        own.server.process.signal(signal.SIGCONT)
    own.bridge.wait_ready(10)



@pytest.mark.parametrize("end", ["stop", "kill9"])
def test_without_the_database_workers_connect_and_reads_are_answered(own, end):
    rest, before, late = own.rest, own.online("ws-5"), own.rest.register()
    getattr(own.server, end)()
    assert own.bridge.probe("/readyz") == 503  # the very first one
    newcomer = own.worker(late, "ws-5").connect()
    rest.wait_connected(late.worker_id)
    before.drop()
    rest.wait_connected(before.worker_id, False)
    assert len(rest.get("/workers")) == 2
    assert rest.worker(late.worker_id)["is_connected"] is True
    assert rest.get(f"/workers/{late.worker_id}/connection")["connected"] is True
    assert rest.get("/auth/me")["username"] == "admin"
    assert own.bridge.probe("/livez") == 200
    rest.post(f"/workers/{late.worker_id}/send", {"message": "needs no record"})

    for method, path, body in (
            ("POST", "/workers", {"name": "not now"}),
            ("PATCH", f"/workers/{late.worker_id}", {"name": "not now"}),
            ("DELETE", f"/workers/{late.worker_id}", None),
            ("POST", f"/workers/{late.worker_id}/token", {}),
            ("POST", f"/workers/{late.worker_id}/revoke", {}),
            ("POST", f"/workers/{late.worker_id}/start", {})):
        rest.fails(method, path, 503, "DATABASE_UNAVAILABLE", json=body)
    assert len(rest.get("/workers")) == 2
    assert rest.worker(late.worker_id)["status"] == "active"

    own.server.start()
    own.bridge.wait_ready(10)
    assert rest.register()
    rest.post(f"/workers/{late.worker_id}/revoke")
    assert newcomer.wire.wait_closed(1)


def test_reports_wait_for_the_database_and_are_then_acknowledged(own):
    worker = own.online("tcp-5")
    own.server.kill9()
    for seq in range(1, 51):
        worker.report(memory=seq, seq=seq, at=now())
    assert not [m for m in worker.wire.received_so_far() if b'"seqs":[' in m.payload
                and b'"seqs":[]' not in m.payload]
    own.server.start()
    acknowledged = set()
    while len(acknowledged) < 50:
        acknowledged |= set(worker.receive("metrics/ack", 10)["seqs"])
    assert own.database.value("SELECT COUNT(*) FROM metrics WHERE worker_id = %s",
                              worker.worker_id) == 50


def test_a_frozen_database_holds_up_no_read(own):
    worker = own.online("tcp-5")
    own.server.process.freeze()
    try:
        for _ in range(20):
            start = time.monotonic()
            own.rest.get("/workers/status")
            assert time.monotonic() - start < 1
        worker.drop()
        own.rest.wait_connected(worker.worker_id, False, 2)
    finally:
        own.server.process.signal(signal.SIGCONT)
    wait_until(lambda: own.rest.request("POST", "/workers", json={"name": "again"}).status_code
               == 201, 20)


# ---- the bridge ------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["terminate", "kill9"])
def test_without_the_bridge_workers_come_and_go_and_it_learns_of_it(own, end):
    rest = own.rest
    stays, goes, comes = own.online("ws-5"), own.online("tcp-5", reason="bye"), rest.register()
    getattr(own.bridge, end)()
    goes.drop()
    own.worker(comes, "ws-5").connect()
    stays.wire.ping()
    own.bridge.start()
    expected = {stays.worker_id: True, goes.worker_id: False, comes.worker_id: True}
    rows = {r["worker_id"]: r["connected"] for r in rest.get("/workers/status")["workers"]}
    assert rows == expected
    assert rest.status_of(goes.worker_id)["disconnect_reason"] == "connection_lost"


def test_a_bridge_that_ends_in_order_ends_with_zero(own):
    own.online("tcp-5")
    assert own.bridge.terminate() == 0


def ask_later(site, path):
    """A question that is sent now, and a function that reads its answer."""
    connection = http.client.HTTPConnection("127.0.0.1", site.bridge.port, timeout=10)
    connection.request("GET", path,
                       headers={"Authorization": site.rest.session.headers["Authorization"]})

    def read():
        with contextlib.closing(connection):
            return json.load(connection.getresponse())
    return read


def test_a_bridge_that_was_held_up_catches_up_before_it_answers(own):
    """More happens meanwhile than the broker sends to a client that does not acknowledge, so
    that the news is not even on its way when the first question is read."""
    workers = [own.online("tcp-5") for _ in range(40)]
    for _ in range(5):
        own.bridge.process.freeze()
        until = time.monotonic() + 0.2  # twice what an answer may be old
        for worker in workers:
            worker.drop()
            # Each in a turn of the broker's loop of its own, so each a message of its own.
            own.broker.wire().drop()
        while time.monotonic() < until:
            own.broker.wire().drop()
        answers = [ask_later(own, "/workers/status") for _ in range(8)]
        own.bridge.process.signal(signal.SIGCONT)
        for answer in answers:
            assert {row["connected"] for row in answer()["workers"]} == {False}
        for worker in workers:
            worker.connect()
        wait_until(all_are(own, True, len(workers)))


def test_two_bridges_say_the_same(own, new_directory):
    second = Bridge(new_directory("second"), own.broker, own.database, "bridge-2").start()
    rests = [own.rest, Rest(second.url).login()]
    worker = own.online("tcp-5")
    for rest in rests:
        rest.wait_connected(worker.worker_id)
    by_second = rests[1].register("made by the second")
    wait_until(lambda: any(r["id"] == by_second.worker_id for r in own.rest.get("/workers")))
    rests[1].post(f"/workers/{worker.worker_id}/revoke")
    wait_until(lambda: own.rest.worker(worker.worker_id)["status"] == "revoked")
    rests[1].ok("DELETE", f"/workers/{by_second.worker_id}", 200)
    wait_until(lambda: not own.rest.get("/workers", id=by_second.worker_id))
    rests[1].session.close()
    assert second.terminate() == 0


# ---- all of them -----------------------------------------------------------------------------


def control(site, part, verb):
    if part == "broker":
        site.broker.kill9() if verb == "stop" else site.broker.start()
    elif part == "database":
        site.server.kill9() if verb == "stop" else site.server.start()
    else:
        site.rest.session.close()
        site.bridge.kill9() if verb == "stop" else site.bridge.start(ready=False)


def test_every_order_of_starting_ends_in_the_same_picture(own):
    worker = own.worker(own.rest.register(), "tcp-5").connect()
    own.rest.wait_connected(worker.worker_id)
    for order in itertools.permutations(PARTS):
        for part in PARTS:
            control(own, part, "stop")
        for part in order:
            control(own, part, "start")
        own.bridge.wait_ready()
        assert own.rest.status_of(worker.worker_id)["connected"] is False, order
        worker.connect()
        own.rest.wait_connected(worker.worker_id)


def test_every_pair_may_be_away_at_once(own):
    worker = own.worker(own.rest.register(), "tcp-5")
    for pair in itertools.permutations(("broker", "database")):
        worker.connect()
        own.rest.wait_connected(worker.worker_id)
        for part in pair:
            control(own, part, "stop")
        own.rest.wait_connected(worker.worker_id, None)
        for part in pair:
            control(own, part, "start")
        own.bridge.wait_ready()
        assert own.rest.status_of(worker.worker_id)["connected"] is False


# ---- in order --------------------------------------------------------------------------------


def test_a_bridge_that_is_asked_all_the_time_stops_in_order(new_site):
    """Questions on connections that were kept open come in its very last turns, too, and what
    they started ends after them."""
    site = new_site()
    path = f"/workers/{site.rest.register().worker_id}"
    over = threading.Event()

    def ask(*questions):
        with site.rest.twin() as rest:
            while not over.is_set():
                try:
                    for method, what in questions:
                        rest.request(method, path + what, json={})
                except requests.RequestException:
                    pass

    askers = [threading.Thread(target=ask, args=questions) for questions in
              [[("GET", "/connection")]] * 8 + [[("POST", "/revoke"), ("POST", "/reinstate"),
                                                ("POST", "/token")]] * 4]
    for asker in askers:
        asker.start()
    try:
        for _ in range(3):
            assert site.bridge.terminate() == 0, site.bridge.process.log_text()[-500:]
            site.bridge.start()
    finally:
        over.set()
        for asker in askers:
            asker.join()

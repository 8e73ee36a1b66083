# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""GET /events: list, then watch, and nothing is missed in between."""

import contextlib
import json
import resource
import selectors
import shutil
import socket
import time
from urllib.parse import urlsplit

import pytest

from harness.listener import Listener
from harness.wait import wait_until


@pytest.fixture
def listen(rest):
    with contextlib.ExitStack() as stack:
        def make(**options):
            listener = Listener(rest, **options)
            stack.callback(listener.close)
            return listener
        yield make


def cursor_of(rest):
    return rest.get("/workers/status", limit=1)["cursor"]


# ---- what is told ----

def test_a_worker_is_seen_to_come_and_go(site, rest, listen):
    identity = rest.register()
    listener = listen(worker=identity.worker_id, types="presence")
    worker = site.online(identity=identity)
    event = listener.wait("presence", state="online")
    assert event.data["worker_id"] == identity.worker_id and event.data["connected"] is True
    worker.drop()
    gone = listener.wait("presence", state="offline")
    assert gone.data["reason"] in ("connection_lost", "connection_closed")
    seqs = [(e.data["boot"], e.data["seq"]) for e in listener.found("presence")]
    assert seqs == sorted(set(seqs)) and seqs[-1][0] == event.data["boot"]


def test_what_happens_between_the_list_and_the_listener_is_told(site, rest, listen):
    identity = rest.register()
    cursor = cursor_of(rest)
    site.online(identity=identity)
    listener = listen(cursor=cursor, worker=identity.worker_id)
    assert listener.wait("presence").data["state"] == "online"
    assert not listener.found("reset")


def test_the_list_of_workers_has_the_cursor_too(rest, listen):
    cursor = rest.request("GET", "/workers", params={"limit": 1}).headers["X-Rollcall-Cursor"]
    identity = rest.register()
    assert listen(cursor=cursor, worker=identity.worker_id).wait("worker")


def test_a_record_is_told_when_it_is_made_changed_and_deleted(rest, listen):
    listener = listen(types="worker")
    identity = rest.register("told of", tags=["a"])
    made = listener.wait("worker", worker_id=identity.worker_id, change="created").data
    assert (made["name"], made["tags"], made["status"]) == ("told of", ["a"], "active")
    rest.ok("PATCH", f"/workers/{identity.worker_id}", 200, json={"name": "another name"})
    changed = listener.wait("worker", worker_id=identity.worker_id, change="changed").data
    assert changed["name"] == "another name"
    rest.post(f"/workers/{identity.worker_id}/revoke")
    listener.wait("worker", worker_id=identity.worker_id, status="revoked")
    rest.ok("DELETE", f"/workers/{identity.worker_id}", 200)
    listener.wait("worker", worker_id=identity.worker_id, change="deleted")
    text = json.dumps([e.data for e in listener.events])
    assert identity.token not in text and "hash" not in text


def test_reports_are_told_as_the_latest_one(site, rest, listen):
    worker = site.online()
    listener = listen(types="metrics", worker=worker.worker_id)
    for n in range(50):
        worker.publish("metrics", json.dumps({"cpu": n, "depth": n, "engine_status": "running"}))
    last = listener.wait("metrics", cpu=49).data
    assert last["metrics"] == {"depth": 49} and last["engine_status"] == "running"
    assert last["last_report"].endswith("Z")
    assert len(listener.events) < 50


def test_a_command_is_told_step_by_step(site, rest, listen):
    worker = site.online()
    listener = listen(types="command", worker=worker.worker_id)
    command = rest.post(f"/workers/{worker.worker_id}/start", {}, 202)["command_id"]
    for status in ("accepted", "done"):
        worker.publish("results", json.dumps({"command_id": command, "status": status}))
        listener.wait("command", command_id=command, state=status)
    states = [e.data["state"] for e in listener.found("command", command_id=command)]
    assert states == ["queued", "sent", "accepted", "done"]


# ---- what is asked for ----

def test_only_what_is_asked_for_is_told(site, rest, listen):
    mine, other = rest.register(), rest.register()
    presence = listen(types="presence", worker=[mine.worker_id, "wrk_thatisnotthere"])
    records = listen(types="worker,command")
    site.online(identity=other)
    worker = site.online(identity=mine)
    worker.publish("metrics", '{"cpu": 1}')
    rest.ok("PATCH", f"/workers/{mine.worker_id}", 200, json={"tags": ["x"]})
    presence.wait("presence", worker_id=mine.worker_id)
    records.wait("worker", worker_id=mine.worker_id)
    assert {(e.kind, e.data["worker_id"]) for e in presence.events} == {
        ("presence", mine.worker_id)}
    assert {e.kind for e in records.events} == {"worker"}


@pytest.mark.parametrize("query, names", [
    ({"types": "presence,weather"}, "types"), ({"types": ","}, "types"),
    ({"worker": "no worker"}, "worker"), ({"cursor": "%%%"}, "cursor"), ({"type": "x"}, "type"),
    ({"worker": [f"wrk_{n}" for n in range(1001)]}, "worker")])
def test_a_question_that_is_wrong_is_refused(rest, query, names):
    rest.fails("GET", "/events", 400, "INVALID_REQUEST", names, params=query)


def test_strangers_hear_nothing(rest):
    rest.fails("GET", "/events", 401, "UNAUTHENTICATED", headers={"Authorization": "Bearer x"})


# ---- going on ----

def test_a_listener_goes_on_where_it_was(site, rest, listen):
    """A browser that comes back repeats the address, with its old cursor, and says in a header
    what it has."""
    identity = rest.register()
    old = cursor_of(rest)
    worker = site.online(identity=identity)
    first = listen(worker=identity.worker_id, cursor=old)
    seen = first.wait("presence", state="online")
    first.close()
    worker.disconnect()
    again = listen(worker=identity.worker_id, cursor=old, last_event_id=seen.cursor)
    again.wait("presence", state="offline")
    assert not again.found("presence", state="online") and not again.found("reset")


def test_who_cannot_go_on_is_told_to_list_again(new_site):
    """Here after the bridge was started anew, and after more events than it keeps."""
    site = new_site(bridge_environment={"ROLLCALL_EVENTS_KEPT": "100"})
    identity, cursor = site.rest.register(), cursor_of(site.rest)
    site.bridge.terminate()
    site.bridge.start()
    site.rest.login()
    site.rest.wait_connected(identity.worker_id, False)
    with contextlib.closing(Listener(site.rest, cursor=cursor)) as listener:
        reset = listener.wait("reset")
        assert listener.events[0] is reset
        site.online(identity=identity)
        listener.wait("presence", state="online")
    for n in range(101):
        site.rest.ok("PATCH", f"/workers/{identity.worker_id}", 200, json={"name": f"name {n}"})
    with contextlib.closing(Listener(site.rest, cursor=reset.cursor)) as listener:
        assert listener.wait("reset").data["message"]
    with contextlib.closing(Listener(site.rest, cursor=cursor_of(site.rest))) as listener:
        site.rest.ok("PATCH", f"/workers/{identity.worker_id}", 200, json={"name": "the last"})
        listener.wait("worker", name="the last")
        assert len(listener.events) == 1


def test_the_streams_end_when_the_bridge_stops(new_site):
    site = new_site()
    listeners = [Listener(site.rest) for _ in range(5)]
    start = time.monotonic()
    site.bridge.terminate()
    assert all(listener.ended.wait(5) for listener in listeners)
    assert time.monotonic() - start < 5
    for listener in listeners:
        listener.close()


# ---- honesty ----

def test_it_says_when_broker_or_database_cannot_be_heard(new_site, new_database_server):
    server = new_database_server()
    site = new_site(server)
    worker = site.online()
    with contextlib.closing(Listener(site.rest, types="health,presence")) as listener:
        assert listener.wait("health").data == {"broker": True, "database": True}
        site.broker.kill9()
        listener.wait("health", broker=False)
        site.broker.start()
        listener.wait("health", 20, broker=True)
        listener.wait("presence", worker_id=worker.worker_id, reason="broker_restart")
        server.stop()
        listener.wait("health", 20, database=False)
        server.start()
        wait_until(lambda: listener.events[-1].data.get("database") is True, 20)


def test_who_listed_unknown_states_lists_again_when_they_are_known(new_site):
    """Also one who does so in the same stream, after being told to. Nobody tells of a worker
    that was never connected."""
    site = new_site()
    never = site.rest.register()
    known = cursor_of(site.rest)
    site.broker.kill9()
    site.rest.wait_connected(never.worker_id, None)
    unknown = cursor_of(site.rest)
    with contextlib.closing(Listener(site.rest, cursor=unknown)) as listener, \
            contextlib.closing(Listener(site.rest, cursor=known)) as other:
        assert not listener.found("reset")
        with contextlib.closing(Listener(site.rest, last_event_id=unknown)) as back:
            site.broker.start()
            listener.wait("reset", 20)
            back.wait("reset", 20)
        assert site.rest.status_of(never.worker_id)["connected"] is False
        site.broker.kill9()
        site.rest.wait_connected(never.worker_id, None)
        site.broker.start()
        wait_until(lambda: len(listener.found("reset")) == 2, 20)
        assert not other.found("reset")
    with contextlib.closing(Listener(site.rest, cursor=unknown)) as late:
        assert late.wait("reset") is late.events[0]


def lose_storage(broker):
    """Kills the broker, and starts it with the storage of one that never ran."""
    broker.kill9()
    shutil.rmtree(broker.directory / "plugin")
    (broker.directory / "plugin").mkdir()
    broker.start()


def test_who_follows_lists_again_when_a_broker_comes_back_without_its_objects(new_site):
    """Also who is away for that moment. A broker that comes back with them is told of by
    presence events, and needs no reset."""
    site = new_site()
    worker = site.online()
    with contextlib.closing(Listener(site.rest, types="presence,health",
                                     cursor=cursor_of(site.rest))) as listener:
        site.broker.kill9()
        site.broker.start()
        restarted = listener.wait("presence", 20, reason="broker_restart")
        listener.wait("health", 20, broker=False)
        wait_until(lambda: listener.found("health")[-1].data["broker"] is True, 20)
        assert not listener.found("reset")
        lose_storage(site.broker)
        reset = listener.wait("reset", 20)
        # As one who lists now is shown it: a worker that was never connected.
        assert site.rest.status_of(worker.worker_id)["state"] == "offline"
        assert site.rest.worker(worker.worker_id)["connection"]["reason"] is None
        # What comes after is told from there on.
        worker.connect()
        listener.wait("presence", 20, state="online", generation=1)
        assert listener.found("reset") == [reset]
    with contextlib.closing(Listener(site.rest, cursor=restarted.cursor)) as back:
        back.wait("reset")
    with contextlib.closing(Listener(site.rest, last_event_id=reset.cursor)) as late:
        late.wait("presence", state="online")
        assert not late.found("reset")


# ---- many, and slow ones ----

def open_stream(rest, types, receive_buffer=None):
    """A raw connection that has asked for the stream."""
    url = urlsplit(rest.url)
    sock = socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.connect((url.hostname, url.port))
    sock.sendall(f"GET /events?types={types} HTTP/1.1\r\nHost: x\r\nAuthorization: "
                 f"{rest.session.headers['Authorization']}\r\n\r\n".encode())
    return sock


def test_a_thousand_listen_at_once(rest):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(open_stream(rest, "worker")) for _ in range(1000)]
        texts, ready = {s: b"" for s in socks}, selectors.DefaultSelector()
        stack.callback(ready.close)
        for sock in socks:
            ready.register(sock, selectors.EVENT_READ)

        def all_have(text):
            for key, _ in ready.select(0.2):
                more = key.fileobj.recv(65536)
                assert more, f"ended after {texts[key.fileobj][-300:]}"
                texts[key.fileobj] += more
            return all(text in got for got in texts.values())
        wait_until(lambda: all_have(b"retry:"), 30)
        start = time.monotonic()
        identity = rest.register("heard by all")
        wait_until(lambda: all_have(identity.worker_id.encode()), 30)
        print(json.dumps({"figure": "event to 1,000 listeners", "unit": "s",
                          "value": round(time.monotonic() - start, 3)}))


def test_one_that_does_not_read_is_dropped_and_harms_nobody(new_site):
    site = new_site(bridge_environment={"ROLLCALL_EVENTS_KEPT": "100"})
    workers = [site.online("tcp-5") for _ in range(20)]
    text = {f"key{n}": "x" * 700 for n in range(50)}
    with open_stream(site.rest, "metrics", 4096) as slow, contextlib.closing(
            Listener(site.rest, types="metrics")) as quick:
        assert slow.recv(12) == b"HTTP/1.1 200"

        def report(n):
            for worker in workers:
                worker.publish("metrics", json.dumps({"cpu": n, **text}), qos=0)
            quick.wait("metrics", cpu=n)
            return "listener ended: too slow" in site.bridge.process.log_text()
        counter = iter(range(100000))
        wait_until(lambda: report(next(counter)), 60)
        worker = site.online()
        worker.publish("metrics", '{"cpu": -1}')
        quick.wait("metrics", cpu=-1)
        assert not quick.found("reset")

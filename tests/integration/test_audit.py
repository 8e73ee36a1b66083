# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The audit trail: who did what, from where, when; in pages and as JSON lines."""

import json
import socket
from pathlib import Path

import pytest
import requests

from harness.bridge import ADMIN, ADMIN_PASSWORD, Bridge
from harness.identity import Identity, new_token
from harness.observer import Observer
from harness.people import PASSWORD, Person, key_of, with_key
from harness.rest import Rest
from harness.wait import wait_until
from harness.worker import Refused


def events(rest, worker_id, **query):
    return rest.get(f"/workers/{worker_id}/events", **query)


def wait_events(rest, worker_id, *types, timeout=5):
    """Until the trail has events of these types, newest last; returns them all."""
    def reached():
        rows = events(rest, worker_id)[::-1]
        seen = [r["type"] for r in rows]
        return rows if all(seen.count(t) >= types.count(t) for t in types) else None
    return wait_until(reached, timeout, f"{worker_id}: {types}")


# A kilobyte each, a second apart.
FILLER = ("INSERT INTO token_log (worker_id, at, event, detail) SELECT %s, '2026-02-01' + INTERVAL"
          " seq SECOND, 'filler', JSON_OBJECT('text', REPEAT('x', 900)) FROM seq_1_to_{}")


def test_a_life_leaves_its_trail(site, rest):
    worker_id = rest.register("audited", tags=["a"]).worker_id
    rest.ok("PATCH", f"/workers/{worker_id}", 200, json={"name": "renamed"})
    rest.post(f"/workers/{worker_id}/revoke", {"reason": "lost laptop"})
    rest.post(f"/workers/{worker_id}/reinstate")
    rest.post(f"/workers/{worker_id}/token")
    rest.ok("DELETE", f"/workers/{worker_id}", 200)
    rows = events(rest, worker_id)  # it outlives the worker
    assert [r["type"] for r in rows] == \
        ["deleted", "token_rotated", "reinstated", "revoked", "changed", "created"]
    assert rows[-1]["detail"] == {"name": "audited", "tags": ["a"]}
    assert rows[3]["reason"] == "lost laptop"
    for row in rows:
        assert (row["actor"], row["address"], row["worker_id"]) == (ADMIN, "127.0.0.1", worker_id)
        assert row["request_id"] and row["at"].endswith("Z") and row["count"] == 1
    assert [r["id"] for r in rows] == sorted((r["id"] for r in rows), reverse=True)


def test_the_request_and_the_key_are_named(site, rest):
    key = key_of(rest, "workers:write")
    with with_key(site.bridge.url, key["key"]) as script:
        worker = script.ok("POST", "/workers", 201, json={"name": "by a script"},
                           headers={"X-Request-Id": "job-4711"})
    row, = events(rest, worker["worker_id"])
    assert (row["actor"], row["request_id"]) == ("key:" + key["name"], "job-4711")
    rest.ok("DELETE", f"/keys/{key['id']}", 200)


def test_connections_are_in_the_trail(site, rest):
    identity = rest.register()
    worker = site.online(identity=identity)
    connected = wait_events(rest, worker.worker_id, "connected")[-1]
    assert connected["actor"] is None and connected["detail"]["generation"] >= 1
    sessions = rest.get(f"/workers/{worker.worker_id}/connection")["sessions"]
    assert connected["address"] == sessions[0]["address"]
    assert connected["address"].endswith("127.0.0.1")
    assert connected["at"] == rest.worker(worker.worker_id)["connection"]["connected_since"]
    worker.disconnect()
    rest.wait_connected(worker.worker_id, False)
    ended = wait_events(rest, worker.worker_id, "disconnected")[-1]
    assert ended["reason"] in ("client_disconnect", "connection_closed")
    worker = site.online(identity=identity)
    site.rest.ok("DELETE", f"/workers/{worker.worker_id}/sessions", 200)
    rows = wait_events(rest, worker.worker_id, "connected", "connected", "disconnected",
                       "disconnected", "kicked")
    assert rows[-1]["type"] in ("disconnected", "kicked")
    assert [r["reason"] for r in rows if r["type"] == "disconnected"][-1] == "kicked"
    # One row for each, however many events there were (reconnecting, then offline).
    rest.wait_connected(worker.worker_id, False)
    counts = [r["type"] for r in rows]
    assert (counts.count("connected"), counts.count("disconnected")) == (2, 2)


def test_the_will_is_in_the_trail(site, rest):
    worker = site.worker(rest.register())
    worker.connect(reason="power cut")
    rest.wait_connected(worker.worker_id)
    worker.drop()
    rest.wait_connected(worker.worker_id, False)
    row = wait_events(rest, worker.worker_id, "disconnected")[-1]
    wait_until(lambda: events(rest, worker.worker_id, types="disconnected")[0]["reason"] ==
               "connection_lost", 5, "the will's reason")
    row, = events(rest, worker.worker_id, types="disconnected")
    assert row["detail"]["detail"] == "power cut"


def test_commands_are_in_the_trail(site, rest):
    worker = site.online(identity=rest.register())
    worker.subscribe("commands")
    rest.post(f"/workers/{worker.worker_id}/start", {}, 202)
    command = worker.receive("commands")
    worker.answer(command["command_id"], "done")
    rows = wait_events(rest, worker.worker_id, "command", "command_done")
    issued = next(r for r in rows if r["type"] == "command")
    assert issued["actor"] == ADMIN and issued["detail"]["type"] == "engine_start"
    assert issued["detail"]["command_id"] == command["command_id"]


def test_refused_logins_are_in_the_trail(site, rest):
    identity = rest.register()
    with pytest.raises(Refused):
        site.worker(Identity(identity.worker_id, new_token())).connect()
    row = wait_events(rest, identity.worker_id, "login_refused")[-1]
    assert (row["code"], row["count"]) == ("INVALID_TOKEN", 1)
    assert row["address"].endswith("127.0.0.1")
    assert row["detail"]["client_id"] == identity.worker_id
    assert identity.token not in json.dumps(row)


# ---- several bridges -------------------------------------------------------------------------


def test_one_row_however_many_bridges_hear_it(new_directory, new_site):
    site = new_site()
    other = Bridge(new_directory("other"), site.broker, site.database, "other").start()
    identities = [site.rest.register() for _ in range(5)]
    for identity in identities:
        site.online(identity=identity).disconnect()
        site.rest.wait_connected(identity.worker_id, False)
    # A bridge that starts lists everybody; what it finds was noted already.
    other.kill9()
    other.start()
    late = site.online(identity=identities[0])
    with Rest(other.url).login() as rest:
        wait_events(rest, late.worker_id, "connected", "connected", "disconnected")
        for identity in identities[1:]:
            types = [r["type"] for r in wait_events(rest, identity.worker_id, "disconnected")]
            assert types == ["created", "connected", "disconnected"]
    other.terminate()


def test_what_happened_while_no_bridge_listened_is_made_up_for(new_site):
    site = new_site()
    identity = site.rest.register()
    stays = site.online(identity=site.rest.register())
    wait_events(site.rest, stays.worker_id, "connected")
    site.bridge.kill9()
    worker = site.worker(identity).connect()
    site.bridge.start()
    site.rest.login()
    wait_events(site.rest, worker.worker_id, "connected")
    site.broker.kill9()
    site.broker.start()
    row = wait_events(site.rest, worker.worker_id, "disconnected", timeout=10)[-1]
    assert row["reason"] == "broker_restart"
    rows = wait_events(site.rest, stays.worker_id, "disconnected", timeout=10)
    assert [r["type"] for r in rows] == ["created", "connected", "disconnected"]


def test_what_happens_while_the_database_is_away_is_written_later(new_site, new_database_server):
    server = new_database_server()
    site = new_site(server)
    identity = site.rest.register()
    server.stop()
    worker = site.worker(identity).connect()
    site.rest.wait_connected(identity.worker_id)
    worker.disconnect()
    site.rest.wait_connected(identity.worker_id, False)
    site.rest.fails("GET", f"/workers/{identity.worker_id}/events", 503, "DATABASE_UNAVAILABLE")
    server.start()
    site.bridge.wait_ready()
    rows = wait_events(site.rest, identity.worker_id, "connected", "disconnected")
    assert [r["type"] for r in rows] == ["created", "connected", "disconnected"]


# ---- people ----------------------------------------------------------------------------------


def trail(rest, **query):
    return rest.get("/audit", **query)


def wait_trail(rest, match, **query):
    return wait_until(lambda: next((r for r in trail(rest, **query) if match(r)), None), 5,
                      "a row of the trail")


def test_administration_is_in_the_trail(site, rest):
    someone = Person(rest, "admin")
    key = key_of(someone.rest, "read")
    rest.ok("DELETE", f"/keys/{key['id']}", 200)
    rest.ok("PATCH", f"/users/{someone.name}", 200, json={"role": "viewer"})
    rest.ok("DELETE", f"/users/{someone.name}", 200)
    someone.close()
    about = [r for r in trail(rest, limit=200) if r["detail"] and
             (r["detail"].get("username") == someone.name or
              r["detail"].get("key_id") == key["id"])]
    assert [(r["type"], r["actor"]) for r in about] == [
        ("user_deleted", ADMIN), ("user_changed", ADMIN), ("key_deleted", ADMIN),
        ("key_created", someone.name), ("user_created", ADMIN)]
    assert about[1]["detail"] == {"username": someone.name, "role": "viewer", "password": False}
    wait_trail(rest, lambda r: r["type"] == "signed_in", actor=someone.name)
    assert PASSWORD not in json.dumps(about) and key["key"] not in json.dumps(about)


def test_sign_ins_are_in_the_trail(site, rest):
    someone = Person(rest)
    url = site.bridge.url + "/auth/login"
    requests.post(url, json={"username": someone.name, "password": "a guess"}, timeout=30)
    row = wait_trail(rest, lambda r: r["detail"].get("username") == someone.name,
                     types="sign_in_refused")
    assert (row["code"], row["actor"], row["address"]) == ("WRONG_PASSWORD", None, "127.0.0.1")
    someone.rest.post("/auth/logout")
    wait_trail(rest, lambda r: r["actor"] == someone.name, types="signed_out")
    someone.close()
    rest.ok("DELETE", f"/users/{someone.name}", 200)


def test_a_name_that_is_nobodys_is_not_kept(site, rest):
    """It may be a password in the wrong field."""
    slip = "my-secret-password-in-the-wrong-field"
    requests.post(site.bridge.url + "/auth/login",
                  json={"username": slip, "password": ADMIN_PASSWORD}, timeout=30)
    row = wait_trail(rest, lambda r: r["code"] == "UNKNOWN_USER", types="sign_in_refused")
    assert row["detail"] == {"username": None}
    rows = site.database.query("SELECT * FROM token_log")
    assert slip not in str(rows) and slip not in site.bridge.process.log_text()


def test_a_viewer_sees_a_workers_trail_but_not_the_whole(rest):
    someone, worker = Person(rest), rest.register()
    assert events(someone.rest, worker.worker_id)[0]["type"] == "created"
    someone.rest.fails("GET", "/audit", 403, "FORBIDDEN")
    someone.close()
    rest.ok("DELETE", f"/users/{someone.name}", 200)


# ---- pages and filters -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def long_trail(shared_site):
    """A worker with a thousand events in a few milliseconds each, several at the same moment."""
    worker_id = shared_site.rest.register().worker_id
    with shared_site.server.connect(shared_site.database.name) as db, db.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO token_log (worker_id, at, event, detail) VALUES (%s, %s, %s, %s)",
            [(worker_id, f"2026-01-01 00:00:{i // 100:02}.{i // 4 % 25:03}",
              ("tick", "tock")[i % 2], json.dumps({"i": i})) for i in range(1000)])
    return worker_id


def numbers(rows):
    return [r["detail"]["i"] for r in rows if r["type"] in ("tick", "tock")]


def pages(rest, path, **query):
    """Follows the links; the rows of each page."""
    answer = rest.request("GET", path, params=query)
    while True:
        assert answer.status_code == 200, answer.text
        yield answer.json()
        link = answer.links.get("next")
        if link is None:
            return
        answer = rest.request("GET", link["url"])


@pytest.mark.parametrize("limit", [1000, 333, 100, 7])
def test_pages_miss_nothing_and_repeat_nothing(rest, long_trail, limit):
    rows = [r for page in pages(rest, f"/workers/{long_trail}/events", limit=limit, types="tick",
                                ) for r in page]
    assert len(rows) == 500 and len({r["id"] for r in rows}) == 500
    assert numbers(rows) == sorted(numbers(rows), reverse=True)


def test_a_page_has_a_hundred_rows_unless_asked(rest, long_trail):
    assert len(events(rest, long_trail)) == 100
    assert len(events(rest, long_trail, limit=3)) == 3


def test_new_rows_do_not_shift_pages(site, rest, long_trail):
    reading = pages(rest, f"/workers/{long_trail}/events", limit=400)
    rows = next(reading)
    rest.ok("PATCH", f"/workers/{long_trail}", 200, json={"name": "newer than all"})
    rows += [r for page in reading for r in page]
    assert len({r["id"] for r in rows}) == len(rows) >= 1001


def test_filters_by_time(rest, long_trail):
    path = f"/workers/{long_trail}/events"
    rows = rest.get(path, limit=1000, **{"from": "2026-01-01T00:00:03Z",
                                         "to": "2026-01-01T00:00:05.000Z"})
    assert sorted(numbers(rows)) == list(range(300, 500))
    assert rest.get(path, to="2026-01-01T00:00:00Z") == []
    offset = rest.get(path, limit=1000, to="2026-01-01T01:00:01+01:00")
    assert sorted(numbers(offset)) == list(range(100))


def test_filters_by_type_and_actor(rest, long_trail):
    assert {r["type"] for r in events(rest, long_trail, types="tick,tock")} == {"tick", "tock"}
    assert [r["type"] for r in events(rest, long_trail, types="created")] == ["created"]
    assert events(rest, long_trail, types="nothing") == []
    assert {r["actor"] for r in events(rest, long_trail, actor=ADMIN)} == {ADMIN}
    assert events(rest, long_trail, actor="Admin") == []
    assert {r["worker_id"] for r in trail(rest, worker=long_trail)} == {long_trail}


@pytest.mark.parametrize("query, field", [
    ({"limit": 0}, "limit"), ({"limit": 1001}, "limit"), ({"limit": "x"}, "limit"),
    ({"from": "yesterday"}, "from"), ({"to": "2026-13-01T00:00:00Z"}, "to"),
    ({"types": ""}, "types"), ({"types": "a;b"}, "types"), ({"types": "x" * 1025}, "types"),
    ({"cursor": "nonsense"}, "cursor"), ({"cursor": "YTEgMSAteA"}, "cursor"),
    ({"format": "xml"}, "format"), ({"type": "created"}, "type"), ({"worker": "x"}, "worker")])
def test_a_question_that_makes_no_sense_is_refused(rest, long_trail, query, field):
    rest.fails("GET", f"/workers/{long_trail}/events", 400, "INVALID_REQUEST", names=field,
               params=query)


def test_a_worker_that_never_was_has_no_trail(rest):
    rest.fails("GET", "/workers/wrk_aaaaaaaaaaaaaaaa/events", 404, "WORKER_NOT_FOUND")
    rest.fails("GET", "/audit", 400, "INVALID_REQUEST", names="worker", params={"worker": "a b"})


# ---- export ----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"params": {"format": "jsonl"}},
                                     {"headers": {"Accept": "application/x-ndjson"}}],
                         ids=["format", "accept"])
def test_the_trail_as_json_lines(rest, long_trail, options):
    answer = rest.request("GET", f"/workers/{long_trail}/events", **options)
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert answer.text.endswith("\n")
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert sorted(numbers(rows)) == list(range(1000))
    assert rows[:100] == events(rest, long_trail)


def test_an_export_takes_filters_and_a_limit(rest, long_trail):
    path = f"/workers/{long_trail}/events"
    answer = rest.request("GET", path, params={"format": "jsonl", "limit": 7, "types": "tock"})
    assert len(answer.text.splitlines()) == 7
    answer = rest.request("GET", path, params={"format": "jsonl", "types": "nothing"})
    assert (answer.status_code, answer.text) == (200, "")


def test_an_answer_to_head_has_no_body(site, rest, long_trail):
    """Not even a last chunk: what comes next on the connection is the next answer."""
    with socket.create_connection(("127.0.0.1", site.bridge.port)) as s:
        s.settimeout(20)
        s.sendall(b"".join(
            f"{method} {path} HTTP/1.1\r\nHost: x\r\n{more}Authorization: "
            f"{rest.session.headers['Authorization']}\r\n\r\n".encode() for method, path, more in (
                ("HEAD", f"/workers/{long_trail}/events?format=jsonl", ""),
                ("GET", "/livez", "Connection: close\r\n"))))
        received = b""
        while more := s.recv(65536):
            received += more
    first, second = received.split(b"\r\n\r\n", 1)
    assert first.startswith(b"HTTP/1.1 200") and b"application/x-ndjson" in first
    assert second.startswith(b"HTTP/1.1 200")


@pytest.fixture(scope="module")
def huge_trail(shared_site):
    """30,000 rows, 30 MB as JSON lines."""
    worker_id = shared_site.rest.register().worker_id
    shared_site.database.query(FILLER.format(30000), worker_id)
    return worker_id


def test_an_export_does_not_pile_up_in_the_bridge(site, rest, huge_trail):
    """A client that does not read holds up its own export and nothing else."""
    def memory():
        status = (Path("/proc") / str(site.bridge.process.pid) / "status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) // 1024

    before = memory()
    with socket.create_connection(("127.0.0.1", site.bridge.port)) as slow:
        slow.sendall((f"GET /workers/{huge_trail}/events?format=jsonl HTTP/1.1\r\nHost: x\r\n"
                      f"Authorization: {rest.session.headers['Authorization']}\r\n\r\n").encode())
        assert slow.recv(1000).startswith(b"HTTP/1.1 200")
        for _ in range(20):
            rest.get("/workers/status", limit=1)
        assert memory() - before < 25
        received = 0
        slow.settimeout(20)
        while received < 5_000_000:
            received += len(slow.recv(1 << 20))
    # One that leaves in the middle leaves nothing behind: the next gets it all.
    answer = rest.request("GET", f"/workers/{huge_trail}/events", params={"format": "jsonl"})
    assert answer.content.count(b"\n") == 30001


def test_an_export_that_breaks_off_does_not_look_whole(new_site, new_database_server):
    server = new_database_server()
    site = new_site(server)
    worker_id = site.rest.register().worker_id
    site.database.query(FILLER.format(30000), worker_id)
    with site.rest.request("GET", f"/workers/{worker_id}/events", params={"format": "jsonl"},
                           stream=True) as answer:
        chunks = answer.iter_content(65536)
        next(chunks)
        server.kill9()
        with pytest.raises((requests.exceptions.ChunkedEncodingError,
                            requests.exceptions.ConnectionError)):
            for _ in chunks:
                pass
    server.start()


def test_the_bridge_ends_while_it_exports(new_site):
    site = new_site()
    worker_id = site.rest.register().worker_id
    site.database.query(FILLER.format(10000), worker_id)
    with site.rest.request("GET", f"/workers/{worker_id}/events", params={"format": "jsonl"},
                           stream=True) as answer:
        next(answer.iter_content(1000))
        assert site.bridge.terminate() == 0


# ---- floods ----------------------------------------------------------------------------------


def test_a_flood_of_refusals_is_summed(new_site):
    """Past a burst each bridge writes a row a second; the rest is counted."""
    site = new_site()
    observer = Observer(site.broker)
    for i in range(3000):
        observer.client.publish("rollcall/v1/audit", json.dumps({
            "code": "INVALID_TOKEN", "worker_id": f"wrk_{i}", "address": "192.0.2.1", "count": 1,
            "client_id": None, "node": "test-node", "at": "2026-03-01T00:00:00.000Z"}), qos=1)

    def rows():
        return site.database.value("SELECT COUNT(*) FROM token_log WHERE event = 'login_refused'")
    wait_until(lambda: rows() >= 1000, 20, "the burst is written")
    wait_until(lambda: len(observer.audit) >= 3000, 20, "everything was told")
    assert rows() < 1100
    observer.close()


def test_one_row_that_cannot_be_stored_takes_no_other_with_it(new_site):
    site = new_site()
    observer = Observer(site.broker)
    for code in ("INVALID_TOKEN", "\u00dcBEL", "TOKEN_EXPIRED"):
        observer.client.publish("rollcall/v1/audit", json.dumps({
            "code": code, "worker_id": None, "address": None, "count": 2, "client_id": "\ud83d\ude00",
            "node": "test-node", "at": "2026-03-01T00:00:00.000Z"}), qos=1)
    wait_until(lambda: {r["code"] for r in trail(site.rest, types="login_refused")} ==
               {"INVALID_TOKEN", "TOKEN_EXPIRED"}, 5, "the others are stored")
    assert {r["count"] for r in trail(site.rest, types="login_refused")} == {2}
    observer.close()

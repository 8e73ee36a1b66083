# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""API keys: shown once, hashed, scoped, ended within a second."""

import datetime
import hashlib
import signal
import time

import pytest

from harness.bridge import Bridge
from harness.listener import Listener
from harness.people import Person, key_of, new_name, with_key
from harness.settings import SLOWNESS
from harness.wait import wait_until


@pytest.fixture
def key(site, rest):
    """Makes keys and gives the requests that use them; they are gone after the test."""
    made = []

    def make(*scopes, **more):
        body = key_of(rest, *scopes, **more)
        made.append((body["id"], with_key(site.bridge.url, body["key"])))
        made[-1][1].body = body
        return made[-1][1]
    yield make
    for key_id, user in made:
        user.session.close()
        rest.request("DELETE", f"/keys/{key_id}")


def row_of(rest, key_id):
    return next((k for k in rest.get("/keys") if k["id"] == key_id), None)


def later(seconds):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def test_a_key_is_shown_once_and_kept_as_a_hash(site, rest, key):
    body = key("read").body
    assert body["key"].startswith("rk_") and len(body["key"]) == 46
    assert (body["scopes"], body["created_by"], body["expires_at"]) == (["read"], "admin", None)
    row = row_of(rest, body["id"])
    assert body["key"] not in str(row) and "hash" not in row
    stored = site.database.query("SELECT * FROM api_keys WHERE id = %s", body["id"])[0]
    assert body["key"] not in str(stored)
    assert stored["hash"] == hashlib.sha256(body["key"].encode()).hexdigest()


def test_a_key_signs_in(key):
    body = key("read", "commands:write")
    me = body.get("/auth/me")
    assert me == {"key": body.body["name"], "scopes": ["read", "commands:write"],
                  "expires_at": None}


ROUTES = [
    ("GET", "/workers", "read"), ("GET", "/workers/{id}", "read"),
    ("GET", "/workers/{id}/connection", "read"), ("POST", "/workers", "workers:write"),
    ("PATCH", "/workers/{id}", "workers:write"), ("POST", "/workers/{id}/token", "workers:write"),
    ("DELETE", "/workers/{id}/sessions", "workers:write"),
    ("POST", "/workers/{id}/send", "commands:write"),
    ("POST", "/workers/{id}/start", "commands:write"), ("GET", "/users", "admin"),
    ("GET", "/keys", "admin")]


@pytest.mark.parametrize("scope", ["read", "workers:write", "commands:write", "admin"])
def test_a_key_may_do_what_its_scopes_say(rest, key, scope):
    user, worker = key(scope), rest.register()
    for method, path, needed in ROUTES:
        body = {"json": {"name": "renamed"}} if method in ("POST", "PATCH") else {}
        answer = user.request(method, path.replace("{id}", worker.worker_id), **body)
        allowed = scope in (needed, "admin")
        assert (answer.status_code == 403) == (not allowed), f"{method} {path}: {answer.text}"
        if not allowed:
            assert needed in answer.json()["error"]["message"]


@pytest.mark.parametrize("method, path", [("POST", "/auth/logout"), ("POST", "/auth/password")])
def test_a_key_is_not_a_session(key, method, path):
    key("admin").fails(method, path, 403, "FORBIDDEN")


def test_a_key_in_a_cookie_is_nobodys(site, key):
    user = key("admin")
    secret = user.session.headers.pop("Authorization").removeprefix("Bearer ")
    user.session.headers["Cookie"] = f"rollcall_session={secret}"
    user.fails("GET", "/workers", 401, "UNAUTHENTICATED")


@pytest.mark.parametrize("spoil", [
    lambda k: k[:-1], lambda k: k + "A", lambda k: k[:-1] + ("A" if k[-1] != "A" else "B"),
    lambda k: "rk_", lambda k: "rk_" + "A" * 43, lambda k: k.upper(), lambda k: k[3:],
    lambda k: hashlib.sha256(k.encode()).hexdigest(), lambda k: "rk_" + "x" * 3000])
def test_a_wrong_key_is_refused(site, key, spoil):
    secret = key("read").body["key"]
    with with_key(site.bridge.url, spoil(secret)) as forged:
        forged.fails("GET", "/workers", 401, "UNAUTHENTICATED")


def test_a_deleted_key_ends_everywhere_within_a_second(new_directory, site, rest, key):
    other = Bridge(new_directory("other"), site.broker, site.database, "other").start()
    try:
        user = key("read")
        away = with_key(other.url, user.body["key"])
        wait_until(lambda: away.request("GET", "/workers").status_code == 200, 5, "known there")
        since = time.monotonic()
        assert rest.ok("DELETE", f"/keys/{user.body['id']}", 200) == \
            {"success": True, "id": user.body["id"]}
        user.fails("GET", "/workers", 401, "UNAUTHENTICATED")
        wait_until(lambda: away.request("GET", "/workers").status_code == 401, 5, "ended there")
        assert time.monotonic() - since < SLOWNESS
        assert row_of(rest, user.body["id"]) is None
        away.session.close()
    finally:
        other.terminate()


def test_a_key_expires(key):
    user = key("read", expires_at=later(1.5))
    user.get("/workers")
    stream = Listener(user)
    wait_until(lambda: user.request("GET", "/workers").status_code == 401, 5, "the key expired")
    assert stream.ended.wait(SLOWNESS)
    stream.close()


def test_a_stream_ends_with_its_key(rest, key):
    user = key("read")
    stream = Listener(user)
    since = time.monotonic()
    rest.ok("DELETE", f"/keys/{user.body['id']}", 200)
    assert stream.ended.wait(5) and time.monotonic() - since < SLOWNESS
    stream.close()


def test_use_is_noted_to_the_minute(site, rest, key):
    user = key("read")
    assert row_of(rest, user.body["id"])["last_used_at"] is None
    user.get("/workers")
    assert row_of(rest, user.body["id"])["last_used_at"] >= user.body["created_at"]
    stored = "SELECT last_used_at FROM api_keys WHERE id = %s"
    first = wait_until(lambda: site.database.value(stored, user.body["id"]), 5, "it is written")
    for _ in range(20):
        user.get("/workers")
    assert row_of(rest, user.body["id"])["last_used_at"] > user.body["created_at"]
    # Written again a minute later at the earliest: other keys' first use is written meanwhile.
    other = key("read")
    other.get("/workers")
    wait_until(lambda: site.database.value(stored, other.body["id"]), 5, "that one is written")
    assert site.database.value(stored, user.body["id"]) == first


def test_using_keys_costs_no_sql(site, key):
    user = key("read")
    user.get("/workers")
    before = site.server.statements()["Com_stmt_execute"]
    began = time.monotonic()
    for _ in range(200):
        user.get("/workers")
    took = time.monotonic() - began
    # What the bridge asks by itself goes on meanwhile.
    assert site.server.statements()["Com_stmt_execute"] - before < 50 + 20 * took


@pytest.mark.parametrize("body, field", [
    ({}, "name"), ({"name": ""}, "name"), ({"name": "x" * 61}, "name"), ({"name": " x"}, "name"),
    ({"name": "é"}, "name"), ({"name": "a\nb"}, "name"), ({"name": 'a"b'}, "name"),
    ({"name": "x", "scopes": []}, "scopes"), ({"name": "x", "scopes": "read"}, "scopes"),
    ({"name": "x", "scopes": ["write"]}, "scopes"), ({"name": "x", "scopes": [1]}, "scopes"),
    ({"name": "x", "scopes": ["read,admin"]}, "scopes"),
    ({"name": "x", "scopes": ["read"] * 17}, "scopes"),
    ({"name": "x", "expires_at": "tomorrow"}, "expires_at"),
    ({"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
    ({"name": "x", "key": "rk_mine"}, "key")])
def test_a_key_that_cannot_be_is_refused(rest, body, field):
    rest.fails("POST", "/keys", 400, "INVALID_REQUEST", names=field, json=body)


def test_a_key_may_read_unless_its_maker_says_more(rest):
    body = rest.post("/keys", {"name": new_name("key")}, 201)
    assert body["scopes"] == ["read"]
    rest.ok("DELETE", f"/keys/{body['id']}", 200)


def test_a_name_is_taken_once(rest, key):
    rest.fails("POST", "/keys", 409, "CONFLICT", names="already",
               json={"name": key("read").body["name"], "scopes": ["read"]})


@pytest.mark.parametrize("key_id", ["x", "key_aaaaaaaaaaaaaaaa", "key_%C3%A9", "%27%20OR%201=1"])
def test_a_key_that_is_not_there_is_not_deleted(rest, key_id):
    rest.fails("DELETE", f"/keys/{key_id}", 404, "NOT_FOUND")


def test_whoever_deletes_a_user_learns_of_their_keys(rest, site):
    someone = Person(rest, "admin")
    body = key_of(someone.rest, "read")
    assert rest.ok("DELETE", f"/users/{someone.name}", 200)["keys_left"] == 1
    with with_key(site.bridge.url, body["key"]) as user:
        user.get("/workers")
    rest.ok("DELETE", f"/keys/{body['id']}", 200)
    someone.close()


def test_keys_outlive_the_bridge_and_the_database_being_away(new_site, new_database_server):
    server = new_database_server()
    site = new_site(server)
    user = with_key(site.bridge.url, key_of(site.rest, "read")["key"])
    site.bridge.restart()
    user.get("/workers")
    server.stop()
    user.get("/workers")
    user.session.close()
    server.start()


def put_back(site, n):
    """As a backup would have it: without the key, and with a counter of its own."""
    site.database.query("DELETE FROM api_keys")
    site.database.query("UPDATE identity_state SET n = %s", n)


def test_a_database_that_is_older_than_what_is_known_is_believed(new_site):
    site = new_site()
    user = with_key(site.bridge.url, key_of(site.rest, "read")["key"])
    put_back(site, 0)
    wait_until(lambda: user.request("GET", "/workers").status_code == 401, 5, "it is read")
    user.session.close()


def test_a_database_that_was_away_is_read_anew(new_site, new_database_server):
    """Its counter may happen to be where it was."""
    server = new_database_server()
    site = new_site(server)
    with with_key(site.bridge.url, key_of(site.rest, "read")["key"]) as user:
        site.bridge.process.freeze()
        put_back(site, site.database.value("SELECT n FROM identity_state"))
        server.stop()
        site.bridge.process.signal(signal.SIGCONT)
        wait_until(lambda: site.bridge.probe("/readyz") == 503, 5, "the database is missed")
        user.get("/workers")
        server.start()
        wait_until(lambda: user.request("GET", "/workers").status_code == 401, 5, "it is read")

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Worker records: register, list, filter, page, change, delete."""

import re
import uuid
from datetime import datetime

import pytest

from harness.identity import token_hash
from harness.wait import wait_until
from harness.worker import Refused

LIST_MEMBERS = {"id", "name", "tags", "status", "token_expires_at", "is_connected", "state",
                "created_at", "renewal_failure_reason", "renewal_failure_at"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture
def mark():
    """A word that only this test's workers have in their names and tags."""
    return f"m{uuid.uuid4().hex[:12]}"


def names(rows):
    return [row["name"] for row in rows]


# ---- registering -----------------------------------------------------------------------------


def test_a_registered_worker_gets_an_id_and_a_token_once(site, rest):
    body = rest.post("/workers", {"name": "press 4", "tags": ["hall:3", "press"]}, 201)
    assert re.fullmatch(r"wrk_[a-z2-7]{16}", body["worker_id"])
    assert re.fullmatch(r"tk_[A-Za-z0-9_-]{64}", body["token"])
    assert TIME.fullmatch(body["expires_at"]) and TIME.fullmatch(body["created_at"])
    assert body["websocket_url"] == \
        f"ws://127.0.0.1:{site.broker.ws_port}/ws/{body['worker_id']}"
    assert (body["name"], body["enforced"]) == ("press 4", True)
    shown = str(rest.worker(body["worker_id"])) + str(rest.get("/workers"))
    assert body["token"] not in shown and token_hash(body["token"]) not in shown


def test_a_token_lives_ninety_days(rest):
    body = rest.post("/workers", {"name": "long living"}, 201)
    rows = rest.get("/workers", id=body["worker_id"])
    assert rows[0]["token_expires_at"] == body["expires_at"]
    created, expires = (datetime.fromisoformat(body[k].replace("Z", "+00:00"))
                        for k in ("created_at", "expires_at"))
    assert abs((expires - created).total_seconds() - 90 * 86400) < 5


def test_the_database_holds_the_hash_alone(site, rest):
    identity = rest.register()
    rows = site.database.query("SELECT hash, role FROM tokens WHERE worker_id = %s",
                               identity.worker_id)
    assert list(rows) == [{"hash": token_hash(identity.token), "role": "current"}]


def test_a_registered_worker_can_connect_at_once(site, rest):
    """`enforced` is a promise."""
    for _ in range(10):
        site.worker(rest.register(), "tcp-5").connect()


def test_a_record_never_claims_a_connection_of_its_own(site):
    assert not site.database.columns("workers") & {
        "is_connected", "last_connected_at", "last_disconnected_at", "connected", "state"}


@pytest.mark.parametrize("name", ["abc", "x" * 100, "Fräsmaschine 7 – Süd", "名前です", "a \"b\" <c>",
                                  "  trimmed  "])
def test_names_of_every_kind(rest, name):
    body = rest.post("/workers", {"name": name}, 201)
    assert body["name"] == name.strip()
    assert rest.worker(body["worker_id"])["name"] == name.strip()


# ---- reading ---------------------------------------------------------------------------------


def test_a_new_worker_in_the_list(rest):
    body = rest.post("/workers", {"name": "listed", "tags": ["b", "a"]}, 201)
    (row,) = rest.get("/workers", id=body["worker_id"])
    assert row.keys() >= LIST_MEMBERS
    assert (row["id"], row["name"], row["tags"]) == (body["worker_id"], "listed", ["b", "a"])
    assert (row["status"], row["is_connected"], row["state"]) == ("active", False, "offline")
    assert (row["renewal_failure_reason"], row["renewal_failure_at"]) == (None, None)


def test_one_record(site, rest):
    worker = site.online("ws-5")
    record = rest.worker(worker.worker_id)
    assert record.keys() >= LIST_MEMBERS | {"connection", "enforced"}
    assert (record["is_connected"], record["state"], record["enforced"]) == (True, "online", True)
    assert record["connection"]["sessions"] == 1
    assert "hash" not in str(record) and worker.token not in str(record)


def test_the_connection_object_comes_from_the_plugin(site, rest):
    worker = site.online("ws-5", keepalive=33)
    connection = rest.get(f"/workers/{worker.worker_id}/connection")
    assert (connection["worker_id"], connection["connected"]) == (worker.worker_id, True)
    (session,) = connection["sessions"]
    assert (session["client_id"], session["keepalive"]) == (worker.worker_id, 33)


def test_filters(site, rest, mark):
    a = rest.register(f"{mark} Alpha", tags=[mark, "x"])
    b = rest.register(f"{mark} beta", tags=[mark, "x", "y"])
    rest.register(f"{mark} gamma", tags=[mark])
    rest.post(f"/workers/{b.worker_id}/revoke")
    worker = site.worker(a, "tcp-5").connect()
    rest.wait_connected(worker.worker_id)

    def found(**query):
        return [n.split()[1] for n in names(rest.get("/workers", tag=[mark], **query))]
    assert found() == ["Alpha", "beta", "gamma"]
    assert names(rest.get("/workers", tag=[mark, "x", "y"])) == [f"{mark} beta"]
    assert found(connected="true") == ["Alpha"]
    assert found(connected="false") == ["beta", "gamma"]
    assert found(status="revoked") == ["beta"]
    assert found(status="active") == ["Alpha", "gamma"]
    assert found(name="ALPHA") == ["Alpha"]
    assert found(id=[a.worker_id, b.worker_id, "wrk_aaaaaaaaaaaaaaaa"]) == ["Alpha", "beta"]
    assert found(name="no such") == []
    rows = rest.get("/workers/status", tag=mark, connected="true")["workers"]
    assert [row["worker_id"] for row in rows] == [a.worker_id]


@pytest.mark.parametrize("path", ["/workers", "/workers/status"])
@pytest.mark.parametrize("query, field", [
    ("limit=0", "limit"), ("limit=1001", "limit"), ("limit=x", "limit"), ("limit=-1", "limit"),
    ("limit=1&cursor=nonsense", "cursor"), ("connected=maybe", "connected"),
    ("status=busy", "status")])
def test_a_wrong_filter_is_named(rest, path, query, field):
    rest.fails("GET", f"{path}?{query}", 400, "INVALID_REQUEST", field)


@pytest.mark.parametrize("path", ["/workers", "/workers/status"])
def test_paging_visits_everyone_once(rest, mark, path):
    made = [rest.register(f"{mark} {n}", tags=[mark]).worker_id for n in range(7)]
    seen, url = [], f"{path}?tag={mark}&limit=3"
    sizes = []
    while url:
        response = rest.request("GET", url)
        rows = response.json() if path == "/workers" else response.json()["workers"]
        seen += [row.get("id") or row["worker_id"] for row in rows]
        sizes.append(len(rows))
        url = response.links.get("next", {}).get("url")
        # A client that follows the link must stay with the filter.
        assert url is None or ("limit=3" in url and mark in url)
        url = url and url.replace(rest.url, "")
    assert (seen, sizes) == (made, [3, 3, 1])


def test_paging_is_steady_while_workers_come_and_go(rest, mark):
    made = [rest.register(f"{mark} {n}", tags=[mark]).worker_id for n in range(6)]
    first = rest.request("GET", f"/workers?tag={mark}&limit=3")
    rest.ok("DELETE", f"/workers/{made[1]}", 200)
    rest.ok("DELETE", f"/workers/{made[2]}", 200)
    rest.register(f"{mark} late", tags=[mark])
    second = rest.request("GET", first.links["next"]["url"].replace(rest.url, ""))
    assert names(second.json()) == [f"{mark} 3", f"{mark} 4", f"{mark} 5"]


def test_the_lists_carry_a_watch_cursor(rest):
    response = rest.request("GET", "/workers/status")
    assert response.headers["X-Rollcall-Cursor"] == response.json()["cursor"]
    assert rest.request("GET", "/workers").headers["X-Rollcall-Cursor"]


def test_an_etag_saves_what_has_not_changed(site, rest, mark):
    rest.register(f"{mark} one", tags=[mark])
    url = f"/workers/status?tag={mark}"
    first = rest.request("GET", url)
    etag = first.headers["ETag"]
    assert etag.startswith('W/"')

    def unchanged():
        again = rest.request("GET", url, headers={"If-None-Match": etag})
        return again.status_code == 304 and again.content == b""
    assert unchanged()
    site.online("tcp-5", rest.register(f"{mark} two", tags=[mark]))
    assert not unchanged()


# ---- changing, deleting ----------------------------------------------------------------------


def test_a_record_can_be_changed(rest):
    identity = rest.register("before", tags=["old"])
    url = f"/workers/{identity.worker_id}"
    assert rest.ok("PATCH", url, 200, json={"name": "after"})["name"] == "after"
    assert rest.worker(identity.worker_id)["tags"] == ["old"]
    assert rest.ok("PATCH", url, 200, json={"tags": ["new", "newer"]})["tags"] == ["new", "newer"]
    assert rest.ok("PATCH", url, 200, json={"tags": []})["tags"] == []
    record = rest.worker(identity.worker_id)
    assert (record["name"], record["tags"]) == ("after", [])


def test_a_change_does_not_disturb_the_session(site, rest):
    worker = site.online("tcp-5")
    rest.ok("PATCH", f"/workers/{worker.worker_id}", 200, json={"name": "renamed"})
    worker.wire.ping()
    assert rest.status_of(worker.worker_id)["connected"] is True


def test_a_deleted_worker_is_gone_and_its_session_with_it(site, rest):
    worker = site.online("ws-5")
    answer = rest.ok("DELETE", f"/workers/{worker.worker_id}", 200)
    assert (answer["success"], answer["enforced"]) == (True, True)
    assert worker.wire.wait_closed(1)
    rest.fails("GET", f"/workers/{worker.worker_id}", 404, "WORKER_NOT_FOUND")
    assert rest.get("/workers", id=worker.worker_id) == []
    with pytest.raises(Refused):
        worker.connect()
    assert site.database.value("SELECT COUNT(*) FROM worker_tombstones WHERE id = %s",
                               worker.worker_id) == 1


@pytest.mark.parametrize("method, path", [
    ("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/connection"), ("POST", "/send"),
    ("POST", "/start"), ("POST", "/stop"), ("POST", "/token"), ("POST", "/revoke"),
    ("POST", "/reinstate"), ("GET", "/metrics/latest")])
def test_an_unknown_worker_is_not_found(rest, method, path):
    body = {"/send": {"message": "x"}, "": {"name": "new name"}}.get(path, {})
    options = {"json": body} if method in ("POST", "PATCH") else {}
    rest.fails(method, f"/workers/wrk_aaaaaaaaaaaaaaaa{path}", 404, "WORKER_NOT_FOUND", **options)


def test_the_audit_trail_tells_of_a_life(site, rest):
    worker = site.online("tcp-5")
    path = f"/workers/{worker.worker_id}"
    rest.ok("PATCH", path, 200, json={"name": "renamed"})
    command = rest.post(f"{path}/start", status=202)["command_id"]
    worker.publish("results", {"command_id": command, "status": "done"})
    worker.receive("results/ack")
    rest.ok("DELETE", f"{path}/sessions", 200)
    rest.post(f"{path}/token")
    rest.post(f"{path}/revoke", {"reason": "stolen"})
    rest.post(f"{path}/reinstate")
    rest.ok("DELETE", path, 200)
    rows = site.database.query("SELECT event, actor FROM token_log WHERE worker_id = %s AND event"
                               " NOT LIKE '%%connected' ORDER BY id", worker.worker_id)
    assert [row["event"] for row in rows] == [
        "created", "changed", "command", "command_done", "kicked", "token_rotated", "revoked",
        "reinstated", "deleted"]
    assert {row["actor"] for row in rows if row["event"] != "command_done"} == {"admin"}


def test_kicking_a_worker(site, rest):
    worker = site.online("ws-5")
    answer = rest.ok("DELETE", f"/workers/{worker.worker_id}/sessions", 200)
    assert answer["success"] is True
    assert worker.receive("notice", 1)["code"] == "KICKED"
    assert worker.wire.wait_closed(1)
    wait_until(lambda: rest.status_of(worker.worker_id)["disconnect_reason"] == "kicked")
    rest.fails("DELETE", f"/workers/{worker.worker_id}/sessions", 409, "WORKER_NOT_CONNECTED")


def test_kicking_one_session(site, rest):
    first = site.online("tcp-5")
    second = site.worker((first.worker_id, first.token), "tcp-5", "b").connect()
    wait_until(lambda: rest.worker(first.worker_id)["connection"]["sessions"] == 2)
    rest.ok("DELETE", f"/workers/{first.worker_id}/sessions/{second.client_id}", 200)
    assert second.wire.wait_closed(1)
    first.wire.ping()
    assert rest.status_of(first.worker_id)["connected"] is True


# ---- tags ------------------------------------------------------------------------------------


def test_tags_find_workers_in_every_list(rest, mark):
    tags = [f"{mark}:{n}" for n in range(32)]
    all_of_them = rest.register(tags=tags).worker_id
    some = rest.register(tags=tags[:2]).worker_id

    def found(*wanted):
        ids = [w["id"] for w in rest.get("/workers", tag=list(wanted))]
        assert [w["worker_id"] for w in
                rest.get("/workers/status", tag=list(wanted))["workers"]] == ids
        return ids
    assert found(tags[0]) == [all_of_them, some]
    assert found(*tags) == [all_of_them]
    assert found(tags[0], tags[0]) == [all_of_them, some]
    assert found(tags[0].upper()) == []
    rest.ok("PATCH", f"/workers/{some}", 200, json={"tags": [tags[31]]})
    assert found(tags[0]) == [all_of_them] and found(tags[31]) == [all_of_them, some]


@pytest.mark.parametrize("tags", [[""], ["a b"], ["a,b"], ["é"], ["x" * 65],
                                  [f"t{n}" for n in range(33)]],
                         ids=["empty", "blank", "comma", "letter", "long", "many"])
def test_a_tag_that_no_worker_can_have_is_refused(rest, tags):
    for path in ("/workers", "/workers/status"):
        rest.fails("GET", path, 400, "INVALID_REQUEST", names="tag", params={"tag": tags})
    rest.fails("POST", "/workers", 400, "INVALID_REQUEST", names="tags",
               json={"name": "tagged", "tags": tags})

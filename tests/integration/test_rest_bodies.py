# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Bodies that are wrong, in every way that people and programs find; and HTTP around them."""

import http.client
import json
import re
import socket

import pytest

from harness.wait import wait_until

MIB = 1 << 20
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def alive(rest):
    """Whatever was sent, the bridge goes on answering."""
    yield
    rest.get("/workers", limit=1)


# ---- not JSON, or not as it should be --------------------------------------------------------

NOT_JSON = {
    "empty": b"", "blank": b"  \n", "word": b"hello", "half": b'{"name": "abc"', "quote": b'"',
    "two": b'{"name":"abc"}{"name":"abc"}', "trailing": b'{"name":"abc"} x', "comma": b'{"a":1,}',
    "single": b"{'name':'abc'}", "comment": b'/* x */{"name":"abc"}', "nan": b'{"name":NaN}',
    "latin1": '{"name":"Grün"}'.encode("latin-1"), "nul": b'{"name":"abc"}\0\0',
    "utf16": '{"name":"abc"}'.encode("utf-16"), "form": b"name=abc", "binary": bytes(range(256)),
    "surrogate": b'{"name":"\xed\xa0\x80abc"}'}


@pytest.mark.parametrize("kind", NOT_JSON)
def test_a_body_that_is_not_json(rest, alive, kind):
    error = rest.fails("POST", "/workers", 400, "INVALID_REQUEST", data=NOT_JSON[kind],
                       headers=JSON)
    assert error["message"]


@pytest.mark.parametrize("body", ["[]", "null", "7", '"text"', "true", '[{"name":"abc"}]'])
def test_a_body_that_is_no_object(rest, alive, body):
    rest.fails("POST", "/workers", 400, "INVALID_REQUEST", data=body, headers=JSON)


@pytest.mark.parametrize("shape", [
    b"[" * 200 + b"]" * 200, b'{"a":' * 200 + b"1" + b"}" * 200,
    b'{"name":' + b"[" * 200 + b"]" * 200 + b"}", b"[" * 100_000, b'{"a":' * 100_000])
def test_a_body_that_is_nested_too_deep(rest, alive, shape):
    rest.fails("POST", "/workers", 400, "INVALID_REQUEST", data=shape, headers=JSON)


@pytest.mark.parametrize("path", ["/workers", "/auth/login", "/api/workers"])
def test_a_body_of_ten_mebibytes(rest, alive, path):
    body = b'{"name":"' + b"x" * (10 * MIB) + b'"}'
    response = rest.request("POST", path, data=body, headers=JSON)
    assert response.status_code == 413
    assert response.json()["error"]["message"]


def test_a_body_that_says_it_is_huge_is_refused_before_it_comes(site, rest, alive):
    connection = http.client.HTTPConnection("127.0.0.1", site.bridge.port, timeout=10)
    connection.putrequest("POST", "/workers")
    connection.putheader("Authorization", rest.session.headers["Authorization"])
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(10 * 1024 * MIB))
    connection.putheader("Expect", "100-continue")
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded",
                                          "multipart/form-data", "application/jsonx", None])
def test_a_body_that_is_not_declared_as_json(rest, alive, content_type):
    headers = {} if content_type is None else {"Content-Type": content_type}
    rest.fails("POST", "/workers", 415, "UNSUPPORTED_MEDIA_TYPE", data=b'{"name":"abc"}',
               headers=headers)


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON"])
def test_json_may_be_declared_in_other_words(rest, content_type):
    rest.ok("POST", "/workers", 201, data=b'{"name":"abc"}',
            headers={"Content-Type": content_type})


# ---- fields that are wrong -------------------------------------------------------------------


@pytest.mark.parametrize("body, field", [
    ({}, "name"), ({"name": None}, "name"), ({"name": 7}, "name"), ({"name": ["abc"]}, "name"),
    ({"name": {}}, "name"), ({"name": True}, "name"), ({"name": ""}, "name"),
    ({"name": "ab"}, "name"), ({"name": "x" * 101}, "name"), ({"name": "   "}, "name"),
    ({"name": "ä" * 101}, "name"), ({"name": "a\nb\u0007c"}, "name"),
    ({"name": "a\u0000bc"}, "name"), ({"name": "x" * 100_000}, "name"),
    ({"name": "abc", "tags": "x"}, "tags"), ({"name": "abc", "tags": [7]}, "tags"),
    ({"name": "abc", "tags": {}}, "tags"), ({"name": "abc", "tags": [""]}, "tags"),
    ({"name": "abc", "tags": ["x" * 65]}, "tags"), ({"name": "abc", "tags": ["a b"]}, "tags"),
    ({"name": "abc", "tags": ["a", "a"]}, "tags"),
    ({"name": "abc", "tags": [f"t{n}" for n in range(33)]}, "tags"),
    ({"name": "abc", "tags": [None]}, "tags"), ({"name": "abc", "tags": [["a"]]}, "tags"),
    ({"name": "abc", "colour": "red"}, "colour")], ids=lambda v: repr(v)[:40])
def test_a_wrong_field_of_a_registration_is_named(site, rest, alive, body, field):
    before = site.database.value("SELECT COUNT(*) FROM workers")
    rest.fails("POST", "/workers", 400, "INVALID_REQUEST", field, json=body)
    assert site.database.value("SELECT COUNT(*) FROM workers") == before


@pytest.mark.parametrize("method, path, body, field", [
    ("PATCH", "", {"name": 7}, "name"), ("PATCH", "", {"name": "x"}, "name"),
    ("PATCH", "", {"name": None}, "name"), ("PATCH", "", {"tags": "x"}, "tags"),
    ("PATCH", "", {"status": "revoked"}, "status"),
    ("PATCH", "", {"is_connected": True}, "is_connected"),
    ("POST", "/send", {}, "message"), ("POST", "/send", {"message": "x", "target": 7}, "target"),
    ("POST", "/send", {"message": "x", "traget": "all"}, "traget"),
    ("POST", "/revoke", {"reason": 7}, "reason"), ("POST", "/revoke", {"raeson": "x"}, "raeson"),
    ("POST", "/revoke", {"reason": "x" * 100_000}, "reason"),
    ("POST", "/token", {"days": 7}, "days"), ("POST", "/reinstate", {"now": True}, "now")])
def test_a_wrong_field_of_a_worker_route_is_named(rest, alive, method, path, body, field):
    identity = rest.register()
    rest.fails(method, f"/workers/{identity.worker_id}{path}", 400, "INVALID_REQUEST", field,
               json=body)


@pytest.mark.parametrize("body, field", [
    ({}, "username"), ({"username": "admin"}, "password"), ({"password": "x"}, "username"),
    ({"username": 7, "password": "x"}, "username"), ({"username": "a", "password": []}, "password"),
    ({"username": "x" * 100_000, "password": "x"}, "username"),
    ({"username": "a", "password": "x" * 100_000}, "password"),
    ({"username": "a", "password": "b", "otp": 1}, "otp")], ids=lambda v: repr(v)[:40])
def test_a_wrong_field_of_a_login_is_named(rest, alive, body, field):
    rest.fails("POST", "/auth/login", 400, "INVALID_REQUEST", field, json=body)


@pytest.mark.parametrize("path", ["/start", "/stop"])
@pytest.mark.parametrize("body", [b"[]", b"7", b"no JSON", b"[" * 200, b"null"])
def test_options_of_a_start_that_are_none(rest, alive, path, body):
    identity = rest.register()
    rest.fails("POST", f"/workers/{identity.worker_id}{path}", 400, "INVALID_REQUEST", data=body,
               headers=JSON)


@pytest.mark.parametrize("worker_id", ["x" * 65, "a%2Fb", "a%20b", "wrk_%C3%A4", "a.b",
                                       "%2e%2e", "+", "%23"])
def test_a_worker_id_that_can_be_none(rest, alive, worker_id):
    response = rest.request("GET", f"/workers/{worker_id}")
    assert response.status_code in (400, 404)
    assert response.json()["error"]["code"] in ("WORKER_NOT_FOUND", "NOT_FOUND", "INVALID_REQUEST")


def test_a_nul_in_a_path_is_refused(rest, alive):
    """By the HTTP library or by us, as its version has it."""
    assert rest.request("GET", "/workers/%00").status_code in (400, 404)


# ---- HTTP ------------------------------------------------------------------------------------


def test_every_answer_has_a_request_id(rest):
    seen = set()
    for method, path in (("GET", "/workers"), ("GET", "/nowhere"), ("POST", "/workers"),
                         ("GET", "/livez"), ("DELETE", "/livez")):
        seen.add(rest.request(method, path).headers["X-Request-Id"])
    assert len(seen) == 5


def test_a_clients_request_id_is_kept_if_it_is_harmless(rest):
    def echoed(value):
        return rest.request("GET", "/livez", headers={"X-Request-Id": value}) \
            .headers["X-Request-Id"]
    assert echoed("trace-42_x") == "trace-42_x"
    assert echoed("x" * 33) != "x" * 33
    assert re.fullmatch("[A-Za-z0-9_-]{1,32}", echoed("a b<script>"))


def test_everything_is_served_under_api_too(rest):
    identity = rest.register()
    assert rest.get(f"/api/workers/{identity.worker_id}")["id"] == identity.worker_id
    assert rest.get("/api/workers/status", id=identity.worker_id)["workers"]
    assert rest.ok("POST", "/api/workers", 201, json={"name": "by api"})["worker_id"]
    for path in ("/api/livez", "/api/readyz"):
        assert rest.request("GET", path).status_code == 200


@pytest.mark.parametrize("path", ["/nowhere", "/worker", "/workers/a/b/c/d", "/api/nowhere",
                                  "/apiworkers", "/api/api/workers", "/workers/x/unknown"])
def test_an_unknown_route_is_not_found(rest, path):
    rest.fails("GET", path, 404, "NOT_FOUND")


@pytest.mark.parametrize("method, path, allowed", [
    ("DELETE", "/workers", {"GET", "POST"}), ("PUT", "/workers", {"GET", "POST"}),
    ("POST", "/workers/wrk_a", {"GET", "PATCH", "DELETE"}), ("POST", "/workers/status", {"GET"}),
    ("GET", "/workers/wrk_a/start", {"POST"}), ("GET", "/auth/login", {"POST"})])
def test_a_method_that_a_route_does_not_know(rest, method, path, allowed):
    response = rest.request(method, path, headers=JSON, data=b"{}")
    assert response.status_code == 405
    assert response.json()["error"]["code"] == "METHOD_NOT_ALLOWED"
    offered = {word.strip() for word in response.headers["Allow"].split(",")}
    assert offered - {"HEAD", "OPTIONS"} == allowed


def test_head_is_get_without_a_body(rest):
    response = rest.request("HEAD", "/workers")
    assert (response.status_code, response.content) == (200, b"")


def test_answers_are_not_to_be_cached_or_guessed_at(rest):
    headers = rest.request("GET", "/workers").headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_connection_serves_many_requests(site, rest):
    connection = http.client.HTTPConnection("127.0.0.1", site.bridge.port, timeout=10)
    headers = {"Authorization": rest.session.headers["Authorization"]}
    connection.connect()
    local = connection.sock.getsockname()
    for _ in range(50):
        connection.request("GET", "/workers?limit=1", headers=headers)
        response = connection.getresponse()
        assert response.status == 200
        json.loads(response.read())
        assert connection.sock and connection.sock.getsockname() == local
    connection.close()


@pytest.mark.parametrize("data", [b"\r\n\r\n", b"GARBAGE\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                                  b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
                                  b"POST /workers HTTP/1.1\r\nContent-Length: x\r\n\r\n",
                                  b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000, b"\x16\x03\x01"])
def test_what_is_no_http_disturbs_nobody(site, alive, data):
    with socket.create_connection(("127.0.0.1", site.bridge.port), 1) as s:
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            while s.recv(65536):
                pass
        except OSError:
            pass  # cut off, or ignored: both will do


def test_clients_that_go_away_in_the_middle_are_forgotten(site, rest, alive):
    worker = site.online("tcp-5")
    head = (f"POST /workers/{worker.worker_id}/start?wait=5 HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: {rest.session.headers['Authorization']}\r\n"
            "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n").encode()
    for body in (b"", b"{", b"{}"):
        with socket.create_connection(("127.0.0.1", site.bridge.port), 5) as s:
            s.sendall(head + body)


# ---- as deep as is allowed -------------------------------------------------------------------


def nested(depth):
    """An object with so many levels, itself included."""
    value = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


def test_what_is_nested_as_deep_as_allowed_arrives(site, rest):
    """It travels within control messages, whose other parts must stay readable."""
    worker = site.online("tcp-5")
    path = f"/workers/{worker.worker_id}"
    rest.post(f"{path}/start", nested(30), 202)
    assert worker.receive("commands")["payload"] == nested(30)
    rest.post(f"{path}/send", {"message": nested(29)})
    assert worker.receive("commands") == nested(29)
    rest.fails("POST", f"{path}/send", 400, "INVALID_REQUEST", json={"message": nested(30)})


def test_a_workers_deep_state_disturbs_nobody(site, rest):
    worker = site.online("tcp-5")
    state = {"engine_status": "running", "deep": nested(29)}
    worker.publish("state", state)
    wait_until(lambda: rest.status_of(worker.worker_id)["engine_status"] == "running")
    shown = rest.get(f"/workers/{worker.worker_id}/connection")
    assert shown["reported_state"] == state


@pytest.mark.parametrize("path, body", [("send", {"message": "x" * 300_000}),
                                        ("start", {"option": "x" * 300_000})])
def test_a_message_larger_than_a_worker_is_sent(site, rest, path, body):
    worker = site.online("tcp-5")
    rest.fails("POST", f"/workers/{worker.worker_id}/{path}", 413, "PAYLOAD_TOO_LARGE", json=body)
    assert site.database.query("SELECT id FROM commands WHERE worker_id = %s",
                               worker.worker_id) == ()

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Answers in gzip for whoever takes it, and HEAD."""

import gzip
import http.client
import json
import socket
import threading

import pytest

from harness.openapi import document_of

MEDIUM, LARGE = "/workers/status?tag=gzip", "/openapi.json"  # compressed at once; by a thread


@pytest.fixture(scope="module", autouse=True)
def workers(shared_site):
    for n in range(8):
        shared_site.rest.register(f"row {n}", tags=["gzip"])


@pytest.fixture
def ask(site, rest):
    """Nothing but what is written here is sent."""
    connection = http.client.HTTPConnection("127.0.0.1", site.bridge.port, timeout=15)

    def asked(path, accept=None, method="GET", **headers):
        headers |= {"Authorization": rest.session.headers["Authorization"]}
        headers |= {"Accept-Encoding": accept} if accept is not None else {}
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        response = connection.getresponse()
        response.content = response.read()
        return response
    yield asked
    connection.close()


def without_ages(content):
    """What does not change from one answer to the next."""
    body = json.loads(content)
    for row in body.get("workers", ()):
        del row["last_report_age_seconds"]
    body.pop("cursor", None)
    return body


@pytest.mark.parametrize("path", [MEDIUM, LARGE])
@pytest.mark.parametrize("accept", ["gzip", "br, GZIP;q=0.5", "*"])
def test_whoever_takes_gzip_gets_it(ask, path, accept):
    plain, packed = ask(path), ask(path, accept)
    assert (plain.headers["Content-Encoding"], packed.headers["Content-Encoding"]) == (None, "gzip")
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
    assert int(packed.headers["Content-Length"]) == len(packed.content) < len(plain.content) / 2
    assert without_ages(gzip.decompress(packed.content)) == without_ages(plain.content)


@pytest.mark.parametrize("path", [MEDIUM, LARGE])
@pytest.mark.parametrize("accept", ["", "identity", "gzip;q=0", "*;q=0", "br", "gzip;q=0, *"])
def test_nobody_else_does(ask, path, accept):
    response = ask(path, accept)
    assert response.headers["Content-Encoding"] is None
    json.loads(response.content)


@pytest.mark.parametrize("path", ["/livez", "/auth/me", "/workers?tag=gzip&limit=1"])
def test_a_small_answer_stays_as_it_is(ask, path):
    response = ask(path, "gzip")
    assert (response.status, response.headers["Content-Encoding"]) == (200, None)


def test_a_stream_stays_as_it_is(rest):
    with rest.request("GET", "/events", stream=True, headers={"Accept-Encoding": "gzip"}) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        assert "Content-Encoding" not in stream.headers
        assert next(stream.iter_lines())


def test_an_etag_is_good_for_both(ask):
    one = ask(MEDIUM, "gzip").headers["ETag"]
    for accept in (None, "gzip"):
        again = ask(MEDIUM, accept, If_None_Match=one)
        assert (again.status, again.content) == (304, b"")
        assert again.headers["Vary"] == "Accept-Encoding"
    assert ask(MEDIUM).headers["ETag"] == one


@pytest.mark.parametrize("path", [MEDIUM, LARGE])
@pytest.mark.parametrize("accept", [None, "gzip"])
def test_head_has_the_header_of_get(ask, path, accept):
    get, head = ask(path, accept), ask(path, accept, "HEAD")
    assert head.content == b""
    for name in ("Content-Type", "Content-Encoding", "Vary", "ETag"):
        assert head.headers[name] == get.headers[name]
    if path == LARGE:
        assert head.headers["Content-Length"] == get.headers["Content-Length"]


def test_every_get_can_be_asked_with_head(site, ask):
    paths = document_of(site.bridge.url).doc["paths"]
    for path in [path for path in paths if "get" in paths[path] and "{" not in path]:
        head = ask(path, method="HEAD")
        assert (head.status, head.content) == (200, b""), path
        assert ask("/livez").status == 200, f"after HEAD {path}"


def test_more_than_can_be_compressed_at_once_are_all_answered(rest):
    wanted, wrong = rest.session.get(rest.url + LARGE).content, []

    def many():
        with rest.twin() as twin:
            for _ in range(5):
                if twin.session.get(rest.url + LARGE).content != wanted:
                    wrong.append(1)
    threads = [threading.Thread(target=many) for _ in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_client_that_leaves_meanwhile_harms_nobody(site, rest):
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", site.bridge.port)) as s:
            s.sendall(f"GET {LARGE} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n".encode())
    assert rest.get(LARGE)["openapi"]

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Encrypted connections under a private authority: REST over https, the reload of its certificate,
and what is refused."""

import concurrent.futures
import http.client
import os
import shutil
import signal
import socket
import ssl

import pytest
import requests

from harness.bridge import ADMIN, ADMIN_PASSWORD
from harness.listener import Listener
from harness.pki import Authority, Certificate, shown_serial
from harness.rest import Rest
from harness.site import Site
from harness.wait import wait_until


def bridge_environment(authority, pair, **more):
    return {"ca": authority.ca, "ROLLCALL_TLS_CERT": pair.cert, "ROLLCALL_TLS_KEY": pair.key,
            **more}


@pytest.fixture(scope="module")
def pair(authority, new_directory):
    """Certificate and key under names of their own, so that a test may replace them."""
    directory = new_directory("pair")
    own = Certificate(str(directory / "cert.pem"), str(directory / "key.pem"))
    for source, target in zip(authority.issue(), own):
        shutil.copy(source, target)
    return own


@pytest.fixture(scope="module")
def secure_site(new_directory, database_server, authority, pair):
    site = Site(new_directory("secure"), database_server, bridge_environment(
        authority, pair, ROLLCALL_WEBSOCKET_URL="wss://workers.example"))
    yield site
    site.close()


@pytest.fixture
def secure(secure_site):
    yield secure_site
    secure_site.dismiss()


# ---- REST ------------------------------------------------------------------------------------


def test_rest_is_served_over_https(secure):
    worker = secure.online("ws-5")
    assert secure.rest.status_of(worker.worker_id)["connected"] is True
    body = secure.rest.post("/workers", {"name": "of a secure site"}, 201)
    assert body["websocket_url"] == f"wss://workers.example/ws/{body['worker_id']}"


def test_large_bodies_and_answers_go_through(secure):
    worker = secure.online("ws-5")
    worker.subscribe("commands")
    message = "x" * 200_000
    secure.rest.post(f"/workers/{worker.worker_id}/send", {"message": {"text": message}})
    assert worker.receive("commands")["text"] == message
    tags = [f"{n:02}".ljust(64, "t") for n in range(32)]
    for _ in range(60):
        secure.rest.register(tags=tags)
    tagged = secure.rest.get("/workers", tag=tags[0])
    assert len(tagged) == 60 and all(w["tags"] == tags for w in tagged)


def test_many_requests_at_once_on_many_connections(secure):
    def ask(_):
        with secure.rest.twin() as rest:
            return [rest.get("/auth/me")["username"] for _ in range(10)]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(32)))
    assert answers == [[ADMIN] * 10] * 32


def test_events_stream_over_https(secure):
    listener = Listener(secure.rest, types="presence")
    try:
        worker = secure.online("ws-5")
        listener.wait("presence", worker_id=worker.worker_id, connected=True)
        worker.drop()
        listener.wait("presence", worker_id=worker.worker_id, connected=False)
    finally:
        listener.close()


def test_the_cookie_is_for_https_alone_and_the_site_says_so(secure):
    answer = requests.post(secure.bridge.url + "/auth/login", verify=secure.bridge.ca, timeout=10,
                           json={"username": ADMIN, "password": ADMIN_PASSWORD})
    assert "; Secure" in answer.headers["Set-Cookie"]
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    cookie = {"Cookie": answer.headers["Set-Cookie"].split(";")[0]}
    host = secure.bridge.url.split("//")[1]
    for origin, status in ((f"http://{host}", 403), (f"https://{host}", 200)):
        assert requests.post(secure.bridge.url + "/auth/logout", verify=secure.bridge.ca,
                             headers={**cookie, "Origin": origin},
                             timeout=10).status_code == status


def test_plain_http_gets_no_answer_and_no_cookie_says_secure_without_tls(secure, rest):
    with socket.create_connection(("127.0.0.1", secure.bridge.port), 10) as s:
        s.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"HTTP/1.1 200" not in s.recv(4096)
    answer = rest.request("POST", "/auth/login",
                          json={"username": ADMIN, "password": ADMIN_PASSWORD})
    rest.session.cookies.clear()
    assert "Secure" not in answer.headers["Set-Cookie"]
    assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_spoken(secure, authority, version):
    context = authority.context()
    context.minimum_version = context.maximum_version = version
    connection = http.client.HTTPSConnection("127.0.0.1", secure.bridge.port, timeout=10,
                                             context=context)
    connection.request("GET", "/livez")
    assert connection.getresponse().status == 200
    connection.close()


def test_older_versions_are_refused(secure, authority):
    context = authority.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", secure.bridge.port), 10) as plain:
        # Closed by the bridge; a version that the client itself refused is another error.
        with pytest.raises((ssl.SSLZeroReturnError, ssl.SSLEOFError, ConnectionError)):
            context.wrap_socket(plain, server_hostname="127.0.0.1")


def test_another_authority_does_not_vouch_for_it(secure, new_directory):
    other = Authority(new_directory("other-ca"), "another CA")
    with pytest.raises(requests.exceptions.SSLError):
        Rest(secure.bridge.url, other.ca).login()


# ---- a new certificate -----------------------------------------------------------------------


def replace(pair, certificate):
    """Each file by a rename, as certificate clients do."""
    for source, target in zip(certificate, pair):
        shutil.copy(source, target + ".new")
        os.replace(target + ".new", target)


def hang_up(site, logged="reloaded"):
    since = site.bridge.process.log_size()
    site.bridge.process.signal(signal.SIGHUP)
    wait_until(lambda: logged in site.bridge.process.log_text(since), 5, f"it logs: {logged}")


def test_sighup_takes_a_new_certificate_and_open_connections_go_on(secure, authority, pair):
    def serial():
        return shown_serial("127.0.0.1", secure.bridge.port, authority.context())
    listener = Listener(secure.rest, types="presence")
    try:
        before = serial()
        replace(pair, authority.issue())
        assert serial() == before
        hang_up(secure)
        after = serial()
        assert after != before
        worker = secure.online("ws-5")
        listener.wait("presence", worker_id=worker.worker_id, connected=True)
    finally:
        listener.close()
    # The key of another one: what is shown stays, and the log says why.
    good = Certificate(*(shutil.copy(f, f + ".good") for f in pair))
    shutil.copy(authority.issue().key, pair.key)
    hang_up(secure, "the old certificate stays")
    assert serial() == after
    replace(pair, good)
    hang_up(secure)
    assert serial() == after


def test_sighup_ends_no_bridge_without_tls_and_takes_the_log_level(new_site, new_directory):
    file = new_directory("config") / "bridge.conf"
    file.write_text("ROLLCALL_LOG_LEVEL=info\n")
    site = new_site(bridge_environment={"ROLLCALL_CONFIG": str(file)})
    assert "debug" not in site.bridge.process.log_text()
    file.write_text("ROLLCALL_LOG_LEVEL=debug\n")
    hang_up(site)
    site.rest.get("/auth/me")
    wait_until(lambda: "path=/auth/me" in site.bridge.process.log_text())
    file.write_text("ROLLCALL_LOG_LEVEL=loud\n")
    hang_up(site, "the old log level stays")
    site.rest.get("/auth/me")


# ---- what cannot be --------------------------------------------------------------------------


def test_a_bridge_without_its_certificate_does_not_start(site, authority, new_directory):
    pair, other = authority.issue(), authority.issue()
    broken = new_directory("broken") / "cert.pem"
    broken.write_text("no certificate\n")
    for cert, key, named in ((pair.cert, "", "ROLLCALL_TLS_KEY"),
                             (pair.cert, other.key, "is not the key of"),
                             (str(broken), pair.key, str(broken)),
                             ("/nonexistent/cert.pem", pair.key, "/nonexistent/cert.pem")):
        ended = site.bridge.run("serve", ROLLCALL_TLS_CERT=cert, ROLLCALL_TLS_KEY=key)
        assert ended.returncode == 1
        assert named in ended.stderr

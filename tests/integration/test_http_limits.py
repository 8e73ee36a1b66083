# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Clients that are slow, greedy or many, and what every answer says to browsers."""

import contextlib
import os
import resource
import signal
import socket

import pytest
import requests

from harness import prometheus
from harness.site import Site
from harness.wait import hold_true, wait_until

# The header's time is a client's for its TLS handshake, too, on a machine that may be busy.
LIMITS = {"ROLLCALL_HTTP_HEADER_SECONDS": "2", "ROLLCALL_HTTP_BODY_SECONDS": "1",
          "ROLLCALL_HTTP_ANSWER_SECONDS": "1", "ROLLCALL_HTTP_IDLE_SECONDS": "1",
          "ROLLCALL_HTTP_CONNECTIONS_PER_ADDRESS": "20", "ROLLCALL_HTTP_CONNECTIONS": "60",
          "ROLLCALL_TRUSTED_PROXIES": "127.0.0.9"}
PATIENCE_S = 8  # a limit is noticed a second later at most, if the machine is not busy


@pytest.fixture(scope="module", params=["http", "https"])
def strict(request, new_directory, database_server, authority):
    environment = dict(LIMITS)
    if request.param == "https":
        pair = authority.issue(names="DNS:localhost,IP:127.0.0.1,IP:127.0.0.9")
        environment.update(ca=authority.ca, ROLLCALL_TLS_CERT=pair.cert, ROLLCALL_TLS_KEY=pair.key,
                           ROLLCALL_CORE_DUMPS="1")
    site = Site(new_directory("strict"), database_server, environment)
    site.dumps_core = "ROLLCALL_CORE_DUMPS" in environment
    site.context = authority.context() if request.param == "https" else None
    yield site
    site.close()


class Client:
    """A connection on which a test sends what it likes, from an address that it likes."""

    def __init__(self, site, source="127.0.0.1", shake_hands=True, read_little=False):
        self.sock = socket.socket()
        if read_little:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.settimeout(10)
        self.sock.bind((source, 0))
        self.sock.connect(("127.0.0.1", site.bridge.port))
        if site.context and shake_hands:
            self.sock = site.context.wrap_socket(self.sock, server_hostname="127.0.0.1")

    def send(self, text):
        self.sock.sendall(text if isinstance(text, bytes) else text.encode())

    def drip(self, text="x"):
        """One more byte; false once the connection is gone."""
        try:
            self.send(text)
            self.sock.setblocking(False)
            return self.sock.recv(4096) != b""
        except (BlockingIOError, InterruptedError):
            return True
        except OSError as e:
            return "want to read" in str(e).lower() or "did not complete" in str(e)
        finally:
            self.sock.settimeout(10)

    def is_closed(self):
        self.sock.settimeout(PATIENCE_S)
        try:
            while self.sock.recv(65536):
                pass
        except TimeoutError:
            return False
        except OSError:
            pass
        return True

    def status(self):
        """Of the next answer, whose body has to fit behind its header."""
        line = self.sock.recv(65536).split(b"\r\n")[0]
        return int(line.split()[1])

    def close(self):
        self.sock.close()


@pytest.fixture
def client(strict):
    with contextlib.ExitStack() as stack:
        def make(**options):
            return stack.enter_context(contextlib.closing(Client(strict, **options)))
        yield make


def figures(site):
    """Asked for by a trusted proxy, which always gets in."""
    return prometheus.parse(get_from(site, "127.0.0.9", "/metrics").text)


def get_from(site, address, path, **headers):
    with requests.Session() as session:
        session.mount(site.bridge.url, _From(address))
        return session.get(site.bridge.url + path, timeout=10, verify=site.bridge.ca or True,
                           headers={"Connection": "close", **headers})


class _From(requests.adapters.HTTPAdapter):
    def __init__(self, address):
        self.address = address
        super().__init__()

    def init_poolmanager(self, *args, **kwargs):
        super().init_poolmanager(*args, source_address=(self.address, 0), **kwargs)


def late(site, step):
    return figures(site)["rollcall_http_connections_late_total"].value(step=step)


@pytest.fixture
def counted(strict):
    """Checks that one connection, and only of that step, was cut off for being late."""
    before = {}

    def begin(step):
        # What an earlier test left behind, or the signing in, may be late, too: it is gone first.
        wait_until(lambda: figures(strict)["rollcall_http_connections"].value() == 1, PATIENCE_S,
                   "nobody is connected but who asks for that")
        before[step] = late(strict, step)
    yield begin
    for step, n in before.items():
        wait_until(lambda: late(strict, step) == n + 1)


# ---- slow clients ----------------------------------------------------------------------------


def test_a_header_that_comes_byte_by_byte_is_cut_off(client, counted):
    counted("header")
    slow = client()
    slow.send("GET /livez HTTP/1.1\r\nX-Slow: ")
    wait_until(lambda: not slow.drip(), PATIENCE_S, "the connection is cut off")


def test_a_connection_on_which_nothing_comes_is_cut_off(client, counted):
    counted("header")
    assert client(shake_hands=False).is_closed()


def test_a_body_that_comes_byte_by_byte_is_cut_off(client, counted):
    counted("body")
    slow = client()
    slow.send("POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
              "Content-Length: 100000\r\n\r\n{")
    wait_until(lambda: not slow.drip(" "), PATIENCE_S, "the connection is cut off")


def test_a_body_that_nobody_wants_is_not_waited_for_either(client, counted):
    counted("body")
    slow = client()
    slow.send("POST /workers HTTP/1.1\r\nHost: x\r\nContent-Length: 60000000\r\n\r\n")
    wait_until(lambda: not slow.drip("x" * 100), PATIENCE_S, "the connection is cut off")


def test_an_answer_that_is_not_read_is_cut_off(client, counted):
    counted("answer")
    slow = client(read_little=True)
    slow.sock.settimeout(1)
    with contextlib.suppress(OSError):  # until the buffers are full in both directions
        for _ in range(100_000):
            slow.send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 10)
    wait_until(lambda: not slow.drip("\r\n"), PATIENCE_S, "the connection is cut off")


def test_a_connection_that_is_kept_open_ends_after_a_while(client, counted):
    counted("idle")
    idle = client()
    idle.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    assert idle.status() == 200
    assert idle.is_closed()


def test_who_waits_for_us_is_not_cut_off(strict, client):
    """An event stream on which nothing happens waits longer than any of the limits."""
    patient = client()
    patient.send("GET /events?types=worker HTTP/1.1\r\nHost: x\r\n"
                 f"Authorization: {strict.rest.session.headers['Authorization']}\r\n\r\n")
    assert patient.status() == 200
    hold_true(lambda: patient.drip(""), 4)


def test_a_bridge_that_was_stopped_blames_nobody(strict, client):
    before = late(strict, "header")
    unlucky = client()
    unlucky.send("GET /livez HTTP/1.1\r\nHost: x\r\n")
    strict.bridge.process.freeze()
    os.waitpid(strict.bridge.process.pid, os.WUNTRACED)
    try:
        hold_true(lambda: True, 2.5)
    finally:
        strict.bridge.process.signal(signal.SIGCONT)
    unlucky.send("\r\n")
    assert unlucky.status() == 200
    assert late(strict, "header") == before


# ---- requests that can be read in two ways ---------------------------------------------------


@pytest.mark.parametrize("framing", [
    "Content-Length: 5\r\nTransfer-Encoding: chunked", "Content-Length: 5\r\nContent-Length: 6",
    "Transfer-Encoding: chunked\r\nContent-Length: 0", "Content-Length: 5\r\nContent-Length: 5"])
def test_a_request_with_two_ends_is_refused_and_hides_no_other(client, framing):
    two = client()
    two.send(f"POST /auth/login HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n"
             "0\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = b""
    with contextlib.suppress(OSError):
        while got := two.sock.recv(65536):
            answer += got
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


# ---- many connections ------------------------------------------------------------------------


def test_an_address_has_no_more_connections_than_it_may(strict, client):
    before = figures(strict)["rollcall_http_connections_refused_total"].value()
    crowd = [client(source="127.0.0.2", shake_hands=False) for _ in range(20)]
    one_more = client(source="127.0.0.2", shake_hands=False)
    assert one_more.is_closed()
    assert figures(strict)["rollcall_http_connections_refused_total"].value() == before + 1
    neighbour = client(source="127.0.0.3")
    neighbour.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    assert neighbour.status() == 200
    crowd.pop().close()

    def may_come():
        again = client(source="127.0.0.2", shake_hands=False)
        return not (again.sock.settimeout(0.2) or _ended(again.sock))
    wait_until(may_come)


def _ended(sock):
    try:
        return sock.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_a_trusted_proxy_has_as_many_as_it_likes(strict, client):
    crowd = [client(source="127.0.0.9", shake_hands=False) for _ in range(30)]
    assert not any(_ended_now(c.sock) for c in crowd)


def _ended_now(sock):
    sock.setblocking(False)
    try:
        return sock.recv(1) == b""
    except BlockingIOError:
        return False


def test_past_all_connections_newcomers_wait_for_their_turn(strict, client):
    crowd = [client(source=f"127.0.0.{10 + n // 20}", shake_hands=False) for n in range(60)]
    patient = client(source="127.0.0.50", shake_hands=False)
    for other in crowd:
        other.close()
    if strict.context:
        patient.sock = strict.context.wrap_socket(patient.sock, server_hostname="127.0.0.1")
    patient.send("GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    assert patient.status() == 200


# ---- what every answer says ------------------------------------------------------------------

ALWAYS = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
          "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
          "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store"}


@pytest.mark.parametrize("method, path, status", [
    ("GET", "/livez", 200), ("GET", "/workers", 200), ("GET", "/metrics", 200),
    ("HEAD", "/workers", 200), ("GET", "/nothing/here", 404), ("PUT", "/workers", 405),
    ("POST", "/workers", 415), ("GET", "/workers?limit=x", 400)])
def test_every_answer_has_the_headers_for_browsers(strict, method, path, status):
    answer = strict.rest.request(method, path, data=b"x" if method == "POST" else None)
    assert answer.status_code == status
    for name, value in ALWAYS.items():
        assert answer.headers[name] == value
    assert answer.headers["X-Request-Id"]
    assert ("Strict-Transport-Security" in answer.headers) == (strict.context is not None)


def test_of_tls_the_trusted_proxys_word_is_believed_and_nobody_elses(strict):
    for source, believed in (("127.0.0.9", True), ("127.0.0.1", strict.context is not None)):
        answer = get_from(strict, source, "/livez", **{"X-Forwarded-Proto": "https"})
        assert ("Strict-Transport-Security" in answer.headers) == believed


# ---- the process -----------------------------------------------------------------------------


def test_a_crash_leaves_an_image_of_the_memory_only_where_that_is_allowed(strict):
    with open(f"/proc/{strict.bridge.process.pid}/limits") as f:
        limit = next(line for line in f if line.startswith("Max core file size"))
    ours = resource.getrlimit(resource.RLIMIT_CORE)
    wanted = ours if strict.dumps_core else (0, 0)
    assert [n.replace("unlimited", "-1") for n in limit.split()[4:6]] == [str(n) for n in wanted]

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Encrypted connections between the parts: workers to Mosquitto's own TLS, the bridge to Mosquitto
and to MariaDB."""

import datetime
import json
import ssl
import struct

import pytest

from harness.broker import Broker
from harness.bridge import Bridge
from harness.database import OPTIONS, DatabaseServer
from harness.door import Door, TlsDoor
from harness.identity import new_token
from harness.pki import Authority
from harness.ports import free_port
from harness.rest import Rest
from harness.site import Party
from harness.wait import wait_until
from harness.wire import PUBLISH, text
from harness.worker import PROTOCOLS, Refused, Worker

BURST = 400


class TlsSite(Party):
    """All that goes over a network is encrypted, and each end knows the other's authority."""

    def __init__(self, new_directory, authority, template):
        self.authority, self.new_directory = authority, new_directory
        self.door = TlsDoor(authority, authority.issue("DNS:localhost"), ask_for_certificates=True)
        directory = new_directory("tls")
        super().__init__(Broker(directory, self.door.lines))
        self.own = authority.issue("DNS:bridge", "bridge")
        self.door.context.load_cert_chain(*self.own)
        pair = authority.issue("DNS:localhost,DNS:127.0.0.1")
        self.db_port = free_port()
        self.server = DatabaseServer(new_directory("db"), template, (
            *OPTIONS, f"--ssl-ca={authority.ca}", f"--ssl-cert={pair.cert}",
            f"--ssl-key={pair.key}"), port=self.db_port)
        self.server.start()
        self.database = self.server.create("rollcall")
        with self.server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("CREATE USER encrypted@'127.0.0.1' IDENTIFIED BY %s REQUIRE X509",
                           (self.database.password,))
            cursor.execute("GRANT ALL ON rollcall.* TO encrypted@'127.0.0.1'")
        self.broker.start()
        self.bridge = self.new_bridge()
        self.rest = None

    def new_bridge(self, name="bridge", **environment):
        return Bridge(self.broker.directory, self.broker, self.database, name, **{
            "ROLLCALL_DB_SOCKET": "", "ROLLCALL_DB_HOST": "127.0.0.1",
            "ROLLCALL_DB_PORT": str(self.db_port), "ROLLCALL_DB_USER": "encrypted",
            "ROLLCALL_DB_TLS_CA": self.authority.ca, "ROLLCALL_DB_TLS_CERT": self.own.cert,
            "ROLLCALL_DB_TLS_KEY": self.own.key,
            "ROLLCALL_BROKER_HOST": "localhost", "ROLLCALL_BROKER_PORT": str(self.door.mqtt_port),
            "ROLLCALL_BROKER_TLS_CA": self.authority.ca,
            "ROLLCALL_BROKER_TLS_CERT": self.own.cert, "ROLLCALL_BROKER_TLS_KEY": self.own.key,
            **environment})

    def online(self, protocol="ws-5"):
        worker = Worker(self.door, self.rest.register(), protocol)
        self.stack.callback(worker.drop)
        worker.connect()
        self.rest.wait_connected(worker.worker_id)
        return worker

    def close(self):
        self.dismiss()
        if self.rest:
            self.rest.session.close()
        self.bridge.terminate()
        self.broker.terminate()
        self.server.stop()


@pytest.fixture(scope="module")
def tls_site(new_directory, authority, database_template):
    site = TlsSite(new_directory, authority, database_template)
    site.bridge.start()
    site.rest = Rest(site.bridge.url).login()
    yield site
    site.close()


@pytest.fixture
def tls(tls_site):
    yield tls_site
    tls_site.dismiss()


# ---- workers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_worker_lives_over_tls_as_it_does_without(tls, protocol):
    worker = tls.online(protocol)
    sessions = tls.rest.get(f"/workers/{worker.worker_id}/connection")["sessions"]
    assert sessions[0]["transport"] == ("websockets" if "ws" in protocol else "tcp")
    worker.subscribe("commands")
    message = {"text": "x" * 100_000}
    tls.rest.post(f"/workers/{worker.worker_id}/send", {"message": message})
    assert worker.receive("commands") == message
    worker.report(memory=17)
    wait_until(lambda: tls.rest.status_of(worker.worker_id)["memory"] == 17)
    worker.disconnect()
    tls.rest.wait_connected(worker.worker_id, False)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_wrong_token_is_refused_over_tls(tls, protocol):
    identity = tls.rest.register()
    worker = Worker(tls.door, (identity.worker_id, new_token()), protocol)
    with pytest.raises(Refused):
        worker.connect()


@pytest.mark.parametrize("websocket", [False, True])
def test_nobody_believes_a_broker_of_another_authority(tls, new_directory, websocket):
    stranger = Authority(new_directory("stranger"), "a stranger")
    door = Door(tls.door.mqtt_port, tls.door.ws_port, stranger.context())
    with pytest.raises(ssl.SSLCertVerificationError):
        door.wire(websocket)


# ---- the bridge and the broker ---------------------------------------------------------------


def send_at_once(worker, name, payloads):
    """Without waiting for an acknowledgement in between."""
    for n, payload in enumerate(payloads, 1):
        worker.wire.send_packet(PUBLISH, text(worker.topic(name)) + struct.pack("!H", n)
                                + payload.encode(), 2)


def test_bursts_in_both_directions_come_through_whole(tls):
    """More than TLS and the socket hold at a time: nothing may be left lying in between."""
    worker = tls.online("tcp-3.1.1")
    worker.subscribe("metrics/ack")
    at = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
    reports = {n: json.dumps({"seq": n, "at": at.replace("+00:00", "Z"), "cpu": n / BURST})
               for n in range(1, BURST + 1)}
    send_at_once(worker, "metrics", reports.values())
    while reports:
        for n in worker.receive("metrics/ack", 10)["seqs"]:
            reports.pop(n, None)
    send_at_once(worker, "state", [json.dumps({"engine_status": f"s{n}", "padding": "p" * 500})
                                   for n in range(BURST)])
    wait_until(lambda: tls.rest.status_of(worker.worker_id)["engine_status"] == f"s{BURST - 1}")


def test_the_bridge_comes_back_to_a_broker_that_was_restarted(tls):
    identity = tls.rest.register()
    tls.broker.restart()
    tls.bridge.wait_ready()
    worker = Worker(tls.door, identity, "ws-5")
    tls.stack.callback(worker.drop)
    worker.connect()
    tls.rest.wait_connected(identity.worker_id)
    worker.report(memory=3)
    wait_until(lambda: tls.rest.status_of(worker.worker_id)["memory"] == 3)


@pytest.mark.parametrize("what, environment, logged", [
    ("name", {"ROLLCALL_BROKER_HOST": "127.0.0.1"}, "IP address mismatch"),
    ("authority", {"ROLLCALL_BROKER_TLS_CA": "stranger"}, "not believed"),
    ("file", {"ROLLCALL_BROKER_TLS_CA": "/nonexistent/ca.pem"}, "/nonexistent/ca.pem")])
def test_a_broker_that_cannot_be_trusted_is_none(tls, new_directory, what, environment, logged):
    if environment.get("ROLLCALL_BROKER_TLS_CA") == "stranger":
        stranger = Authority(new_directory("stranger"), "a stranger")
        environment = {"ROLLCALL_BROKER_TLS_CA": stranger.ca}
    bridge = tls.new_bridge(f"bridge-{what}", **environment)
    try:
        bridge.start(ready=False)
        wait_until(lambda: logged in bridge.process.log_text(), 10)
        assert bridge.probe("/readyz") == 503
    finally:
        bridge.terminate()
    assert "connection for metrics is up" not in bridge.process.log_text()


# ---- the bridge and the database -------------------------------------------------------------


def test_the_database_is_asked_over_tls(tls):
    used = tls.server.connect()
    with used, used.cursor() as cursor:
        cursor.execute("SHOW GLOBAL STATUS LIKE 'Ssl_accepts'")
        assert int(cursor.fetchone()["Value"]) >= 1


@pytest.mark.parametrize("what", ["authority", "certificate", "encryption"])
def test_a_database_that_cannot_be_trusted_is_none(tls, new_directory, what):
    stranger = Authority(new_directory("stranger"), "a stranger")
    environment = {
        "authority": {"ROLLCALL_DB_TLS_CA": stranger.ca},
        "certificate": {"ROLLCALL_DB_TLS_CERT": "", "ROLLCALL_DB_TLS_KEY": ""},
        "encryption": {"ROLLCALL_DB_TLS_CA": "", "ROLLCALL_DB_TLS_CERT": "",
                       "ROLLCALL_DB_TLS_KEY": ""}}[what]
    ended = tls.new_bridge(**environment).run("migrate")
    assert ended.returncode == 1
    assert "cannot connect to the database" in ended.stderr

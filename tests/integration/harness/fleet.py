# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Many workers at once, each as cheap as a socket."""

import datetime
import resource

from .identity import token_hash
from .wire import CONNACK, Wire
from .worker import PROTOCOLS


def raise_open_files():
    """As many sockets as this user may have; programs that are started inherit it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def insert_workers(site, identities):
    """As that many registrations would have left them, without the wait for each."""
    now = datetime.datetime.now(datetime.timezone.utc)
    later = now + datetime.timedelta(days=90)
    first = site.database.value("SELECT n FROM directory_state") + 1
    with site.server.connect(site.database.name) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.executemany(
            "INSERT INTO workers (id, name, status, revision, created_at) VALUES "
            "(%s, %s, 'active', %s, %s)",
            [(i.worker_id, f"worker {n}", first + n, now) for n, i in enumerate(identities)])
        cursor.executemany(
            "INSERT INTO tokens (worker_id, hash, role, created_at, expires_at) VALUES "
            "(%s, %s, 'current', %s, %s)",
            [(i.worker_id, token_hash(i.token), now, later) for i in identities])
        cursor.execute("UPDATE directory_state SET n = n + %s", (len(identities),))
        cursor.execute("COMMIT")


class Fleet:
    def __init__(self, broker, identities, protocols=tuple(PROTOCOLS)):
        self.broker = broker
        self.identities = identities
        self.protocols = protocols
        self.wires = []

    def connect(self, together=50):
        """All of them, in groups whose members do not wait for each other: 2.0.11 answers a
        WebSocket's handshake after 100 ms."""
        for at in range(0, len(self.identities), together):
            identities = self.identities[at:at + together]
            group = [self._open(at + n) for n in range(len(identities))]
            for wire, (worker_id, token) in zip(group, identities):
                wire.transport.ready()
                wire.send_connect(worker_id, worker_id, token, keepalive=120)
            for wire in group:
                assert wire.expect(CONNACK, 20)[1] == 0
            self.wires += group
        return self

    def _open(self, n):
        websocket, version = PROTOCOLS[self.protocols[n % len(self.protocols)]]
        return Wire(self.broker.ws_port if websocket else self.broker.mqtt_port, websocket,
                    version, wait=False)

    def drop(self):
        for wire in self.wires:
            wire.drop()
        self.wires = []

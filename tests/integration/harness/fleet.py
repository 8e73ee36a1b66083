# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Many workers at once, each as cheap as a socket."""

import resource

from .wire import CONNACK, Wire
from .worker import PROTOCOLS


def raise_open_files():
    """As many sockets as this user may have; programs that are started inherit it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


class Fleet:
    def __init__(self, broker, identities, protocols=tuple(PROTOCOLS)):
        self.broker = broker
        self.identities = identities
        self.protocols = protocols
        self.wires = []

    def connect(self, together=50):
        """All of them; logins are sent in groups, so that nobody waits for his neighbour."""
        for at in range(0, len(self.identities), together):
            group = [self._send_login(at + n, identity) for n, identity
                     in enumerate(self.identities[at:at + together])]
            for wire in group:
                assert wire.expect(CONNACK, 20)[1] == 0
            self.wires += group
        return self

    def _send_login(self, n, identity):
        websocket, version = PROTOCOLS[self.protocols[n % len(self.protocols)]]
        wire = Wire(self.broker.ws_port if websocket else self.broker.mqtt_port, websocket,
                    version)
        wire.send_connect(identity.worker_id, identity.worker_id, identity.token, keepalive=120)
        return wire

    def drop(self):
        for wire in self.wires:
            wire.drop()
        self.wires = []

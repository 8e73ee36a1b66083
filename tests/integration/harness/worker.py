# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""A worker: one session of a registered identity, over a connection made by hand."""

import json

from .secrets import keep_all_of
from .wire import Closed, Will

# Both transports and both protocol versions; the ids show up in the tests' names.
PROTOCOLS = {"tcp-3.1.1": (False, 4), "tcp-5": (False, 5), "ws-3.1.1": (True, 4), "ws-5": (True, 5)}


class Refused(Exception):
    def __init__(self, code):
        super().__init__(f"CONNACK {code:#x}")
        self.code = code


class Worker:
    def __init__(self, broker, identity, protocol="ws-5", session=None):
        self.broker = broker
        self.worker_id, self.token = identity
        self.protocol = protocol
        self.client_id = self.worker_id + (f".{session}" if session else "")
        self.wire = None

    def topic(self, name):
        return f"workers/{self.worker_id}/{name}"

    def connect(self, *, reason=None, **options):
        """`reason`: what its will says; without it there is no will. Raises Refused."""
        if self.wire:
            self.wire.drop()
        websocket, version = PROTOCOLS[self.protocol]
        self.wire = self.broker.wire(websocket, version, f"/ws/{self.worker_id}")
        if reason is not None:
            options["will"] = Will(self.topic("will"), json.dumps({"reason": reason}))
        try:
            code = self.wire.connect(self.client_id, self.worker_id, self.token, **options)
        except Closed:
            code = -1
        if code != 0:
            self.wire.drop()
            raise Refused(code)
        return self

    def subscribe(self, name):
        return self.wire.subscribe(self.topic(name))

    def publish(self, name, message, **options):
        payload = message if isinstance(message, (str, bytes)) else json.dumps(message)
        return self.wire.publish(self.topic(name), payload, **options)

    def receive(self, name, timeout=5):
        """The next message for this worker on that topic, as JSON."""
        message = json.loads(self.wire.receive(self.topic(name), timeout).payload)
        keep_all_of(message)  # a renewal's token
        return message

    def report(self, **values):
        assert self.publish("metrics", values) == 0

    def say(self, engine_status):
        assert self.publish("state", {"engine_status": engine_status}) == 0

    def answer(self, command_id, status, **more):
        assert self.publish("results", {"command_id": command_id, "status": status, **more}) == 0

    def disconnect(self):
        self.wire.disconnect()

    def drop(self):
        self.wire.drop()

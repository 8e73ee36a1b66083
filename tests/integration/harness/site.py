# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Whole installations: the plugin alone in its broker, and all parts together."""

import contextlib
import itertools

from .bridge import Bridge
from .broker import Broker
from .directory import Directory
from .observer import Observer
from .rest import Rest
from .worker import Worker

_numbers = itertools.count(1)


class Party:
    """What both kinds share: workers that are gone when the test is over."""

    def __init__(self, broker):
        self.broker = broker
        self.stack = contextlib.ExitStack()

    def worker(self, identity, protocol="ws-5", session=None):
        worker = Worker(self.broker, identity, protocol, session)
        self.stack.callback(lambda: worker.wire and worker.drop())
        return worker

    def wire(self, wire):
        """A raw connection, handed over to be closed at the end."""
        self.stack.callback(wire.drop)
        return wire

    def dismiss(self):
        self.stack.close()


class Hall(Party):
    """A broker with the plugin, watched and directed by an observer; no bridge, no database."""

    def __init__(self, directory, **plugin_options):
        super().__init__(Broker(directory, **plugin_options))
        self.broker.start()
        self.observer = Observer(self.broker)
        self.directory = Directory(self.observer).begin()

    def enroll(self, **options):
        return self.directory.enroll(**options)

    def online(self, protocol="ws-5", identity=None, session=None, **options):
        """A worker that has connected and is known to be."""
        identity = identity or self.enroll()
        since = self.observer.mark()
        worker = self.worker(identity, protocol, session).connect(**options)
        self.observer.wait_event(worker.worker_id, state="online", since=since)
        return worker

    def close(self):
        self.dismiss()
        self.observer.close()
        self.broker.terminate()


class Site(Party):
    """Broker, database and bridge, and an administrator who is signed in."""

    def __init__(self, directory, server, bridge_environment=None, broker_lines=(),
                 **plugin_options):
        super().__init__(Broker(directory, broker_lines, **plugin_options))
        self.directory, self.server = directory, server
        self.database = server.create(f"rollcall_{next(_numbers)}")
        self.bridge = Bridge(directory, self.broker, self.database, **(bridge_environment or {}))
        self.broker.start()
        self.bridge.start()
        self.rest = Rest(self.bridge.url, self.bridge.ca).login()

    def online(self, protocol="ws-5", identity=None, session=None, **options):
        identity = identity or self.rest.register()
        worker = self.worker(identity, protocol, session).connect(**options)
        self.rest.wait_connected(worker.worker_id)
        return worker

    def close(self):
        self.dismiss()
        self.rest.session.close()
        self.bridge.terminate()
        self.broker.terminate()

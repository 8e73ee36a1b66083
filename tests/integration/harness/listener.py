# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""A listener to GET /events: reads the stream as a browser's EventSource would."""

import contextlib
import http.client
import json
import socket
import ssl
import threading
from urllib.parse import urlencode, urlsplit

from .openapi import document_of
from .wait import wait_until


class Event:
    def __init__(self, cursor, kind, data):
        self.cursor, self.kind, self.data = cursor, kind, json.loads(data)

    def __repr__(self):
        return f"{self.kind} {self.data}"


class Listener:
    def __init__(self, rest, last_event_id=None, **query):
        url = urlsplit(rest.url)
        headers = {"Authorization": rest.session.headers["Authorization"]}
        if last_event_id:
            headers["Last-Event-ID"] = last_event_id
        self.document = document_of(rest.url)
        self.events, self.comments, self.ended = [], 0, threading.Event()
        if url.scheme == "https":
            self.connection = http.client.HTTPSConnection(
                url.hostname, url.port, timeout=60,
                context=ssl.create_default_context(cafile=rest.session.verify))
        else:
            self.connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
        self.connection.connect()
        self.sock = self.connection.sock
        self.connection.request("GET", "/events?" + urlencode(query, doseq=True), headers=headers)
        self.response = self.connection.getresponse()
        assert self.response.status == 200, self.response.read()
        assert self.response.headers["Content-Type"].startswith("text/event-stream")
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _lines(self):
        try:
            while line := self.response.readline():
                yield line.decode().rstrip("\n")
        except (OSError, http.client.HTTPException, ValueError):
            pass

    def _read(self):
        cursor = kind = data = None
        for line in self._lines():
            name, _, value = line.partition(": ")
            if line == "" and data is not None:
                self.events.append(Event(cursor, kind, data))
                data = None
            elif name == "":
                self.comments += 1
            elif name == "id":
                cursor = value
            elif name == "event":
                kind = value
            elif name == "data":
                data = value
        self.ended.set()

    def found(self, kind, **members):
        return [e for e in list(self.events) if e.kind == kind
                and all(e.data.get(k) == v for k, v in members.items())]

    def wait(self, kind, timeout=5, **members):
        """The first event of that kind with these members."""
        return wait_until(lambda: self.found(kind, **members), timeout,
                          f"{kind} {members} among {len(self.events)} events")[0]

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.response.close()
        self.connection.close()
        for event in self.events if self.document else []:
            self.document.check_event(event.kind, event.data)

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Lists, then watches: what a page in a browser shows that follows GET /events."""

import contextlib
import http.client
import json
import socket
import threading
import time

from askers import TIMEOUT_S, Caller, Unanswered
from watchers import check_event


class Dashboard:
    def __init__(self, world, port, token):
        self.world, self.port, self.token = world, port, token
        self.caller = Caller(port, token)
        self.view = {}  # worker id -> is it connected?
        self.positions = {}  # worker id -> (boot, seq) of the last event heard of it
        self.cursor = None
        self.broker = True
        self.sock = None
        self.thread = threading.Thread(target=self._run, name="dashboard", daemon=True)

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        with contextlib.suppress(OSError, AttributeError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def _run(self):
        while not self.world.over.is_set():
            began = time.monotonic()
            try:
                if self.cursor is None:
                    self._list()
                self._follow()
                why = "it ended"
            except (OSError, http.client.HTTPException, Unanswered, ValueError) as e:
                why = f"{type(e).__name__} {e}"
            self._must_be_explained(why, began)
            time.sleep(0.05)
        self.caller.close()

    def _must_be_explained(self, why, began):
        world = self.world
        with world.lock:
            now = time.monotonic()
            if not (world.over.is_set() or world.rest_away.touch(began - 1, now)
                    or world.database_away.touch(began - 1, now)):
                world.fault(f"GET /events from {began - world.started:.3f} to "
                            f"{now - world.started:.3f}: {why}")

    def _list(self):
        status, body = self.caller.call("GET", "/workers/status")
        if status != 200:
            raise ValueError(f"{status} {body}")
        self.positions = {}
        self.view = {row["worker_id"]: row["connected"] for row in body["workers"]}
        self.cursor = body["cursor"]
        self.world.counts["dashboard: lists"] += 1

    def _follow(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
        with contextlib.closing(connection):
            connection.connect()
            self.sock = connection.sock
            connection.request("GET", "/events?types=presence,health", headers={
                "Authorization": "Bearer " + self.token, "Last-Event-ID": self.cursor})
            response = connection.getresponse()
            if response.status != 200:
                raise ValueError(f"{response.status} {response.read()}")
            self._read(response)

    def _read(self, response):
        kind = cursor = data = None
        while line := response.readline():
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "id":
                cursor = value
            elif name == "event":
                kind = value
            elif name == "data":
                data = value
            elif name == "" and data is not None:
                self._take(kind, json.loads(data))
                self.cursor = None if kind == "reset" else cursor or self.cursor
                data = None
                if kind == "reset":
                    self._list()

    def _take(self, kind, data):
        self.world.counts[f"dashboard: {kind}"] += 1
        if kind == "health":
            self.broker = data["broker"]
        elif kind == "presence":
            self._take_presence(data)

    def _take_presence(self, event):
        worker_id, position = event["worker_id"], (event["boot"], event["seq"])
        before = self.positions.get(worker_id, (0, 0))
        with self.world.lock:
            worker = self.world.workers.get(worker_id)
            if position == before:
                self.world.counts["dashboard: repeated"] += 1
            if position < before:
                self.world.fault(f"GET /events: {position} after {before}: {event}", worker)
            if worker is not None:
                check_event(self.world, "dashboard", worker, event)
        self.positions[worker_id] = position
        self.view[worker_id] = event["connected"]

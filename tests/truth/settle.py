# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Now and then everything is let come to rest: then only one answer is right, everywhere."""

import time

from askers import Caller, Unanswered
from model import INF
from watchers import compare

REST_S = 10.0  # for this program to know everything
AGREE_S = 2.0  # for everyone to agree with it


class Settlement:
    def __init__(self, world, field, crew, parts, chaos, administrators, stream, objects,
                 token):
        self.world, self.field, self.crew, self.parts = world, field, crew, parts
        self.chaos, self.administrators = chaos, administrators
        self.stream, self.objects = stream, objects
        self.dashboard = None
        self.caller = Caller(parts.bridge.port, token)

    def check(self):
        """Comes back when everything agrees, or with a fault."""
        for administrator in self.administrators:
            administrator.pausing.set()
        self.chaos.calm()
        self.parts.bring_up()
        self._wait(lambda: all(a.idle.is_set() for a in self.administrators), 30,
                   "the administrators do not come to an end")
        self.parts.bring_up()
        self._end_the_doubtful()
        if self._wait(self._is_certain, REST_S, "sessions are still in doubt") and \
                self._wait(self._agrees, AGREE_S, "the answers do not agree with the truth"):
            self._check_connections()
            self._wait(self._dashboard_agrees, AGREE_S, "the dashboard does not show the truth")
            self._wait(self._watchers_are_there, 3, "the watchers are behind")
            with self.world.lock:
                compare(self.world, self.stream, self.objects)
            self.world.counts["settlements"] += 1
        for administrator in self.administrators:
            administrator.pausing.clear()

    def _wait(self, condition, seconds, what):
        until = time.monotonic() + seconds
        while not self.world.over.is_set():
            self.parts.tick()
            reason = condition()
            if reason is True:
                return True
            if time.monotonic() > until:
                worker = reason if hasattr(reason, "story") else None
                self.world.fault(f"{what} after {seconds} s" +
                                 (f": {reason}" if worker is None else ""), worker)
                return False
            time.sleep(0.01)
        return False

    def _end_the_doubtful(self):
        with self.world.lock:
            for line in list(self.crew.lines):
                # One that is not established may wait for its next SYN, long after its link is up.
                if line.alive and (line.muted or not line.reading or line.unsteady
                                   or not line.established):
                    line.leave("rst")

    def _is_certain(self):
        with self.world.lock:
            now = time.monotonic()
            for line in self.crew.open():
                if line.session.doubts and not line.pings:
                    line.ping()
            for line in self.crew.lines:
                if line.alive and line.worker.status in ("gone", "fading"):
                    return line.worker
            for worker in self.world.present():
                if any(s.in_limbo for s in worker.live()):
                    continue
                if worker.certainty(now) is None or any(s.acked == INF for s in worker.live()):
                    return worker
        return True

    def _agrees(self):
        """True, or the first worker of whom it is not so."""
        with self.world.lock:
            now = time.monotonic()
            truth = {w.id: w.certainty(now) for w in self.world.present()}
        try:
            status, body = self.caller.call("GET", "/workers/status")
        except Unanswered as e:
            return str(e)
        if status != 200:
            return str(body)
        found = {row["worker_id"]: row["connected"] for row in body["workers"]}
        for worker_id, connected in truth.items():
            if found.get(worker_id) is not connected and connected is not None:
                return self.world.workers[worker_id]
        return True

    def _dashboard_agrees(self):
        with self.world.lock:
            now = time.monotonic()
            for worker in self.world.present():
                truth = worker.certainty(now)
                # Whom its list did not have was never connected until an event says so.
                if truth is not None and self.dashboard.view.get(worker.id, False) is not truth:
                    return worker
        return True if self.dashboard.broker else "it believes that the broker is away"

    def _check_connections(self):
        for worker in self.world.present():
            try:
                status, body = self.caller.call("GET", f"/workers/{worker.id}/connection")
            except Unanswered as e:
                self.world.fault(f"all is calm, and nobody answers: {e}")
                return
            listed = {s["client_id"] for s in body["sessions"]} if status == 200 else None
            with self.world.lock:
                y = self.caller.answered
                wanted = worker.client_ids_surely(y, y)
                maybe = worker.client_ids_maybe(y, y)
                if listed is None or not wanted <= listed <= maybe:
                    self.world.fault(f"all is calm, and …/connection says {body}; the truth is "
                                     f"{wanted} to {maybe}", worker)

    def _watchers_are_there(self):
        stream, objects = self.stream, self.objects
        with self.world.lock:
            if stream.listening and objects.listening and stream.position is not None \
                    and stream.position == objects.position:
                return True
            return f"{stream.position} and {objects.position}"

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Those who ask: REST, all the time, every kind of answer that carries a status."""

import http.client
import json
import threading
import time

TIMEOUT_S = 20

# What REST says when a part is away that an answer needs.
AWAY = {"BROKER_UNAVAILABLE", "DATABASE_UNAVAILABLE"}


class Unanswered(Exception):
    """The bridge did not answer."""


class Caller:
    """One connection to the bridge at a time, with the two times of each question."""

    def __init__(self, port, token):
        self.port, self.token = port, token
        self.connection = None
        self.asked = self.answered = self.used = 0.0
        self.headers = {}

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def call(self, method, path, body=None, **headers):
        """(status, JSON or None). Raises Unanswered."""
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port,
                                                         timeout=TIMEOUT_S)
            self.used = time.monotonic()
        headers["Authorization"] = "Bearer " + self.token
        if body is not None:
            body, headers["Content-Type"] = json.dumps(body), "application/json"
        self.asked = time.monotonic()
        try:
            self.connection.request(method, path, body, headers)
            response = self.connection.getresponse()
            data = response.read()
        except (OSError, http.client.HTTPException) as e:
            self.close()
            raise Unanswered(f"{method} {path}: {e or type(e).__name__}") from e
        finally:
            self.answered = time.monotonic()
        self.used = self.answered
        self.headers = response.headers
        return response.status, json.loads(data) if data[:1] in (b"{", b"[") else None


class Asker:
    def __init__(self, world, number, port, token):
        self.world, self.port = world, port
        self.caller = Caller(port, token)
        self.dice = world.rng(f"asker {number}")
        self.etags = {}
        self.thread = threading.Thread(target=self._run, name=f"asker {number}", daemon=True)

    def start(self):
        self.thread.start()
        return self

    def _run(self):
        kinds = [self.one, self.one, self.connection, self.connection, self.workers, self.status,
                 self.status_again, self.only_connected, self.send]
        while not self.world.over.is_set():
            with self.world.lock:
                present = self.world.present()
                worker = self.dice.choice(present) if present else None
            if worker is not None:
                try:
                    self.dice.choice(kinds)(worker)
                except Unanswered as e:
                    self.unanswered(e)
            time.sleep(self.dice.expovariate(1 / 0.012))
        self.caller.close()

    def unanswered(self, e):
        with self.world.lock:
            self.world.counts["unanswered"] += 1
            # A connection may have ended with a bridge since it was last used.
            if not self.world.rest_away.touch(self.caller.used, self.caller.answered):
                self.world.fault(f"the bridge was up and did not answer: {e}")
        time.sleep(0.02)

    def refused(self, status, body, worker, wanted):
        """True where the answer has no status to judge, and was right not to have one."""
        if status == wanted:
            return False
        code = body["error"]["code"] if isinstance(body, dict) and "error" in body else body
        world, asked, answered = self.world, self.caller.asked, self.caller.answered
        with world.lock:
            world.counts[f"refused: {code}"] += 1
            if code == "WORKER_NOT_FOUND" and (worker.missing_from <= answered):
                return True
            if code in AWAY and world.rest_away.touch(asked, answered):
                return True
            if code == "BROKER_UNAVAILABLE" and (
                    world.control_away.touch(asked - 0.1, answered)
                    or world.may_be_silent(asked - 0.1, answered)):
                return True
            world.fault(f"{status} {code} from {self.caller.asked - world.started:.3f} to "
                        f"{self.caller.answered - world.started:.3f}: {body}", worker)
        return True

    def judge(self, worker, value, source):
        self.world.judge(worker, value, self.caller.asked, self.caller.answered, source)

    def contradicts(self, connected, state, worker, source):
        wanted = {True: ("online",), False: ("offline", "reconnecting"), None: ("unknown",)}
        if state not in wanted[connected]:
            self.world.fault(f"{source}: connected {connected} and state {state}", worker)

    # ---- one worker --------------------------------------------------------------------------

    def one(self, worker):
        status, body = self.caller.call("GET", f"/workers/{worker.id}")
        if self.refused(status, body, worker, 200):
            return
        self.contradicts(body["is_connected"], body["state"], worker, "GET /workers/{id}")
        self.judge(worker, body["is_connected"], "GET /workers/{id}")

    def connection(self, worker):
        status, body = self.caller.call("GET", f"/workers/{worker.id}/connection")
        if self.refused(status, body, worker, 200):
            return
        self.contradicts(body["connected"], body["state"], worker, "…/connection")
        self.judge(worker, body["connected"], "…/connection")
        self._judge_sessions(worker, body)

    def _judge_sessions(self, worker, body):
        listed = [s["client_id"] for s in body["sessions"]]
        if len(listed) != body["session_count"] or (len(listed) > 0) != body["connected"] \
                or len(set(listed)) != len(listed):
            self.world.fault(f"…/connection contradicts itself: {body}", worker)
        with self.world.lock:
            x, y = self.caller.asked, self.caller.answered
            extra = set(listed) - worker.client_ids_maybe(x, y)
            missing = worker.client_ids_surely(x, y) - set(listed)
            if extra or missing:
                self.world.fault(f"…/connection lists {listed}: {extra or 'nobody'} too many, "
                                 f"{missing or 'nobody'} is missing; asked "
                                 f"{x - self.world.started:.3f}, answered "
                                 f"{y - self.world.started:.3f}", worker)

    def send(self, worker):
        """200 reached a live session, 409 found none."""
        size = 200000 if self.dice.random() < 0.02 else 20
        status, body = self.caller.call("POST", f"/workers/{worker.id}/send",
                                        {"message": "x" * size})
        if status == 409 and body["error"]["code"] == "WORKER_NOT_CONNECTED":
            self.judge(worker, False, "…/send")
        elif not self.refused(status, body, worker, 200):
            self.judge(worker, True, "…/send")

    # ---- lists -------------------------------------------------------------------------------

    def workers(self, _worker):
        status, body = self.caller.call("GET", "/workers")
        if not self.refused(status, body, _worker, 200):
            self._judge_list({w["id"]: w["is_connected"] for w in body}, "GET /workers")

    def status(self, _worker):
        status, body = self.caller.call("GET", "/workers/status")
        if not self.refused(status, body, _worker, 200):
            self._judge_rows(body["workers"], "GET /workers/status")

    def status_again(self, _worker):
        """304 says that the answer before is still right."""
        tag, rows = self.etags.get("status", (None, None))
        status, body = self.caller.call("GET", "/workers/status",
                                        **({"If-None-Match": tag} if tag else {}))
        if status == 304:
            self._judge_rows(rows, "GET /workers/status (304)")
        elif not self.refused(status, body, _worker, 200):
            self.etags["status"] = (self.caller.headers["ETag"], body["workers"])
            self._judge_rows(body["workers"], "GET /workers/status")

    def only_connected(self, _worker):
        wanted = self.dice.choice((True, False))
        source = f"GET /workers/status?connected={str(wanted).lower()}"
        status, body = self.caller.call("GET", source[4:])
        if self.refused(status, body, _worker, 200):
            return
        found = {row["worker_id"]: row["connected"] for row in body["workers"]}
        if set(found.values()) - {wanted}:
            self.world.fault(f"{source} lists others: {found}")
        with self.world.lock:
            silent = self.world.may_be_silent(self.caller.asked - 0.1, self.caller.answered)
            rest = {} if silent else {w.id: not wanted for w in self._surely_there()
                                      if w.id not in found}
        self._judge_list({**found, **rest}, source, whole=False)

    def _judge_rows(self, rows, source):
        for row in rows:
            worker = self.world.workers.get(row["worker_id"])
            self.contradicts(row["connected"], row["state"], worker, source)
        self._judge_list({row["worker_id"]: row["connected"] for row in rows}, source)

    def _surely_there(self):
        x, y = self.caller.asked - 0.1, self.caller.answered
        return [w for w in self.world.workers.values()
                if w.exists_from < x and w.missing_from > y]

    def _judge_list(self, found, source, whole=True):
        with self.world.lock:
            for worker_id, value in found.items():
                worker = self.world.workers.get(worker_id)
                if worker is not None:
                    self.judge(worker, value, source)
                elif value:
                    self.world.fault(f"{source}: {worker_id} is connected, whom nobody knows")
            missing = [w for w in self._surely_there() if w.id not in found] if whole else []
            for worker in missing:
                self.world.fault(f"{source} leaves out {worker.id}", worker)

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Those who change things: kicks, revocations, tokens, deletions, over REST."""

import itertools
import threading
import time

from askers import Caller, Unanswered
from model import INF, Worker

REVOCATION_S = 1.0  # within which an enforced change has ended sessions
PATIENCE_S = 15.0  # in good times, for a change to be enforced
LATE_S = 5.0  # after which what nobody answered is not carried out any more
FORMER_TOKENS = 4


class Administrator:
    def __init__(self, world, crew, number, port, token):
        self.world, self.crew, self.number = world, crew, number
        self.caller = Caller(port, token)
        self.dice = world.rng(f"administrator {number}")
        self.kicks = itertools.count(1)
        self.pausing = threading.Event()
        self.idle = threading.Event()
        self.idle.set()
        self.thread = threading.Thread(target=self._run, name=f"administrator {number}",
                                       daemon=True)

    def start(self):
        self.thread.start()
        return self

    def _run(self):
        kinds = [self.kick, self.kick, self.kick, self.revoke, self.revoke, self.rotate,
                 self.rotate, self.replace]
        while not self.world.over.is_set():
            if self.pausing.is_set():
                time.sleep(0.01)
                continue
            self.idle.clear()
            worker = self._take()
            if worker is not None:
                try:
                    self.dice.choice(kinds)(worker)
                finally:
                    worker.busy = False
            self.idle.set()
            time.sleep(self.dice.expovariate(1 / 0.15))
        self.caller.close()

    def _take(self):
        """A worker that no other administrator is at."""
        with self.world.lock:
            free = [w for w in self.world.present() if not w.busy]
            if not free:
                return None
            worker = self.dice.choice(free)
            worker.busy = True
            return worker

    def _call(self, method, path, body=None):
        """(status, body); status 0 when nobody answered."""
        try:
            return self.caller.call(method, path, body)
        except Unanswered:
            return 0, None

    def insist(self, worker, method, path, body=None, done=(200,)):
        """Asks until it is answered as enforced (a deletion: as made, for nobody can ask further
        about a worker that is gone). None if the run ended before."""
        path = f"/workers/{worker.id}{path}"
        good_since = time.monotonic()
        while not self.world.over.is_set():
            status, answer = self._call(method, path, body)
            if status in done and (method == "DELETE" or answer.get("enforced")
                                   or self._enforced(worker)):
                return answer
            now = time.monotonic()
            with self.world.lock:
                if self.world.rest_away.touch(good_since, now) \
                        or self.world.control_away.touch(good_since, now) \
                        or self.world.database_away.touch(good_since, now):
                    good_since = now
                if now - good_since > PATIENCE_S:
                    self.world.fault(f"{method} {path} is not enforced: {status} {answer}",
                                     worker)
            time.sleep(0.05)
        return None

    def _enforced(self, worker):
        """The change is made, and is on its way to the plugin."""
        for _ in range(40):
            status, answer = self._call("GET", f"/workers/{worker.id}")
            if status == 200 and answer["enforced"]:
                return True
            if self.world.over.wait(0.05):
                return False
        return False

    # ---- what they do ------------------------------------------------------------------------

    def kick(self, worker):
        with self.world.lock:
            logged_in = [s for s in worker.live() if s.acked < INF]
            only = self.dice.choice(logged_in).client_id \
                if logged_in and self.dice.random() < 0.5 else None
            now = time.monotonic()
            worker.tell(f"kick {only or 'all'}")
            before = [s for s in logged_in if only in (None, s.client_id)]
            kick = f"kick {self.number}.{next(self.kicks)}"
            worker.begin(kick, now, only)
        status, body = self._call("DELETE", f"/workers/{worker.id}/sessions"
                                  + (f"/{only}" if only else ""))
        with self.world.lock:
            now = time.monotonic()
            worker.tell(f"kick answered {status} {body}")
            if status == 200:
                self._must_end(worker, before, now)
            if status in (200, 409):
                worker.end(kick, now)
                return
            # Without an answer it may yet be carried out, on whoever is there by then, once the
            # broker goes on.
            self.crew.field.at(now + LATE_S, lambda late: worker.end(kick, late))

    def _must_end(self, worker, sessions, now):
        """They are closed by the plugin, or have ended by themselves."""
        def check(_):
            for session in sessions:
                if session.off == INF:
                    self.crew.field.after_turns(3, session.over)
        self.crew.field.at(now + REVOCATION_S, check)

    def _change(self, worker, what, status):
        """What decides who is let in is about to change."""
        now = time.monotonic()
        worker.tell(what)
        worker.changes += 1
        worker.status = status
        worker.begin(what, now)

    def _changed(self, worker, what, status, ends=True):
        now = time.monotonic()
        worker.tell(f"{what}: enforced")
        worker.changes += 1
        worker.status = status
        if ends:
            self._must_end(worker, [s for s in worker.live() if s.sent < self.caller.asked], now)
        worker.end(what, now + REVOCATION_S if ends else now)

    def revoke(self, worker):
        with self.world.lock:
            self._change(worker, "revoke", "unsure")
        if self.insist(worker, "POST", "/revoke", {"reason": "a test"}) is None:
            return
        with self.world.lock:
            self._changed(worker, "revoke", "revoked")
        self.world.over.wait(self.dice.uniform(0, 2))
        with self.world.lock:
            worker.tell("reinstate")
            worker.changes += 1
            worker.status = "unsure"
        if self.insist(worker, "POST", "/reinstate", {}) is not None:
            with self.world.lock:
                self._changed(worker, "reinstate", "valid", ends=False)

    def rotate(self, worker):
        with self.world.lock:
            self._change(worker, "rotate", "unsure")
        answer = self.insist(worker, "POST", "/token", {})
        if answer is None:
            return
        with self.world.lock:
            worker.former_tokens = [worker.token, *worker.former_tokens][:FORMER_TOKENS]
            worker.token = answer["token"]
            self._changed(worker, "rotate", "valid")

    def replace(self, worker):
        """Deletes it and makes another."""
        with self.world.lock:
            self._change(worker, "delete", "unsure")
            worker.missing_from = time.monotonic()
        answer = self.insist(worker, "DELETE", "", done=(200, 404))
        if answer is None:
            return
        with self.world.lock:
            worker.gone_from = time.monotonic()
            if answer.get("enforced"):
                self._changed(worker, "delete", "gone")
            else:
                worker.status = "fading"
                worker.tell("delete: not yet enforced")
        while not self.world.over.is_set() and not self.create(worker.number):
            time.sleep(0.1)

    def create(self, number):
        """A new worker; false when that was not answered."""
        status, body = self._call("POST", "/workers", {"name": f"truth {number}"})
        if status != 201:
            return False
        worker = Worker(body["worker_id"], body["token"], number)
        with self.world.lock:
            self.world.workers[worker.id] = worker
            worker.tell(f"created, enforced {body['enforced']}")
            if not body["enforced"]:
                worker.status = "unsure"
        if not body["enforced"]:
            while not self._enforced(worker) and not self.world.over.is_set():
                pass
            with self.world.lock:
                worker.changes += 1
                worker.status = "valid"
        worker.exists_from = time.monotonic()
        return True

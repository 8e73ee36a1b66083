# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""What all parts of the test share: the workers, the parts' bad times, the verdicts."""

import collections
import random
import threading
import time

from model import Windows
from strain import Strain

SLACK_S = 0.1  # how much older than the question an answer may be
EVENT_SLACK_S = 0.005  # the plugin's clock counts milliseconds
SILENCE_S = 2.0  # without a heartbeat, after which nobody may be called connected or not
HEARTBEAT_S = 0.5
HISTORY_S = 60


class World:
    def __init__(self, seed, broker_version, fault_limit=1):
        self.lock = threading.RLock()
        self.seed = seed
        self.version = broker_version
        self.fault_limit = fault_limit
        self.strain = Strain()
        self.workers = {}
        self.never_connected = set()  # ids in lists whose token nobody got to know
        self.story = collections.deque(maxlen=60)
        self.faults = []
        self.suspects = set()  # worker ids that faults are about
        self.counts = collections.Counter()
        self.widest_s = 0.0
        self.over = threading.Event()
        self.started = time.monotonic()
        self.null_allowed, self.null_required = Windows(), Windows()
        self.rest_away, self.control_away = Windows(), Windows()
        self.database_away = Windows()
        self.witnesses = []  # called for more about a worker when something is wrong

    def rng(self, name):
        return random.Random(f"{self.seed}/{name}")

    def tell(self, text):
        with self.lock:
            self.story.append((time.monotonic(), text))

    def fault(self, text, worker=None):
        """Something is wrong: with all that is known about it, and the run ends."""
        with self.lock:
            if len(self.faults) >= self.fault_limit:
                return
            now = time.monotonic()
            lines = [f"WRONG at {now - self.started:.3f} s: {text}"]
            if worker is not None:
                self.suspects.add(worker.id)
                lines += self._about(worker)
            lines.append("  parts:")
            lines += [f"    {at - self.started:9.3f} {line}" for at, line in self.story]
            lines.append(f"  waited for a processor in the last 1, 5 s: "
                         f"{self.strain.waited(now - 1, now):.3f}, "
                         f"{self.strain.waited(now - 5, now):.3f} s; this program was late by "
                         f"up to {self.strain.late_s:.3f} s")
            self.faults.append("\n".join(lines))
            if len(self.faults) >= self.fault_limit:
                self.over.set()

    def _about(self, worker):
        def when(at):
            return f"{at - self.started:.3f}" if 0 < at < float("inf") else "-"

        lines = [f"  worker {worker.id}, {worker.status}; its sessions:"]
        for s in worker.sessions:
            spans = ", ".join(f"{when(a)} to {when(b)}" for a, b in s.sure)
            lines.append(f"    {s.client_id} keepalive={s.keepalive} sent={when(s.sent)} "
                         f"acked={when(s.acked)} off={when(s.off)} surely on: {spans or 'never'}; "
                         f"doubts {list(s.doubts)}; last sent {when(s.last_sent)}")
        lines.append("  its story:")
        lines += [f"    {at - self.started:9.3f} {line}" for at, line in worker.story]
        for witness in self.witnesses:
            lines += [f"  {line}" for line in witness(worker)]
        return lines

    # ---- verdicts ----------------------------------------------------------------------

    def _holds(self, check, x, y):
        """Whether the check holds for some moment of the time, which reaches further back by
        what the parts waited for a processor."""
        if check(x, y):
            return True
        wide = x - self.strain.waited(x, y)
        wide = x - self.strain.waited(wide, y)
        if not check(wide, y):
            return False
        self.counts["right only by an allowance for a busy machine"] += 1
        self.widest_s = max(self.widest_s, x - wide)
        return True

    def judge(self, worker, value, asked, answered, source):
        """`value`: True, False or None as an answer had it."""
        with self.lock:
            self.counts[f"{source}: {value}"] += 1
            x, y = asked - SLACK_S, answered
            if value is None:
                if not self.may_be_silent(x, y):
                    self.fault(self._wrong(worker, value, asked, answered, source)
                               + "; but the broker was heard", worker)
                return
            if not self._holds(lambda a, b: not self.null_required.cover(a, b), x, y):
                self.fault(self._wrong(worker, value, asked, answered, source)
                           + "; but the broker could not be heard", worker)
                return
            check = worker.may_be_on if value else worker.may_be_off
            if not self._holds(check, x, y):
                self.fault(self._wrong(worker, value, asked, answered, source), worker)

    def may_be_silent(self, x, y):
        return self.null_allowed.touch(x, y) or \
            self.strain.waited(x - SILENCE_S, y) > SILENCE_S / 2

    def _wrong(self, worker, value, asked, answered, source):
        return (f"{source} says {value} of {worker.id}; asked {asked - self.started:.3f}, "
                f"answered {answered - self.started:.3f}")

    # ---- workers -----------------------------------------------------------------------

    def present(self):
        """Workers that can be used."""
        return [w for w in self.workers.values() if w.status not in ("gone", "fading")]

    def forget_the_past(self):
        with self.lock:
            before = time.monotonic() - HISTORY_S
            for windows in (self.null_allowed, self.null_required, self.rest_away,
                            self.control_away, self.database_away):
                windows.forget(before)
            for worker in list(self.workers.values()):
                worker.forget(before)
                if worker.gone_from < before:
                    del self.workers[worker.id]

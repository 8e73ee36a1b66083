# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""How long the parts waited for a processor, by the kernel's own account.

The second number of /proc/PID/schedstat is the time that a thread was ready to run and did not
run. That alone is taken off the parts' debts: what they lose by waiting for a disk, a lock or
each other is theirs. A program that is stopped is not ready to run, so it does not count either.
"""

import bisect
import collections
import threading
import time

SAMPLE_S = 0.01
KEPT_S = 90


class Strain:
    def __init__(self):
        self.parts = {}  # name -> [pid, sum of the lives before, last reading]
        self.times = collections.deque()
        self.sums = collections.deque()
        self.clock = time.time() - time.monotonic()
        self.late_s = 0.0  # the longest that this program itself was late
        self.lock = threading.Lock()
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, name="strain", daemon=True)

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        self.stopping.set()
        self.thread.join()

    def follow(self, name, pid):
        """The part runs under this process id from now on."""
        with self.lock:
            before = self.parts.get(name, (0, 0.0, 0.0))
            self.parts[name] = (pid, before[1] + before[2], 0.0)

    def sample(self):
        with self.lock:
            total = 0.0
            for name, (pid, before, last) in self.parts.items():
                try:
                    with open(f"/proc/{pid}/schedstat") as f:
                        last = int(f.read().split()[1]) / 1e9
                except (OSError, IndexError):
                    pass  # it has ended; what it waited stays counted
                self.parts[name] = (pid, before, last)
                total += before + last
            self.times.append(time.monotonic())
            self.sums.append(total)
            while self.times[0] < self.times[-1] - KEPT_S:
                self.times.popleft()
                self.sums.popleft()

    def waited(self, since, until):
        """Seconds that broker and bridge together waited for a processor in that time, or a
        little more."""
        if not self.times or until > self.times[-1]:
            self.sample()
        with self.lock:
            first = max(0, bisect.bisect_right(self.times, since) - 1)
            last = min(len(self.times) - 1, bisect.bisect_left(self.times, until))
            return max(0.0, self.sums[last] - self.sums[first])

    def to_monotonic(self, unix_s):
        return unix_s - self.clock

    def _run(self):
        due = time.monotonic()
        while not self.stopping.is_set():
            self.sample()
            self.clock = time.time() - time.monotonic()
            due = max(due + SAMPLE_S, time.monotonic() - SAMPLE_S)
            time.sleep(max(0.0, due - time.monotonic()))
            self.late_s = max(self.late_s, time.monotonic() - due)

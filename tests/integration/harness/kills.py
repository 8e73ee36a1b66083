# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""kill -9 of every part at random moments, and those who carry on regardless."""

import os
import random
import threading
import time

from .bridge import Bridge
from .wait import wait_until
from .wire import Closed
from .worker import Refused

LOST = (OSError, Closed, Refused, TimeoutError)  # what a session may end with
RETRY_S = 0.05
PATIENCE_S = 60


class Fault(Exception):
    """What must never be seen, not even once."""


def try_until(attempt, what):
    """Again and again until it returns something true, which is returned. Unlike wait_until()'s
    its failed assertions are none that time could heal."""
    def strict():
        try:
            return attempt()
        except AssertionError as wrong:
            raise Fault(str(wrong)) from wrong
    return wait_until(strict, PATIENCE_S, what, RETRY_S)


def dice(what, capsys):
    """Random, but for a seed that is said and can be given."""
    seed = int(os.environ.get("ROLLCALL_TEST_SEED", "0")) or random.randrange(1, 2**31)
    with capsys.disabled():
        print(f"\n{what} under kill -9: ROLLCALL_TEST_SEED={seed}")
    return random.Random(seed)


def kill_and_restart(part, pause_s):
    """Dead for that long. A bridge is not waited for: what it needs may be dead next."""
    part.kill9()
    time.sleep(pause_s)
    part.start(**({"ready": False} if isinstance(part, Bridge) else {}))


def kill_all(parts, chance, apart_s, dead_s):
    """One after the other. Here the pauses are random moments and wait for nothing."""
    for part in parts:
        time.sleep(chance.uniform(0.1, apart_s))
        kill_and_restart(part, chance.uniform(0, dead_s))


class Persevering(threading.Thread):
    """A thread that does turn() after turn() until it is told to stop, whatever dies meanwhile."""

    def __init__(self):
        super().__init__(daemon=True)
        self.stopping = threading.Event()
        self.fault = None

    def run(self):
        try:
            while self.goes_on():
                self.turn()
        except Exception as fault:  # pylint: disable=broad-except
            self.fault = fault

    def goes_on(self):
        return not self.stopping.is_set()

    def turn(self):
        raise NotImplementedError


class Keeper(Persevering):
    """Keeps a worker's session, over as many connections as it takes. Subclasses say what is done
    with one: live() until it is over, hear() each message."""

    def __init__(self, site, identity, protocol):
        super().__init__()
        self.worker = site.worker(identity, protocol)
        self.worker_id = identity.worker_id

    def turn(self):
        try_until(lambda: not self.goes_on() or self._connects(), "the broker lets it in")
        try:
            if self.goes_on():
                self.live()
        except LOST:
            pass

    def _connects(self):
        try:
            return self.worker.connect()
        except LOST:
            return None

    def listen(self):
        try:
            self.worker.wire.pump(0.02)
        except TimeoutError:
            pass
        while self.worker.wire.inbox:
            self.hear(self.worker.wire.inbox.popleft())

    def live(self):
        raise NotImplementedError

    def hear(self, message):
        raise NotImplementedError


def finish(threads, timeout=PATIENCE_S):
    """Tells them to stop, and waits until they have. What was wrong with one is raised."""
    for thread in threads:
        thread.stopping.set()
    wait_until(lambda: not any(thread.is_alive() for thread in threads), timeout, "all have ended")
    for thread in threads:
        if thread.fault:
            raise thread.fault

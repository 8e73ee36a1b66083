# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The test of truth: python3 tests/truth. docs/truth.md says what it does and how to read it.

TRUTH_MINUTES (30) how long; TRUTH_SEED (random, printed) which dice; TRUTH_FAULTS (1) how many
wrong answers end it; TRUTH_KEEP (unset) leaves the directory with all logs; ROLLCALL_MOSQUITTO, ROLLCALL_MARIADBD, ROLLCALL_TEST_PLUGIN and
ROLLCALL_TEST_BRIDGE as for the integration tests.
"""

import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

# The harness is found only now.
from administrators import Administrator  # noqa: E402
from askers import Asker  # noqa: E402
from chaos import Chaos  # noqa: E402
from crew import Crew  # noqa: E402
from dashboard import Dashboard  # noqa: E402
from field import Field  # noqa: E402
from harness.broker import ORDINARY_PASSWORD, ORDINARY_USER, broker_version  # noqa: E402
from harness.rest import Rest  # noqa: E402
from harness.settings import Built, program  # noqa: E402
from links import make_links  # noqa: E402
from parts import CONTROL_ACCOUNT, Parts  # noqa: E402
from settle import Settlement  # noqa: E402
from watchers import BATCHES, HEARTBEATS, OBJECTS, ObjectWatcher, Watcher  # noqa: E402
from world import World  # noqa: E402

WORKERS, LINKS, ASKERS, ADMINISTRATORS = 40, 3, 4, 2
SETTLE_EVERY_S = 15
LOG_LINES = 60

# Short spans, so that a run sees many of them: objects fall asleep and wake all the time. And no
# limits on storms, which are not what is tested here.
PLUGIN_OPTIONS = {"reconnect_grace_ms": 300, "hibernate_after": 1, "connects_per_minute": 0,
                  "auth_failures_per_minute": 0}


class Run:
    def __init__(self, directory, seed, links):
        version = broker_version(program("ROLLCALL_MOSQUITTO", "mosquitto"))
        self.world = World(seed, version, int(os.environ.get("TRUTH_FAULTS") or 1))
        self.directory = directory
        self.field = Field(self.world, (ORDINARY_USER, ORDINARY_PASSWORD))
        self.parts = Parts(self.world, self.field, directory, links, PLUGIN_OPTIONS)
        self.crew = self.parts.crew = Crew(self.world, self.field, self.parts.broker)
        self.links = links
        self.threads = []

    def start(self):
        self.world.strain.start()
        self.field.start()
        self.parts.start()
        with Rest(self.parts.bridge.url) as rest:
            self.token = rest.login().session.headers["Authorization"].split()[1]
        self._make_watchers()
        port = self.parts.bridge.port
        self.administrators = [Administrator(self.world, self.crew, n, port, self.token)
                               for n in range(ADMINISTRATORS)]
        for number in range(WORKERS):
            if not self.administrators[0].create(number):
                raise RuntimeError("a worker cannot be made")
        self.chaos = Chaos(self.world, self.field, self.crew, self.parts, self.links,
                           self.watchers)
        self.settlement = Settlement(self.world, self.field, self.crew, self.parts, self.chaos,
                                     self.administrators, *self.watchers[:2], self.token)
        self.dashboard = self.settlement.dashboard = Dashboard(self.world, port, self.token)
        askers = [Asker(self.world, n, port, self.token) for n in range(ASKERS)]
        self.threads = [who.start() for who in [*self.administrators, *askers, self.dashboard]]

    def _make_watchers(self):
        def watch(kind, name, topics, protocol):
            watcher = kind(name, self.world, self.field, self.parts.broker, CONTROL_ACCOUNT,
                           topics, protocol)
            with self.world.lock:
                self.field.at(0.0, watcher.keep_connected)
            return watcher
        self.watchers = [
            watch(Watcher, "stream", [BATCHES, HEARTBEATS], (False, 5)),
            watch(ObjectWatcher, "objects", [OBJECTS, HEARTBEATS], (False, 4)),
            watch(Watcher, "websocket", [BATCHES, HEARTBEATS], (True, 5))]

    def go(self, seconds):
        until = time.monotonic() + seconds
        next_settlement = time.monotonic() + SETTLE_EVERY_S
        while time.monotonic() < until and not self.world.over.is_set():
            self.parts.tick()
            self.chaos.step()
            if time.monotonic() > next_settlement:
                self.settlement.check()
                self.world.forget_the_past()
                next_settlement = time.monotonic() + SETTLE_EVERY_S
        if not self.world.over.is_set():
            self.settlement.check()

    def stop(self):
        self.world.over.set()
        self.ends = self.parts.how_they_are()
        self.dashboard.stop()
        for thread in self.threads:
            thread.thread.join(0.5)
        self.field.stop()
        self.world.strain.stop()
        self.parts.stop()

    # ---- what it says --------------------------------------------------------------------

    def report(self):
        world = self.world
        seconds = time.monotonic() - world.started
        print(f"truth: {seconds:.0f} s on Mosquitto {'.'.join(map(str, world.version))}, "
              f"seed {world.seed}")
        for what, count in sorted(world.counts.items()):
            print(f"  {count:8} {what}")
        print(f"  the widest allowance was {world.widest_s * 1000:.0f} ms; this program was late "
              f"by up to {world.strain.late_s * 1000:.0f} ms")
        for fault in world.faults:
            print(fault)
        if world.faults:
            print(f"when it ended: {self.ends}")
            self._print_logs()

    def _print_logs(self):
        for log in sorted(self.directory.glob("*.log")):
            lines = log.read_text(errors="replace").splitlines()
            about = [line for line in lines if any(s in line for s in self.world.suspects)]
            print(f"--- {log.name}, of the suspects", *about[-LOG_LINES:], sep="\n  ")
            print(f"--- {log.name}, its end", *lines[-LOG_LINES:], sep="\n  ")


def main():
    seed = int(os.environ.get("TRUTH_SEED") or random.randrange(1 << 32))
    minutes = float(os.environ.get("TRUTH_MINUTES") or 30)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print(f"truth: TRUTH_SEED={seed} TRUTH_MINUTES={minutes:g}", flush=True)
    links = make_links(LINKS)
    if not links:
        print("truth: without root there are no links to be pulled", flush=True)
    with contextlib.ExitStack() as stack:
        path = tempfile.mkdtemp(prefix="rollcall-")
        if os.environ.get("TRUTH_KEEP"):
            print(f"truth: everything stays in {path}", flush=True)
        else:
            stack.callback(shutil.rmtree, path)
        Built.keep(path)
        run = Run(Path(path), seed, links)
        try:
            run.start()
            run.go(minutes * 60)
        except KeyboardInterrupt:
            print("truth: interrupted")
        finally:
            run.stop()
            for link in links:
                link.remove()
        run.report()
        failed = run.world.faults or run.field.failure
    print("truth: FAILED" if failed else "truth: nothing but the truth")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

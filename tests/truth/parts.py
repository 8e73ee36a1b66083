# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Broker, bridge and database, and when what may be expected of each."""

import heapq
import itertools
import os
import signal
import threading
import time

from harness.bridge import Bridge
from harness.broker import BRIDGE_PASSWORD, BRIDGE_USER, Broker
from harness.database import DatabaseServer
from field import Beacon
from model import INF
from world import HEARTBEAT_S, SILENCE_S

# A broker that answers again is found within a second (the bridge's longest retry), and listed.
RECOVERY_S = 1.5
DATABASE_RECOVERY_S = 3.0
READY_S = 10.0  # a bridge whose broker and database are up

# The last heartbeat before a stop was heard up to this long before it, or so.
EARLIEST_SILENCE_S = SILENCE_S - HEARTBEAT_S - 0.2

# A bridge that is held up itself while the broker is stopped cannot prove what it knows, and says
# so after holding the requests for so long.
HOLD_S = 0.2

RELOAD_S = 0.5  # by then it has been done

CONTROL_ACCOUNT = (BRIDGE_USER, BRIDGE_PASSWORD)


class Parts:
    def __init__(self, world, field, directory, links, options):
        self.world, self.field = world, field
        self.crew = None
        self.main_thread = threading.get_ident()
        lines = [line for link in links for line in link.listeners()]
        lines.append("connection_messages true")
        self.server = DatabaseServer(directory)
        self.broker = Broker(directory, lines, **options)
        self.server.start()
        self.bridge = Bridge(directory, self.broker, self.server.create("truth"))
        self.later, self.numbers = [], itertools.count()
        self.spans = {}  # what is under way -> the windows that it has opened
        self.away = set()
        self.ready_by = INF
        self.probing = False
        self.reloaded = 0.0

    def start(self):
        self.broker.start()
        self.bridge.start()
        self.follow()
        with self.world.lock:
            self.light_beacon()

    def stop(self):
        self.bridge.process.kill9()
        self.broker.process.kill9()
        self.server.kill9()

    def how_they_are(self):
        """For the report: a program that has crashed explains much."""
        return ", ".join(
            f"{part.process.name} " + ("runs" if part.process.alive
                                       else f"has ended with {part.process.popen.returncode}")
            for part in (self.broker, self.bridge, self.server) if part.process.popen)

    def follow(self):
        for name, part in (("broker", self.broker), ("bridge", self.bridge)):
            if part.process.alive:
                self.world.strain.follow(name, part.process.pid)

    def light_beacon(self):
        if self.field.beacon is None:
            self.field.beacon = Beacon(self.field, self.broker.mqtt_port)
            self.field.ring()

    # ---- what is due ---------------------------------------------------------------------

    def after(self, seconds, call):
        heapq.heappush(self.later, (time.monotonic() + seconds, next(self.numbers), call))

    def tick(self):
        """In the main thread, which alone starts programs: they die with their thread."""
        while self.later and self.later[0][0] <= time.monotonic():
            heapq.heappop(self.later)[2]()
        for part in (self.broker, self.bridge):
            if part.process.popen and not part.process.alive and part not in self.away:
                self.world.fault(f"{part.process.name} ended by itself: status "
                                 f"{part.process.popen.returncode}")
        if "bridge" in self.spans and self.bridge not in self.away:
            self._look_for_readiness()

    def all_up(self):
        return not self.later and not self.spans and not self.away

    def bring_up(self):
        """Does at once what was to be done later, and waits until everything works again."""
        while not self.all_up() and not self.world.over.is_set():
            self.later = [(0.0, number, call) for _, number, call in self.later]
            heapq.heapify(self.later)
            self.tick()
            time.sleep(0.02)

    def _open(self, key, now, *windows, delay=0.0):
        self.spans.setdefault(key, []).extend(window.open(now + delay) for window in windows)

    def _close(self, key, until):
        for span in self.spans.pop(key, []):
            span[1] = until

    def _terminate(self, part):
        status = part.terminate()
        if status != 0:
            self.world.fault(f"{part.process.name} ended with status {status} on SIGTERM")

    # ---- the broker ----------------------------------------------------------------------

    def restart_broker(self, kill, away_s):
        if self.broker in self.away or "broker stopped" in self.spans:
            return
        world = self.world
        with world.lock:
            world.tell(f"broker: {'KILL' if kill else 'TERM'}")
            self._open("broker", time.monotonic(), world.null_allowed, world.control_away)
            self.crew.broker_ends()
        self.away.add(self.broker)
        if kill:
            self.broker.kill9()
        else:
            self._terminate(self.broker)
        with world.lock:
            world.tell("broker: gone")
            self.crew.broker_is_gone()
            self._open("broker gone", time.monotonic(), world.null_required)
        self.after(away_s, self._start_broker)

    def _start_broker(self):
        world = self.world
        with world.lock:
            world.tell("broker: starts")
            self._close("broker gone", time.monotonic())
        self.broker.start()
        self.follow()
        with world.lock:
            self.away.discard(self.broker)
            world.tell("broker: answers")
            self._close("broker", time.monotonic() + RECOVERY_S)
            self.light_beacon()

    def stop_broker(self, seconds):
        """SIGSTOP: it is there, and says nothing."""
        if self.broker in self.away or "broker stopped" in self.spans or \
                self.crew.reloads.forget and time.monotonic() - self.reloaded < RELOAD_S:
            return
        world = self.world
        with world.lock:
            world.tell(f"broker: STOP for {seconds:.2f} s")
            since = time.monotonic()
            self._open("broker stopped", since, world.control_away)
            self._open("broker stopped", since, world.null_allowed, delay=HOLD_S)
            self.crew.is_stopped = True
        os.kill(self.broker.process.pid, signal.SIGSTOP)
        with world.lock:
            self._open("broker silent", time.monotonic(), world.null_required, delay=SILENCE_S)
        self.after(seconds, lambda: self._continue_broker(since))

    def _continue_broker(self, since):
        world = self.world
        with world.lock:
            now = time.monotonic()
            self._close("broker silent", now)
            self.crew.broker_resumes(now - since)
            world.tell("broker: CONT")
            os.kill(self.broker.process.pid, signal.SIGCONT)
            self.crew.broker_has_resumed()
            self._close("broker stopped", time.monotonic() + RECOVERY_S)

    def reload_broker(self):
        """Not while it is stopped: that would hide all whose time runs out meanwhile."""
        if self.broker in self.away or \
                self.crew.reloads.forget and "broker stopped" in self.spans:
            return
        self.world.tell("broker: HUP")
        self.crew.reloads.begin()
        os.kill(self.broker.process.pid, signal.SIGHUP)
        self.reloaded = time.monotonic()

    # ---- the bridge ----------------------------------------------------------------------

    def restart_bridge(self, kill, away_s):
        if self.bridge in self.away or "bridge" in self.spans or "bridge stopped" in self.spans:
            return
        world = self.world
        with world.lock:
            world.tell(f"bridge: {'KILL' if kill else 'TERM'}")
            self._open("bridge", time.monotonic(), world.rest_away, world.null_allowed,
                       world.control_away)
        self.away.add(self.bridge)
        if kill:
            self.bridge.kill9()
        else:
            self._terminate(self.bridge)
        self.after(away_s, self._start_bridge)

    def _start_bridge(self):
        self.world.tell("bridge: starts")
        self.bridge.process.start()
        self.follow()
        self.away.discard(self.bridge)
        self.ready_by = INF

    def _look_for_readiness(self):
        """It is not waited for, so that sessions come and go while it makes its list."""
        now = time.monotonic()
        if self.broker in self.away or self.server in self.away or "broker stopped" in self.spans:
            self.ready_by = INF
        elif self.ready_by == INF:
            self.ready_by = now + READY_S
        elif now > self.ready_by:
            self.world.fault(f"the bridge is not ready {READY_S} s after its start")
        if self.probing or "bridge stopped" in self.spans:
            return
        self.probing = True
        threading.Thread(target=self._probe, daemon=True).start()

    def _probe(self):
        try:
            ready = self.bridge.probe("/readyz") == 200
        except Exception:  # it is being ended again
            ready = False
        with self.world.lock:
            if ready and "bridge" in self.spans and self.bridge not in self.away:
                self.world.tell("bridge: ready")
                self._close("bridge", time.monotonic())
            self.probing = False

    def stop_bridge(self, seconds):
        if self.bridge in self.away or "bridge stopped" in self.spans:
            return
        world = self.world
        with world.lock:
            world.tell(f"bridge: STOP for {seconds:.2f} s")
            now = time.monotonic()
            self._open("bridge stopped", now, world.control_away)
            if seconds > EARLIEST_SILENCE_S:
                self._open("bridge stopped", now, world.null_allowed, delay=EARLIEST_SILENCE_S)
        os.kill(self.bridge.process.pid, signal.SIGSTOP)
        self.after(seconds, self._continue_bridge)

    def _continue_bridge(self):
        self.world.tell("bridge: CONT")
        os.kill(self.bridge.process.pid, signal.SIGCONT)
        with self.world.lock:
            self._close("bridge stopped", time.monotonic() + RECOVERY_S)

    # ---- the database --------------------------------------------------------------------

    def restart_database(self, kill, away_s):
        if self.server in self.away:
            return
        world = self.world
        with world.lock:
            world.tell(f"database: {'KILL' if kill else 'TERM'}")
            self._open("database", time.monotonic(), world.database_away)
        self.away.add(self.server)
        if kill:
            self.server.kill9()
        else:
            self.server.stop()
        self.after(away_s, self._start_database)

    def _start_database(self):
        self.server.start()
        self.world.tell("database: answers")
        self.away.discard(self.server)
        with self.world.lock:
            self._close("database", time.monotonic() + DATABASE_RECOVERY_S)

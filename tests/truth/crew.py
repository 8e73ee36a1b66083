# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""All workers' sessions: makes them, and knows what the broker's bad times mean for each."""

import itertools
import time

from line import Line
from model import INF
from reloads import Reloads

PROTOCOLS = ((False, 4), (False, 5), (True, 4), (True, 5))


class Crew:
    def __init__(self, world, field, broker):
        self.world, self.field, self.broker = world, field, broker
        self.lines = []
        self.numbers = itertools.count(1)
        self.stopped_s = 0.0  # how long the broker has been stopped in all
        self.is_stopped = False
        self.ending = False  # the broker is being ended
        self.reloads = Reloads(world, field)

    def next_number(self):
        return next(self.numbers)

    def count(self, what):
        self.world.counts[what] += 1

    def port(self, websocket, link):
        ports = (self.broker.mqtt_port, self.broker.ws_port) if link is None else link.ports
        return ports[1 if websocket else 0]

    def lines_of(self, client_id):
        """Those whose end is not proven, closed ones too: their story is not over."""
        return [line for line in self.lines if line.session.client_id == client_id
                and line.session.off == INF and not line.ours]

    def ghosts_of(self, client_id):
        """Logins that left before they were answered, and that the broker may yet carry out."""
        return [line.session for line in self.lines if line.session.client_id == client_id
                and line.ours and line.expected != "out"
                and line.session.sent < line.session.acked == line.session.off == INF]

    def open(self):
        """Those that are logged in and can be used."""
        return [line for line in self.lines if line.alive and not line.muted
                and line.session.acked < INF and line.session.heir is None]

    def connect(self, worker, suffix, protocol, keepalive, will=None, token=None, link=None):
        """A login begins; None where nobody listens."""
        self.lines = [line for line in self.lines if line.alive or line.session.off == INF]
        client_id = worker.id + (f".{suffix}" if suffix else "")
        try:
            line = Line(self, worker, client_id, protocol, keepalive, will,
                        token or worker.token, link)
        except ConnectionRefusedError:
            return None
        self.lines.append(line)
        return line

    def gone(self, line):
        if line.session.sent == INF:
            line.session.over(time.monotonic())

    def must_be_explained(self, line, why, now):
        """A session that ends although nobody wished it is a fault of the broker or the plugin."""
        session = line.session
        doubts = set(session.doubts) - {"new"}
        if doubts or self.ending or session.heir is not None or line.worker.operations \
                or now > session.patience() or line.link is not None:
            return
        if line.expected == "out" or line.changes != line.worker.changes:
            return
        self.world.fault(f"{line.name} was ended for no reason: {why}", line.worker)

    # ---- silence ---------------------------------------------------------------------------

    def expect_silence(self, line, until, flaps):
        stopped_s = self.stopped_s
        line.session.in_limbo = True

        def check(now):
            session = line.session
            if session.off != INF or (flaps is not None and line.link.flaps != flaps):
                return
            if self.is_stopped:
                self.field.at(now + 0.1, check)
            elif self.stopped_s > stopped_s:
                self.expect_silence(line, until + self.stopped_s - stopped_s, flaps)
            elif not line.blind:
                self._must_be_found(line, until)
        self.field.at(until, check)

    def _must_be_found(self, line, until):
        if self.reloads.may_hide(line.session, until - line.silence_s):
            line.tell("may never be found silent: the broker was told to reload meanwhile")
            self.count("silent peers that a reload may have hidden")
        else:
            line.tell("must have been found silent by now")
            self.count("silent peers found in time")
            self.field.after_turns(line.turns, line.session.over)

    # ---- what happens to the broker ----------------------------------------------------------

    def broker_ends(self):
        self.ending = True
        now = time.monotonic()
        for line in self.lines:
            line.session.doubt("broker", now)

    def broker_is_gone(self):
        """Its process has ended."""
        now = time.monotonic()
        self.is_stopped = False
        self.reloads.clear()
        self.field.broker_is_gone(now)
        for line in self.lines:
            line.close()
            line.session.over(now)
        self.lines = []
        self.ending = False

    def broker_resumes(self, stopped_s):
        """It was stopped for so long, and may find many silent that were not."""
        now = time.monotonic()
        self.is_stopped = False
        self.stopped_s += stopped_s
        for line in self.lines:
            if stopped_s > 1.1 * line.session.keepalive - 1.3:
                line.session.doubt("stopped", now)

    def broker_has_resumed(self):
        now = time.monotonic()
        for line in self.lines:
            line.session.allow_proof("stopped", now)
            line.ping()

    # ---- links -------------------------------------------------------------------------------

    def link_goes_down(self, link):
        now = time.monotonic()
        for line in self.lines:
            if line.link is link and line.session.sent < INF:
                line.unsteady = True
                line.session.doubt("link", min(now + line.session.keepalive,
                                               line.session.patience()))

    def link_is_down(self, link):
        for line in self.lines:
            if line.link is link and line.session.sent < INF:
                line.expect_silence(link)

    def link_is_up(self, link):
        now = time.monotonic()
        for line in self.lines:
            if line.link is link:
                line.session.allow_proof("link", now)
                line.ping()

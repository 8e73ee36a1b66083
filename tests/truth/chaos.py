# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""What happens to the workers and to the parts, by the seed's dice."""

import json
import time

from crew import PROTOCOLS

KEEPALIVES = (2, 3, 4, 6)
SUFFIXES = ("", "", "b", "c")
SESSIONS = 45  # wanted at a time
BUSY_GAP_S, QUIET_GAP_S = 0.025, 0.3


class Chaos:
    def __init__(self, world, field, crew, parts, links, watchers):
        self.world, self.field, self.crew, self.parts = world, field, crew, parts
        self.links, self.watchers = links, watchers
        self.dice = world.rng("chaos")
        self.next_part = time.monotonic() + 2
        self.next_mood = 0.0
        self.gap_s = BUSY_GAP_S
        self.deeds = [
            (30, self.connect), (10, self.leave), (3, self.take_over), (2, self.silence),
            (2, self.stall), (2, self.resume), (12, self.talk), (2, self.bad_login),
            (2, self.half_login), (1, self.twins), (1, self.link), (0.15, self.storm),
            (0.2, self.reload), (0.3, self.new_ear)]
        self.part_deeds = [
            (3, self.broker_restart), (3, self.bridge_restart), (3, self.broker_stop),
            (4, self.bridge_stop), (2, self.database_restart)]

    def _pick(self, table):
        return self.dice.choices([deed for _, deed in table], [weight for weight, _ in table])[0]

    def step(self):
        """One deed, and the pause after it."""
        now = time.monotonic()
        if now > self.next_mood:
            self._change_mood(now)
        if now > self.next_part:
            if not self.field.quiet:
                self._pick(self.part_deeds)()
            self.next_part = time.monotonic() + self.dice.uniform(0.5, 5)
        with self.world.lock:
            deed = self._pick(self.deeds)
            if deed != self.connect or len(self.crew.open()) < SESSIONS:
                deed()
            self.field.ring()
        time.sleep(self.dice.expovariate(1 / self.gap_s))

    def _change_mood(self, now):
        quiet = self.dice.random() < 0.25
        with self.world.lock:
            self.field.set_quiet(quiet)
        self.gap_s = QUIET_GAP_S if quiet else BUSY_GAP_S
        self.next_mood = now + (self.dice.uniform(2, 4) if quiet else self.dice.uniform(3, 12))

    def calm(self):
        with self.world.lock:
            self.field.set_quiet(False)
        self.next_mood = 0.0

    # ---- sessions ------------------------------------------------------------------------

    def _will(self, worker, protocol):
        if self.dice.random() < 0.4:
            return None
        delay = self.dice.choice((0, 0, 1, 3)) if protocol[1] == 5 else 0
        return f"workers/{worker.id}/will", json.dumps({"reason": "lost"}), delay

    def _login(self, worker, suffix=None, token=None):
        protocol = self.dice.choice(PROTOCOLS)
        link = self.dice.choice(self.links) if self.links and self.dice.random() < 0.2 else None
        return self.crew.connect(
            worker, self.dice.choice(SUFFIXES) if suffix is None else suffix, protocol,
            self.dice.choice(KEEPALIVES), self._will(worker, protocol), token, link)

    def _worker(self):
        present = self.world.present()
        return self.dice.choice(present) if present else None

    def _open_line(self):
        lines = self.crew.open()
        return self.dice.choice(lines) if lines else None

    def connect(self):
        worker = self._worker()
        if worker:
            self._login(worker)

    def take_over(self):
        line = self._open_line()
        if line:
            self._login(line.worker, self._suffix(line))

    @staticmethod
    def _suffix(line):
        return line.session.client_id[len(line.worker.id) + 1:]

    def twins(self):
        """Two logins with one client id at once."""
        worker = self._worker()
        if worker:
            suffix = self.dice.choice(SUFFIXES)
            self._login(worker, suffix)
            self._login(worker, suffix)

    def leave(self):
        line = self._open_line()
        if line:
            line.leave(self.dice.choice(("goodbye", "fin", "rst", "ws-close")
                                        if line.websocket else ("goodbye", "fin", "rst")))

    def silence(self):
        line = self._open_line()
        if line:
            line.tell("falls silent")
            line.mute()

    def stall(self):
        line = self._open_line()
        if line and line.reading:
            line.stall()

    def resume(self):
        for line in self.crew.open():
            if not line.reading:
                line.resume()

    def talk(self):
        line = self._open_line()
        if not line:
            return
        name, payload = self.dice.choice((
            ("state", b'{"engine_status":"running"}'), ("metrics", b'{"memory":1,"cpu":2}'),
            ("will", b'{"reason":"not yet"}'), ("app/x", b"hello"), (None, b"")))
        if name:
            line.publish(name, payload)
        else:
            line.subscribe("commands")

    def bad_login(self):
        """With somebody's client id, and a token that was never or is no longer right."""
        worker = self._worker()
        if worker:
            token = self.dice.choice(worker.former_tokens + ["tk_wrong"])
            lines = [line for line in self.crew.open() if line.worker is worker]
            self._login(worker, self._suffix(lines[0]) if lines else "", token)

    def half_login(self):
        """Gone before it is answered."""
        worker = self._worker()
        line = self._login(worker) if worker else None
        if line:
            how = self.dice.choice(("fin", "rst"))
            self.field.at(time.monotonic() + self.dice.choice((0.0005, 0.002, 0.15)),
                          lambda _: line.alive and not line.ours and line.leave(how))

    def storm(self):
        """All at once, and back at once."""
        self.world.tell("storm")
        lines = [line for line in self.crew.open() if self.dice.random() < 0.9]
        for line in lines:
            line.leave(self.dice.choice(("fin", "rst")))
        for line in lines:
            if line.worker.status not in ("gone", "fading"):
                self._login(line.worker, self._suffix(line))

    # ---- links ---------------------------------------------------------------------------

    def link(self):
        """Pulls a cable, and puts it back: most times before anybody can notice."""
        up = [link for link in self.links if link.up]
        if up:
            link = self.dice.choice(up)
            # Not here: other programs are run for it, and the world is locked.
            self.parts.after(0, lambda: self._pull(link))
            self.parts.after(self.dice.choice((0.3, 1.0, 4.0, 12.0)), lambda: self._plug(link))

    def _pull(self, link):
        if not link.up:
            return
        with self.world.lock:
            self.world.tell(f"{link.name}: down")
            link.up, link.flaps = False, link.flaps + 1
            self.crew.link_goes_down(link)
        link.pull()
        with self.world.lock:
            self.crew.link_is_down(link)

    def _plug(self, link):
        if link.up:
            return
        with self.world.lock:
            link.flaps += 1  # what was expected of a link that stays down is off
        link.plug()
        with self.world.lock:
            self.world.tell(f"{link.name}: up")
            link.up = True
            self.crew.link_is_up(link)

    # ---- parts ---------------------------------------------------------------------------

    def broker_restart(self):
        self.parts.restart_broker(self.dice.random() < 0.5, self.dice.choice((0, 0, 0.5, 3)))
        self.parts.after(0.05, self.return_of_all)

    def return_of_all(self):
        if self.parts.broker in self.parts.away:
            self.parts.after(0.05, self.return_of_all)
            return
        with self.world.lock:
            for _ in range(self.dice.choice((0, SESSIONS))):
                self.connect()
            self.field.ring()

    def bridge_restart(self):
        self.parts.restart_bridge(self.dice.random() < 0.5, self.dice.choice((0, 0, 1)))

    def broker_stop(self):
        self.parts.stop_broker(self.dice.choice((0.05, 0.2, 0.5, 1, 1.6, 2.5, 3.5)))

    def bridge_stop(self):
        self.parts.stop_bridge(self.dice.choice((0.05, 0.2, 0.5, 1, 1.3, 2.5, 3.5)))

    def database_restart(self):
        self.parts.restart_database(self.dice.random() < 0.5, self.dice.choice((0, 1, 4)))

    def reload(self):
        self.parts.reload_broker()

    def new_ear(self):
        """A watcher loses its connection, and comes back."""
        self.dice.choice(self.watchers).drop()



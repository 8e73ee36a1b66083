# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""A worker's session on the wire, and what each thing that happens to it proves."""

import time

from field import Client
from harness.wire import (CONNACK, CONNECT, DISCONNECT, PINGREQ, PINGRESP, PUBLISH,
                          SUBSCRIBE)
from model import INF, Session
from stream import WS_CLOSE, connect_body, publish_body, subscribe_body

# Turns of the broker's loop after which it has been through something. One to be read in, one for
# the tick after it, and one to spare; WebSockets of 2.0 go through a library with turns of its own,
# and the plugin takes a login over them for accepted after three.
TURNS, TURNS_WEBSOCKET_20 = 3, 7

# How long past 1.5 times the keepalive a silent peer may count: 2.0.11 looks every six seconds.
SILENCE_GRACE_S, SILENCE_GRACE_2011_S = 1.0, 6.0

PING_AT = 0.4  # of the keepalive


class Line(Client):
    def __init__(self, crew, worker, client_id, protocol, keepalive, will, token, link):
        self.crew = crew
        self.worker = worker
        self.token = token
        self.will = will
        self.websocket, version = protocol
        self.link = link
        self.session = Session(worker, client_id, keepalive)
        self.expected = None  # "in", "out", or None where both are right
        self.changes = 0
        self.elders = []
        self.pings = []
        self.muted = self.ours = False
        self.unsteady = False  # bytes may be stuck in the kernel since the link was down
        self.flaps = link.flaps if link else 0
        self.number = 0
        self.packets = self.read = 0  # sent; of those, surely read by the broker
        self.name = f"{client_id[len(worker.id):] or '.'} {'ws' if self.websocket else 'tcp'}" \
            f"{version} #{crew.next_number()}"
        self.door = (crew.port(self.websocket, link), self.websocket,
                     link.host if link else "127.0.0.1")
        super().__init__(crew.field, self.door[0], self.websocket, version, f"/ws/{worker.id}",
                         self.door[2], link)

    def tell(self, text):
        self.worker.tell(f"{self.name}: {text}")

    @property
    def alive(self):
        return self.sock is not None

    @property
    def turns(self):
        """Until the broker has been through all that was sent: it reads a packet a turn."""
        slow = self.websocket and self.crew.world.version < (2, 1)
        return (TURNS_WEBSOCKET_20 if slow else TURNS) + self.packets - self.read

    @property
    def silence_s(self):
        """After how long without a word the broker must have ended it."""
        grace = SILENCE_GRACE_2011_S if self.crew.world.version < (2, 0, 12) else SILENCE_GRACE_S
        return 1.5 * self.session.keepalive + grace

    @property
    def blind(self):
        """Mosquitto 2.0 does not see the end of a WebSocket that does not take its output."""
        return self.websocket and not self.reading and self.crew.world.version < (2, 1)

    def arrives(self):
        """Whether what is sent now is in the broker's socket when the call returns."""
        return self.sent_all and not self.unsteady and (self.link is None or self.link.up)

    # ---- login ---------------------------------------------------------------------------

    def on_open(self):
        now = time.monotonic()
        worker, session = self.worker, self.session
        self.changes = worker.changes
        self.expected = self._expectation()
        session.sent = session.last_sent = now
        worker.sessions.append(session)
        for operation, only in worker.operations.items():
            if only in (None, session.client_id):
                session.doubt(operation, now)
        if self.expected != "out":
            self._announce_to_elders(now)
        self.tell(f"CONNECT, keepalive {session.keepalive}{', will' if self.will else ''}"
                  f"{', by ' + self.link.name if self.link else ''}"
                  f"{', must be refused' if self.expected == 'out' else ''}")
        self.send(CONNECT, connect_body(self.version, session.client_id, worker.id, self.token,
                                        session.keepalive, self.will))

    def _expectation(self):
        if self.token != self.worker.token and not self.worker.operations:
            return "out"  # it was never right, or is a former one
        if self.worker.operations or self.worker.status in ("unsure", "fading"):
            return None
        return "in" if self.worker.status == "valid" else "out"

    def _announce_to_elders(self, now):
        """Whoever has the client id is about to be taken over; two that log in at once race, and
        who has left unanswered may win: two listeners are not read in the order of time."""
        for ghost in self.crew.ghosts_of(self.session.client_id):
            self.session.doubt("ghost", now)
            ghost.haunted.append(self.session)
        for other in self.crew.lines_of(self.session.client_id):
            if other is self or other.session.sent == INF or other.expected == "out":
                continue
            self.elders.append(other)
            if other.session.acked == INF or other.session.heir is not None:
                other.session.doubt("race", now)
                self.session.doubt("race", now)
            else:
                other.session.heir = self.session

    def on_packet(self, kind, flags, body):
        now = time.monotonic()
        if kind == CONNACK:
            self._answered(body[1], now)
        elif kind == PINGRESP and self.pings:
            self._pong(*self.pings.pop(0), now)
        elif kind == DISCONNECT:
            self.tell(f"DISCONNECT {body[0] if body else 0:#x} from the broker")

    def _answered(self, code, now):
        self.tell(f"CONNACK {code}")
        expected = self.expected if self.changes == self.worker.changes else None
        if code == 0 and expected == "out":
            self.crew.world.fault(f"{self.name} was let in", self.worker)
        if code != 0 and expected == "in":
            self.crew.world.fault(f"{self.name} was refused: {code}", self.worker)
        if code == 0:
            self._accepted(now)
        else:
            self.session.over(now)
            self._release_elders(now, refused=True)
            self.close()
            self.crew.gone(self)

    def _accepted(self, now):
        session = self.session
        session.acked = now
        self.read = 1
        self.crew.count("sessions")
        for other in self.worker.sessions:
            # A client id has one session: those that were answered before this one asked are over.
            if other.client_id == session.client_id and other.acked < session.sent \
                    and "race" not in session.doubts:
                self.field.after_turns(self.turns, other.over)
        for elder in self.elders:
            if elder.session.heir is session and elder.session.is_open \
                    and elder.session.patience() > now:
                session.settle("new", now)
            elder.session.heir = None
            if "race" in session.doubts or "race" in elder.session.doubts:
                # A ping that is asked for after both were answered tells who is left.
                session.allow_proof("race", now)
                elder.session.doubt("race", now, now)
            else:
                elder.session.doubt("taken over", now)
            if not elder.alive or "taken over" in elder.session.doubts:
                self.field.after_turns(elder.turns, elder.session.over)
        self.elders = []
        self.field.after_turns(self.turns, lambda at: session.settle("new", at))
        self.schedule_ping()

    def _release_elders(self, now, refused=False):
        """It will not take them over after all, or may have done so before it ended."""
        for elder in self.elders:
            session = elder.session
            if session.heir is self.session:
                session.heir = None
            if refused and not elder.alive and not elder.ours and len(session.doubts) == 0:
                self.crew.world.fault(f"{self.name} was refused, and ended {elder.name}",
                                      self.worker)
            if refused and "race" not in session.doubts:
                continue
            session.doubt("heir", now)
            self._when_through(lambda at, s=session: (s.allow_proof("heir", at),
                                                      s.allow_proof("race", at)))
            if not elder.alive:
                self.field.after_turns(elder.turns, session.over)
        self.elders = []

    # ---- being alive ---------------------------------------------------------------------

    def schedule_ping(self):
        self.field.at(time.monotonic() + PING_AT * self.session.keepalive, self._ping_due)

    def _ping_due(self, now):
        if self.alive and not self.muted:
            self.ping()
            self.schedule_ping()

    def ping(self):
        if not self.alive or self.muted or self.session.acked == INF:
            return
        self.say(PINGREQ)
        self.pings.append((time.monotonic(), self.packets))

    def send(self, kind, body=b"", flags=0):
        self.packets += 1
        super().send(kind, body, flags)

    def say(self, kind, body=b"", flags=0):
        """Sends something, which proves to the broker that the session is alive."""
        now = time.monotonic()
        self.send(kind, body, flags)
        if self.alive and self.arrives():
            self.session.touch(now)

    def _pong(self, asked, number, now):
        self.read = number
        if self.link and asked < self.link.up_since:
            return
        if self.unsteady:
            self.unsteady = False
            self.session.last_sent = asked
        self.session.prove(asked, now)

    def acknowledge(self, number):
        if not self.muted:
            super().acknowledge(number)

    def publish(self, name, payload):
        self.number = self.number % 65535 + 1
        self.say(PUBLISH, publish_body(self.version, self.number,
                                       f"workers/{self.worker.id}/{name}", payload), 2)

    def subscribe(self, name):
        self.number = self.number % 65535 + 1
        self.say(SUBSCRIBE, subscribe_body(self.version, self.number,
                                           [f"workers/{self.worker.id}/{name}"]), 2)

    # ---- its end -------------------------------------------------------------------------

    def on_end(self, why):
        """The broker closed it, or the connection broke."""
        now = time.monotonic()
        session = self.session
        self.crew.gone(self)
        if session.off != INF or session.sent == INF:
            return
        self.tell(why)
        self.crew.must_be_explained(self, why, now)
        if session.heir is None:
            session.doubt("ended", now)
        if session.acked == INF:
            self._release_elders(now)
        if session.heir is None or session.acked == INF:
            self.field.after_turns(self.turns, session.over)

    def leave(self, how):
        """Our end: "goodbye", "fin", "rst" or "ws-close"."""
        now = time.monotonic()
        session = self.session
        self.tell(how)
        self.ours = True
        session.doubt("leaving", now)
        if session.sent < INF and session.acked == INF:
            self._release_elders(now)
        if how == "ws-close":
            self.mute()
            self.packets += 1
            self.send_bytes(WS_CLOSE)
            return
        if how == "goodbye":
            self.send(DISCONNECT)
        certain = not self.unsteady and (self.link is None or self.link.up)
        was_blind = self.blind
        self.close(reset=how == "rst" or not certain)
        self.crew.gone(self)
        if session.sent == INF:
            session.over(now)
        elif not certain:
            self.expect_silence()  # what was sent may be lost, and the kernel has forgotten it
        elif was_blind:
            self.field.after_turns(3 * self.turns, session.over)
        else:
            self._when_through(session.over)

    def _when_through(self, then):
        """Calls then(now) when the broker has dealt with all that it got from here."""
        if self.session.acked == INF:
            self.field.after_arrival(self.door, self.turns, then)
        else:
            self.field.after_turns(self.turns, then)

    def mute(self):
        """It says nothing any more, and leaves its socket open."""
        self.muted = True
        self.session.doubt("silent", self.session.patience())
        self.expect_silence()

    def expect_silence(self, link=None):
        """The broker has heard nothing since now at the latest, or will not, for as long as that
        link is down."""
        self.crew.expect_silence(self, time.monotonic() + self.silence_s,
                                 link and link.flaps)

    def stall(self):
        """It does not read any more, and goes on with its pings."""
        self.tell("stops reading")
        self.stop_reading()
        if self.blind:
            self.session.doubt("blind", time.monotonic())

    def resume(self):
        self.tell("reads again")
        self.read_again()
        self.session.allow_proof("blind", time.monotonic())
        self.ping()

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""All MQTT connections of the test, turned by one thread: sockets, timers, and turns of the
broker's loop.

A *turn* is how an end is proven: bytes that were sent before a ping were seen by the broker no
later than in the turn that answers it, so after a few answered pings on one connection the broker
has been through what happened on any other one, and through the plugin's tick after it. In quiet
times nothing is sent, for an idle broker must be right as well; then the plugin's own heartbeats
are the proof.
"""

import heapq
import itertools
import selectors
import socket
import struct
import threading
import time

from harness.wire import CONNACK, CONNECT, PINGREQ, PINGRESP, PUBACK, PUBLISH
from stream import Ended, Stream, connect_body, read_publish

HEARTBEATS_PER_PROOF = 2  # half a second apart, five turns of an idle loop


class Client:
    """One connection. What happens to it goes to the on_ methods, under the world's lock."""

    def __init__(self, field, port, websocket=False, version=5, path="/", host="127.0.0.1",
                 link=None):
        self.field = field
        self.version = version
        self.stream = Stream(websocket, path)
        self.out = b""
        self.reading = True
        self.established = False
        self.sock = link.socket() if link else socket.socket()
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.sock.connect((host, port))
        except BlockingIOError:
            pass
        except OSError as e:
            self.sock.close()
            self.sock = None
            raise ConnectionRefusedError(str(e)) from e
        field.selector.register(self.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, self)

    # ---- to be told --------------------------------------------------------------------

    def on_open(self):
        """Packets may be sent."""

    def on_packet(self, kind, flags, body):
        """One that is not a message."""

    def on_message(self, topic, payload, retained):
        pass

    def on_end(self, why):
        """The other side has closed it, or it failed. The socket is closed already."""

    # ---- to be used --------------------------------------------------------------------

    def send(self, kind, body=b"", flags=0):
        self.send_bytes(self.stream.packet(kind, body, flags))

    def send_bytes(self, data):
        self.out += data
        self._flush()

    def acknowledge(self, number):
        self.send(PUBACK, number)

    @property
    def sent_all(self):
        return not self.out

    def close(self, reset=False):
        """Our end: nothing more is told."""
        if self.sock is None:
            return
        self._unregister()
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()
        self.sock = None

    def stop_reading(self):
        self.reading = False
        self._watch()

    def read_again(self):
        self.reading = True
        self._watch()

    # ---- turning -----------------------------------------------------------------------

    def _unregister(self):
        try:
            self.field.selector.unregister(self.sock)
        except KeyError:
            pass

    def _watch(self):
        if self.sock is None:
            return
        events = (selectors.EVENT_READ if self.reading else 0) | \
            (selectors.EVENT_WRITE if self.out or not self.established else 0)
        self._unregister()
        if events:
            self.field.selector.register(self.sock, events, self)

    def _end(self, why):
        if self.sock is not None:
            self.close()
            self.on_end(why)

    def _flush(self):
        if self.sock is None or not self.established:
            return
        had = len(self.out)
        try:
            while self.out:
                self.out = self.out[self.sock.send(self.out):]
        except BlockingIOError:
            pass
        except OSError as e:
            self._end(str(e))
            return
        if bool(self.out) != bool(had):
            self._watch()

    def turn(self, events):
        if self.sock is None:
            return
        if events & selectors.EVENT_WRITE and not self.established:
            error = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                self._end(f"connect: {error}")
                return
            self.established = True
            self.out += self.stream.greeting()
            if self.stream.open:
                self.on_open()
            self._watch()
        if events & selectors.EVENT_WRITE:
            self._flush()
        if events & selectors.EVENT_READ and self.reading and self.sock is not None:
            self._read()

    def _read(self):
        try:
            data = self.sock.recv(65536)
        except BlockingIOError:
            return
        except OSError as e:
            self._end(str(e))
            return
        if not data:
            self._end("closed by the broker")
            return
        was_open = self.stream.open
        try:
            for kind, flags, body in self.stream.feed(data):
                self._take(kind, flags, body)
        except Ended as e:
            self._end(str(e))
            return
        if self.stream.open and not was_open:
            self.on_open()

    def _take(self, kind, flags, body):
        if kind != PUBLISH:
            self.on_packet(kind, flags, body)
            return
        topic, number, retained, payload = read_publish(self.version, flags, body)
        if number is not None:
            self.acknowledge(number)
        self.on_message(topic, payload, retained)


class Beacon(Client):
    """Counts turns of the broker's loop by pings that are answered one after the other."""

    def __init__(self, field, port):
        self.ready = self.waiting = False
        super().__init__(field, port)

    def on_open(self):
        self.send(CONNECT, connect_body(5, "truth-beacon", *self.field.account, 600))

    def on_packet(self, kind, flags, body):
        if kind == CONNACK:
            self.ready = True
        if kind == PINGRESP:
            self.waiting = False
            self.field.note_turn()
        self.ask()

    def ask(self):
        if self.ready and not self.waiting and self.field.wants_turns():
            self.waiting = True
            self.field.begin_turn()
            self.send(PINGREQ)

    def on_end(self, why):
        self.field.beacon = None


class Knock(Client):
    """Comes after somebody at the same door: when it is answered, so was whoever came before."""

    def __init__(self, field, port, websocket, host, then):
        self.then = then
        super().__init__(field, port, websocket, host=host)

    def on_open(self):
        self.send(CONNECT, connect_body(5, f"truth-knock-{id(self)}", *self.field.account, 60))

    def on_packet(self, kind, flags, body):
        if kind == CONNACK:
            self.close()
            self.then()

    def on_end(self, why):
        self.then()


class Proof:
    def __init__(self, rounds, then):
        self.rounds, self.then = rounds, then
        self.beats = HEARTBEATS_PER_PROOF
        self.since = time.monotonic()
        self.counting = False


class Field:
    def __init__(self, world, account):
        """`account`: of an ordinary user of the broker."""
        self.world = world
        self.account = account
        self.selector = selectors.DefaultSelector()
        self.timers, self.numbers = [], itertools.count()
        self.proofs = []
        self.beacon = None
        self.quiet = False
        self.stopping = False
        self.failure = None
        self.bell, ear = socket.socketpair()
        ear.setblocking(False)
        self.selector.register(ear, selectors.EVENT_READ, None)
        self.ear = ear
        self.thread = threading.Thread(target=self._run, name="field", daemon=True)

    def start(self):
        self.thread.start()
        return self

    def stop(self):
        self.stopping = True
        self.ring()
        self.thread.join()
        self.selector.close()
        self.bell.close()
        self.ear.close()

    def ring(self):
        """Another thread has something for this one to do."""
        self.bell.send(b"!")

    def at(self, when, call):
        heapq.heappush(self.timers, (when, next(self.numbers), call))

    # ---- turns of the broker's loop ------------------------------------------------------

    def after_turns(self, rounds, then):
        """Calls then(now) when the broker has been that many times through its loop."""
        self.proofs.append(Proof(rounds, then))
        if self.beacon is not None and not self.quiet:
            self.beacon.ask()

    def after_arrival(self, door, rounds, then):
        """The same, once the broker has let in who waited at that door (port, WebSocket, host)
        before: new connections may be taken in one by one, a turn each."""
        try:
            Knock(self, *door, lambda: self.after_turns(rounds, then))
        except ConnectionRefusedError:
            self.after_turns(rounds, then)

    def wants_turns(self):
        return bool(self.proofs) and not self.quiet

    def begin_turn(self):
        for proof in self.proofs:
            proof.counting = True

    def note_turn(self):
        for proof in self.proofs:
            proof.rounds -= proof.counting
        self._finish_proofs()

    def note_heartbeat(self, sent_at):
        for proof in self.proofs:
            proof.beats -= sent_at > proof.since + 0.005
        self._finish_proofs()

    def _finish_proofs(self):
        done = [p for p in self.proofs if p.rounds <= 0 or p.beats <= 0]
        self.proofs = [p for p in self.proofs if p.rounds > 0 and p.beats > 0]
        now = time.monotonic()
        for proof in done:
            proof.then(now)

    def set_quiet(self, quiet):
        self.quiet = quiet
        if self.beacon is not None:
            self.beacon.ask()

    def broker_is_gone(self, now):
        """Its process has ended: all connections are, and nothing is left to be proven."""
        proofs, self.proofs = self.proofs, []
        for proof in proofs:
            proof.then(now)
        for key in list(self.selector.get_map().values()):
            if key.data is not None:
                client = key.data
                client.close()
                client.on_end("the broker ended")

    # ---- the thread ----------------------------------------------------------------------

    def _run(self):
        try:
            while not self.stopping:
                self._turn()
        except Exception as e:  # the run must end, and tell why
            self.failure = e
            self.world.over.set()
            raise

    def _turn(self):
        wait = min(0.05, max(0.0, self.timers[0][0] - time.monotonic())) if self.timers else 0.05
        ready = self.selector.select(wait)
        with self.world.lock:
            for key, events in ready:
                if key.data is None:
                    self._hear()
                else:
                    key.data.turn(events)
            now = time.monotonic()
            while self.timers and self.timers[0][0] <= now:
                heapq.heappop(self.timers)[2](now)

    def _hear(self):
        try:
            while self.ear.recv(4096):
                pass
        except BlockingIOError:
            pass

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""MQTT by hand: a small synchronous client over TCP or WebSocket.

Test clients must be able to do what a library would not let them do, and to see every reason
code. Nothing runs in the background: what the broker sent is read when it is asked for.
"""

import base64
import collections
import os
import socket
import ssl
import struct
import time

from .secrets import keep
from .settings import SLOWNESS

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 1, 2, 3, 4, 8, 9
UNSUBSCRIBE, UNSUBACK, PINGREQ, PINGRESP, DISCONNECT = 10, 11, 12, 13, 14

Message = collections.namedtuple("Message", "topic payload qos retain properties")
Will = collections.namedtuple("Will", "topic payload qos retain delay", defaults=(1, False, 0))


class Closed(Exception):
    """The peer has closed the connection."""


def varint(n):
    out = b""
    while True:
        n, digit = divmod(n, 128)
        out += bytes([digit | (128 if n else 0)])
        if not n:
            return out


def text(s):
    data = s if isinstance(s, bytes) else s.encode()
    return struct.pack("!H", len(data)) + data


class Transport:
    """Bytes of MQTT over a TCP connection or over WebSocket frames."""

    def __init__(self, port, websocket, path="/", timeout=5, context=None):
        """Call ready() before reading; apart from here, so that many may shake hands at once.
        `context`: of TLS."""
        self.sock = socket.create_connection(("127.0.0.1", port), timeout * SLOWNESS)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            self.sock = context.wrap_socket(self.sock, server_hostname="localhost")
        self.websocket = websocket
        self.raw = b""
        self.data = b""
        self.shaking_hands = websocket
        if websocket:
            self._ask_for_upgrade(path)

    def _ask_for_upgrade(self, path):
        key = base64.b64encode(os.urandom(16)).decode()
        self.sock.sendall((f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                           f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
                           "Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Version: 13\r\n"
                           "\r\n").encode())

    def ready(self):
        """Waits for the answer to the handshake, if there is one to come."""
        if not self.shaking_hands:
            return
        self.shaking_hands = False
        while b"\r\n\r\n" not in self.raw:
            self._receive()
        head, self.raw = self.raw.split(b"\r\n\r\n", 1)
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise Closed(head.decode("latin-1"))

    def _receive(self):
        try:
            got = self.sock.recv(65536)
        except (ConnectionError, ssl.SSLError):
            got = b""
        if not got:
            raise Closed()
        self.raw += got

    def send(self, data):
        try:
            self.sock.sendall(self._frame(data) if self.websocket else data)
        except (BrokenPipeError, ConnectionResetError) as e:
            raise Closed() from e

    @staticmethod
    def _frame(data):
        # A mask of zeros is a mask, too, and leaves the data as they are.
        if len(data) < 126:
            size = bytes([128 | len(data)])
        elif len(data) < 65536:
            size = struct.pack("!BH", 128 | 126, len(data))
        else:
            size = struct.pack("!BQ", 128 | 127, len(data))
        return b"\x82" + size + b"\0\0\0\0" + data

    def read(self, n, deadline):
        while len(self.data) < n:
            if not (self._take_frames() if self.websocket else self._take_all()):
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError()
                self.sock.settimeout(left)
                self._receive()
        out, self.data = self.data[:n], self.data[n:]
        return out

    def _take_all(self):
        got = bool(self.raw)
        self.data, self.raw = self.data + self.raw, b""
        return got

    def _take_frames(self):
        """Moves the payload of one whole frame over; false when there is none yet."""
        if len(self.raw) < 2:
            return False
        size, at = self.raw[1] & 127, 2
        if size >= 126:
            width = 2 if size == 126 else 8
            if len(self.raw) < 2 + width:
                return False
            size, at = int.from_bytes(self.raw[2:2 + width], "big"), 2 + width
        if len(self.raw) < at + size:
            return False
        opcode, payload = self.raw[0] & 15, self.raw[at:at + size]
        self.raw = self.raw[at + size:]
        if opcode == 8:
            raise Closed()
        if opcode in (0, 1, 2):
            self.data += payload
        return True

    def close(self, reset=False):
        if reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Wire:
    """One MQTT connection. `version` is 4 (3.1.1) or 5."""

    def __init__(self, port, websocket=False, version=5, path="/", wait=True, context=None):
        self.transport = Transport(port, websocket, path, context=context)
        self.version = version
        self.inbox = collections.deque()
        self.next_id = 0
        self.buffered_header = b""
        self.end_reason = None  # of the broker's MQTT 5 DISCONNECT
        if wait:
            self._wait_ready()

    def _wait_ready(self):
        try:
            self.transport.ready()
        except (Closed, OSError):
            self.transport.close()
            raise

    # ---- packets -----------------------------------------------------------------------

    def send_packet(self, kind, body, flags=0):
        self.transport.send(bytes([kind << 4 | flags]) + varint(len(body)) + body)

    def send_raw(self, data):
        self.transport.send(data)

    def read_packet(self, timeout):
        deadline = time.monotonic() + timeout
        first = self.buffered_header or self.transport.read(1, deadline)
        self.buffered_header = first  # a timeout in the middle must not lose our place
        more = max(deadline, time.monotonic() + 5 * SLOWNESS)
        size, shift = 0, 0
        while True:
            digit = self.transport.read(1, more)[0]
            size |= (digit & 127) << shift
            shift += 7
            if digit < 128:
                break
        body = self.transport.read(size, more)
        self.buffered_header = b""
        return first[0] >> 4, first[0] & 15, body

    def _properties(self, body, at):
        """The properties' bytes and where they end; none before MQTT 5."""
        if self.version < 5 or at >= len(body):
            return b"", at
        size, shift = 0, 0
        while True:
            digit = body[at]
            at += 1
            size |= (digit & 127) << shift
            shift += 7
            if digit < 128:
                return body[at:at + size], at + size

    def _take_publish(self, flags, body):
        qos = flags >> 1 & 3
        size = struct.unpack_from("!H", body)[0]
        topic, at = body[2:2 + size].decode(), 2 + size
        if qos:
            packet_id, at = body[at:at + 2], at + 2
        properties, at = self._properties(body, at)
        if qos == 1:
            self.send_packet(PUBACK, packet_id)
        self.inbox.append(Message(topic, body[at:], qos, bool(flags & 1), properties))

    def pump(self, timeout):
        """Reads one packet. Messages go to the inbox; anything else is returned."""
        kind, flags, body = self.read_packet(timeout)
        if kind == PUBLISH:
            self._take_publish(flags, body)
            return None, b""
        if kind == DISCONNECT:
            self.end_reason = body[0] if body else 0
        return kind, body

    def expect(self, wanted, timeout=5):
        deadline = time.monotonic() + timeout * SLOWNESS
        while True:
            kind, body = self.pump(max(0.0, deadline - time.monotonic()))
            if kind == wanted:
                return body

    def _packet_id(self):
        self.next_id = self.next_id % 65535 + 1
        return struct.pack("!H", self.next_id)

    # ---- what a client does ------------------------------------------------------------

    def send_connect(self, client_id, username=None, password=None, *, clean=True, keepalive=60,
                     will=None, expiry=None):
        flags = 2 if clean else 0
        payload = text(client_id)
        if will:
            flags |= 4 | will.qos << 3 | (32 if will.retain else 0)
            if self.version == 5:
                delay = struct.pack("!BI", 0x18, will.delay) if will.delay else b""
                payload += varint(len(delay)) + delay
            payload += text(will.topic) + text(will.payload)
        if username is not None:
            flags, payload = flags | 128, payload + text(username)
        if password is not None:
            flags, payload = flags | 64, payload + text(keep(password))
        properties = b""
        if self.version == 5:
            properties = b"" if expiry is None else struct.pack("!BI", 0x11, expiry)
            properties = varint(len(properties)) + properties
        self.send_packet(CONNECT, text("MQTT") + bytes([self.version, flags])
                         + struct.pack("!H", keepalive) + properties + payload)

    def connect(self, client_id, username=None, password=None, **options):
        """Returns CONNACK's code: 0 is success."""
        self.send_connect(client_id, username, password, **options)
        return self.expect(CONNACK)[1]

    def subscribe(self, topic, qos=1):
        """Returns SUBACK's code: the granted QoS, or 0x80 and above."""
        packet_id = self._packet_id()
        properties = b"\0" if self.version == 5 else b""
        self.send_packet(SUBSCRIBE, packet_id + properties + text(topic) + bytes([qos]), 2)
        return self.expect(SUBACK)[-1]

    def publish(self, topic, payload=b"", qos=1, retain=False, properties=b""):
        """Returns PUBACK's reason, which MQTT 3.1.1 does not have: 0. None for QoS 0. That nobody
        had subscribed (0x10) is a success as well."""
        payload = payload if isinstance(payload, bytes) else payload.encode()
        packet_id = self._packet_id() if qos else b""
        properties = varint(len(properties)) + properties if self.version == 5 else b""
        self.send_packet(PUBLISH, text(topic) + packet_id + properties + payload,
                         qos << 1 | (1 if retain else 0))
        if not qos:
            return None
        body = self.expect(PUBACK)
        reason = body[2] if len(body) > 2 else 0
        return 0 if reason == 0x10 else reason

    def ping(self):
        """Comes back when the broker has dealt with all that was sent before."""
        self.send_packet(PINGREQ, b"")
        self.expect(PINGRESP)

    def receive(self, topic=None, timeout=5):
        """The next message (on that topic; others are dropped)."""
        deadline = time.monotonic() + timeout * SLOWNESS
        while True:
            while self.inbox:
                message = self.inbox.popleft()
                if topic is None or message.topic == topic:
                    return message
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"no message on {topic or 'any topic'} in {timeout} s")
            try:
                self.pump(left)
            except TimeoutError:
                pass

    def received_so_far(self):
        """All that the broker had sent before it answered a ping."""
        self.ping()
        messages = list(self.inbox)
        self.inbox.clear()
        return messages

    def wait_closed(self, timeout=5):
        """True once the broker has closed the connection; false if it has not by then."""
        deadline = time.monotonic() + timeout * SLOWNESS
        try:
            while True:
                self.pump(max(0.0, deadline - time.monotonic()))
        except Closed:
            return True
        except TimeoutError:
            return False

    def disconnect(self, reason=0):
        body = bytes([reason, 0]) if self.version == 5 and reason else b""
        self.send_packet(DISCONNECT, body)
        self.transport.close()

    def drop(self, reset=False):
        """Gone without a goodbye."""
        self.transport.close(reset)

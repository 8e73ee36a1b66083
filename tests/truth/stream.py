# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""MQTT packets to bytes and back, bare or in WebSocket frames. No I/O: the field does that."""

import base64
import os
import struct

from harness.wire import Transport, text, varint

WS_CLOSE = b"\x88\x80\0\0\0\0"


class Ended(Exception):
    """The peer has said that it will say no more."""


class Stream:
    """One direction each way of one connection."""

    def __init__(self, websocket, path="/"):
        self.websocket = websocket
        self.path = path
        self.open = not websocket  # packets may be sent
        self.raw = b""
        self.data = b""

    def greeting(self):
        """What is sent first, before any packet."""
        if not self.websocket:
            return b""
        key = base64.b64encode(os.urandom(16)).decode()
        return (f"GET {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
                "Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Version: 13\r\n\r\n").encode()

    def packet(self, kind, body=b"", flags=0):
        data = bytes([kind << 4 | flags]) + varint(len(body)) + body
        return Transport._frame(data) if self.websocket else data

    def feed(self, data):
        """The packets that are complete now, as (kind, flags, body). Raises Ended."""
        self.raw += data
        if not self.open and not self._shake_hands():
            return
        while self._take_frame() if self.websocket else self._take_all():
            yield from self._packets()

    def _shake_hands(self):
        head, end, rest = self.raw.partition(b"\r\n\r\n")
        if not end:
            return False
        if b" 101 " not in head.split(b"\r\n")[0]:
            raise Ended(head.split(b"\r\n")[0].decode("latin-1"))
        self.raw, self.open = rest, True
        return True

    def _take_all(self):
        got = bool(self.raw)
        self.data, self.raw = self.data + self.raw, b""
        return got

    def _take_frame(self):
        if len(self.raw) < 2:
            return False
        size, at = self.raw[1] & 127, 2
        if size >= 126:
            at += 2 if size == 126 else 8
            if len(self.raw) < at:
                return False
            size = int.from_bytes(self.raw[2:at], "big")
        if len(self.raw) < at + size:
            return False
        opcode, payload = self.raw[0] & 15, self.raw[at:at + size]
        self.raw = self.raw[at + size:]
        if opcode == 8:
            raise Ended("WebSocket close")
        if opcode in (0, 1, 2):
            self.data += payload
        return True

    def _packets(self):
        while len(self.data) >= 2:
            size, at = 0, 1
            while True:
                if at >= len(self.data):
                    return
                digit = self.data[at]
                size |= (digit & 127) << 7 * (at - 1)
                at += 1
                if digit < 128:
                    break
            if len(self.data) < at + size:
                return
            first, body = self.data[0], self.data[at:at + size]
            self.data = self.data[at + size:]
            yield first >> 4, first & 15, body


def connect_body(version, client_id, username, password, keepalive, will=None):
    """CONNECT with a clean start. `will`: (topic, payload, delay in seconds, which is MQTT 5's)."""
    flags, payload = 2 | 128 | 64, text(client_id)
    if will:
        topic, words, delay = will
        flags |= 4 | 1 << 3
        if version == 5:
            payload += b"\x05" + struct.pack("!BI", 0x18, delay) if delay else b"\0"
        payload += text(topic) + text(words)
    payload += text(username) + text(password)
    return (text("MQTT") + bytes([version, flags]) + struct.pack("!H", keepalive)
            + (b"\0" if version == 5 else b"") + payload)


def subscribe_body(version, number, topics, qos=1):
    return (struct.pack("!H", number) + (b"\0" if version == 5 else b"")
            + b"".join(text(topic) + bytes([qos]) for topic in topics))


def publish_body(version, number, topic, payload):
    """At QoS 1."""
    return (text(topic) + struct.pack("!H", number) + (b"\0" if version == 5 else b"") + payload)


def read_publish(version, flags, body):
    """(topic, packet number or None, retained, payload)"""
    size = int.from_bytes(body[:2], "big")
    topic, at = body[2:2 + size].decode(), 2 + size
    number = None
    if flags >> 1 & 3:
        number, at = body[at:at + 2], at + 2
    if version == 5:
        length, shift = 0, 0
        while True:
            digit = body[at]
            at += 1
            length |= (digit & 127) << shift
            shift += 7
            if digit < 128:
                break
        at += length
    return topic, number, bool(flags & 1), body[at:]

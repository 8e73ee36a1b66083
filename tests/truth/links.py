# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Network cables that can be pulled: namespaces of our own, each with a link to the broker.

A socket belongs to the namespace in which it was made, so a thread goes there for a moment, makes
one, and comes back. Needs root; where that is not to be had there are no links, and the run says
so.
"""

import ctypes
import os
import socket
import subprocess
import threading
import time

from harness.ports import free_port

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def ip(*words):
    subprocess.run(["ip", *words], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)


def _enter(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Link:
    """One namespace, reached from here under `host`."""

    def __init__(self, number):
        self.name = f"link{number}"
        # The process id keeps apart what runs on one machine at the same time.
        self.namespace = f"rollcall-{os.getpid()}-{number}"
        self.outside, self.inside = (f"rct{os.getpid() % 1000000}{side}{number}" for side in "ab")
        third = os.getpid() % 250 + 1
        self.host = f"10.213.{third}.{4 * number + 1}"
        self.peer = f"10.213.{third}.{4 * number + 2}"
        self.ports = (free_port(), free_port())
        self.up, self.up_since, self.flaps = True, 0.0, 0
        self.lock = threading.Lock()
        ip("netns", "add", self.namespace)
        try:
            self._wire()
        except BaseException:
            self.remove()
            raise

    def _wire(self):
        ip("link", "add", self.outside, "type", "veth", "peer", "name", self.inside, "netns",
           self.namespace)
        ip("addr", "add", f"{self.host}/30", "dev", self.outside)
        ip("link", "set", self.outside, "up")
        ip("-n", self.namespace, "addr", "add", f"{self.peer}/30", "dev", self.inside)
        ip("-n", self.namespace, "link", "set", self.inside, "up")
        self.there = os.open(f"/run/netns/{self.namespace}", os.O_RDONLY)
        self.here = os.open("/proc/self/ns/net", os.O_RDONLY)

    def listeners(self):
        """The broker's lines for it."""
        return [f"listener {self.ports[0]} {self.host}", f"listener {self.ports[1]} {self.host}",
                "protocol websockets", "socket_domain ipv4"]

    def socket(self):
        """A TCP socket at its far end."""
        made = []

        def make():
            _enter(self.there)
            made.append(socket.socket())
        # A thread of its own: one that could not come back must not go on here.
        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        return made[0]

    def pull(self):
        ip("-n", self.namespace, "link", "set", self.inside, "down")

    def plug(self):
        ip("-n", self.namespace, "link", "set", self.inside, "up")
        self.up_since = time.monotonic()

    def remove(self):
        for fd in (getattr(self, "there", None), getattr(self, "here", None)):
            if fd is not None:
                os.close(fd)
        subprocess.run(["ip", "netns", "del", self.namespace], check=False,
                       stderr=subprocess.DEVNULL)


def make_links(count):
    """As many links, or none where this machine does not permit it."""
    links = []
    try:
        for number in range(count):
            links.append(Link(number))
    except (OSError, subprocess.CalledProcessError):
        for link in links:
            link.remove()
        return []
    return links

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Free loopback ports that stay ours, also while the program that had one is down.

They lie below the range from which the kernel takes ports for outgoing connections, so that none
of a test's thousands of clients can sit on a broker's port when it is started again. Against
other test runs on the machine each is reserved by an abstract socket's name, which the kernel
frees when this process ends, however it ends.
"""

import atexit
import os
import random
import socket

FIRST, LAST = 15000, 32000
_reservations = []
atexit.register(lambda: [s.close() for s in _reservations])
_dice = random.Random(os.getpid() ^ int.from_bytes(os.urandom(4), "big"))


def free_port():
    for _ in range(1000):
        port = _dice.randint(FIRST, LAST)
        if _reserve(port) and _can_listen(port):
            return port
    raise RuntimeError("no free port found")


def _reserve(port):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        s.bind(f"\0rollcall-test-port-{port}")
    except OSError:
        s.close()
        return False
    _reservations.append(s)
    return True


def _can_listen(port):
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

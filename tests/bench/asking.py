# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""GET requests under load: the program that asks, and the one that answers the same thing always."""

import json
import subprocess

from harness.ports import free_port
from harness.settings import ROOT, clean_environment

PROGRAMS = ROOT / "build" / "release" / "tests" / "bench"


def ask(port, path, connections, seconds, authorization=None):
    """What tests/bench/ask.c says."""
    header = [f"Authorization: {authorization}"] if authorization else []
    done = subprocess.run([PROGRAMS / "ask", str(port), path, str(connections), str(seconds),
                           *header], stdout=subprocess.PIPE, check=True, env=clean_environment())
    return json.loads(done.stdout)


class Fixed:
    """tests/bench/fixed.c, for bodies of so many bytes."""

    def __init__(self, body_bytes):
        self.port = free_port()
        self.popen = subprocess.Popen([PROGRAMS / "fixed", str(self.port), str(body_bytes)],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                      env=clean_environment())
        assert self.popen.stdout.readline() == b"listening\n"

    def close(self):
        self.popen.stdin.close()
        self.popen.wait(10)

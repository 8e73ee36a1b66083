# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""A worker in a process of its own, so that it can be killed. Not a test.

Prints the monotonic time of its CONNACK, which all processes of a machine share; a line on its
standard input makes it connect, so that the time of starting Python is not in the figure.
"""

import json
import sys
import time

from harness.wire import Will, Wire


def main():
    port, websocket, worker_id, token = sys.argv[1:]
    print("up", flush=True)
    sys.stdin.readline()
    wire = Wire(int(port), websocket == "True", path=f"/ws/{worker_id}")
    will = Will(f"workers/{worker_id}/will", json.dumps({"reason": "killed"}))
    code = wire.connect(worker_id, worker_id, token, will=will, keepalive=20)
    print(time.monotonic(), code, flush=True)
    while True:
        wire.pump(3600)


main()

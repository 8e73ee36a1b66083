# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""How soon REST says what happened: 20 ms in the middle of fifty times, 150 ms at worst.

The worst is generous because Mosquitto 2.0.11 looks at its WebSockets every 100 ms only.
"""

import http.client
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.settings import clean_environment

pytestmark = pytest.mark.timing

ROUNDS = 50
MEDIAN_S, WORST_S = 0.020, 0.150
CLIENT = Path(__file__).with_name("client_process.py")


class Poller:
    """Asks for one worker's row as fast as answers come."""

    def __init__(self, site, worker_id):
        self.connection = http.client.HTTPConnection("127.0.0.1", site.bridge.port, timeout=10)
        self.path = f"/workers/status?id={worker_id}"
        self.headers = {"Authorization": site.rest.session.headers["Authorization"]}

    def row(self):
        self.connection.request("GET", self.path, headers=self.headers)
        return json.loads(self.connection.getresponse().read())["workers"][0]

    def until(self, connected):
        """When the first answer that says so had come, and its row."""
        end = time.monotonic() + 10
        while time.monotonic() < end:
            row = self.row()
            if row["connected"] is connected:
                return time.monotonic(), row
        raise AssertionError(f"not {connected} within 10 s")


class Killable:
    def __init__(self, site, identity, websocket):
        port = site.broker.ws_port if websocket else site.broker.mqtt_port
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", sys.executable, str(CLIENT), str(port),
             str(websocket), *identity], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env=clean_environment())
        assert self.process.stdout.readline() == "up\n"

    def connect(self):
        """Returns the time of its CONNACK, read only later so as not to disturb."""
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def connack_time(self):
        at, code = self.process.stdout.readline().split()
        assert code == "0"
        return float(at)

    def kill(self):
        at = time.monotonic()
        self.process.kill()
        return at

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def measure(site, websocket):
    seen, gone = [], []
    for _ in range(ROUNDS):
        identity = site.rest.register()
        client = Killable(site, identity, websocket)
        poller = Poller(site, identity.worker_id)
        try:
            client.connect()
            at, _ = poller.until(True)
            seen.append(max(0.0, at - client.connack_time()))
            killed = client.kill()
            at, row = poller.until(False)
            gone.append(at - killed)
            assert row["disconnect_reason"] == "connection_lost"
        finally:
            poller.connection.close()
            client.close()
    return seen, gone


def report(name, values):
    ordered = sorted(values)
    line = (f"{name}: median {statistics.median(ordered) * 1000:.1f} ms, "
            f"p90 {ordered[int(len(ordered) * .9)] * 1000:.1f} ms, "
            f"worst {ordered[-1] * 1000:.1f} ms of {len(ordered)}")
    # Past pytest's capture: figures are wanted of tests that pass, too.
    os.write(sys.__stdout__.fileno(), f"\n  {line}\n".encode())
    return line


@pytest.mark.parametrize("websocket", [True, False], ids=["ws", "tcp"])
def test_a_worker_is_seen_and_missed_within_20_ms(site, websocket):
    seen, gone = measure(site, websocket)
    lines = [report("seen", seen), report("missed", gone)]
    for line, values in zip(lines, (seen, gone)):
        assert statistics.median(values) <= MEDIAN_S, line
        assert max(values) <= WORST_S, line


def test_a_command_reaches_its_worker_within_20_ms(site, rest):
    """From the request to the worker's hands, over WebSocket."""
    worker = site.online("ws-5")
    times = []
    for n in range(ROUNDS):
        start = time.monotonic()
        rest.post(f"/workers/{worker.worker_id}/send", {"message": str(n)})
        assert worker.wire.receive().payload == str(n).encode()
        times.append(time.monotonic() - start)
    line = report("sent", times)
    assert statistics.median(times) <= MEDIAN_S, line

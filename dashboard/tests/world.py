#!/usr/bin/python3
# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""What the dashboard's tests look at: a real broker, database, bridge and real MQTT workers.

It does what it is asked by lines of JSON on its standard input, [name, argument, …], and answers
each with a line: {"ok": …} or {"error": …}. It ends with its input."""

import contextlib
import json
import math
import os
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "integration"))

# pylint: disable=wrong-import-position
from harness.database import DatabaseServer  # noqa: E402
from harness.fleet import Fleet, insert_workers, raise_open_files  # noqa: E402
from harness.identity import new_identity  # noqa: E402
from harness.bridge import ADMIN, ADMIN_PASSWORD  # noqa: E402
from harness.observer import Observer  # noqa: E402
from harness.people import PASSWORD, Person  # noqa: E402
from harness.settings import Built  # noqa: E402
from harness.site import Site  # noqa: E402
from harness.wait import wait_until  # noqa: E402

CROWD_CONNECTED = 200
CROWD_REPORTS_A_SECOND = 300


class World:
    def __init__(self, directory):
        for name in ("template", "db", "site"):
            (directory / name).mkdir()
        Built.keep(directory)
        self.server = DatabaseServer(directory / "db", DatabaseServer(directory / "template").data)
        self.server.start()
        self.site = Site(directory / "site", self.server)
        mqtt_url = f"mqtt://127.0.0.1:{self.site.broker.mqtt_port}"
        self.site.bridge.process.environment["ROLLCALL_MQTT_URL"] = mqtt_url
        self.site.bridge.restart()
        self.workers = {}
        self.crowd_ends = threading.Event()

    def where(self):
        return {"url": self.site.bridge.url, "admin": ADMIN, "password": ADMIN_PASSWORD}

    def viewer(self):
        person = Person(self.site.rest)
        person.close()
        return {"name": person.name, "password": PASSWORD}

    # ---- workers -----------------------------------------------------------------------

    def register(self, name, tags=()):
        identity = self.site.rest.register(name, tags=list(tags))
        self.workers[name] = self.site.worker(identity)
        return identity.worker_id

    def connect(self, name, reason=None):
        self.workers[name].connect(reason=reason)

    def disconnect(self, name):
        self.workers[name].disconnect()

    def vanish(self, name):
        """As if its cable had been cut: no goodbye, the socket is gone."""
        self.workers[name].wire.drop(reset=True)

    def report(self, name, values):
        self.workers[name].report(**values)

    def past(self, name):
        """What it would have reported in the last fourteen minutes."""
        now = time.time()
        reports = []
        for n in range(84):
            at = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(now - 840 + 10 * n))
            reports.append({"memory": 480 + n / 2 - 30 * (n % 17 == 0), "cpu": 30 + 20 * math.sin(n / 9),
                            "rate": 100 + n * 7 % 23, "queue_depth": n * n % 41,
                            "seq": n + 1, "at": at})
        assert self.workers[name].publish("metrics", {"reports": reports}) == 0

    def obey(self, name, status="done"):
        """Carries out the next command, and says which it was."""
        worker = self.workers[name]
        command = worker.receive("commands")
        engine = {"engine_start": "running", "engine_stop": "stopped"}.get(command["type"])
        if engine and status == "done":
            worker.say(engine)
        worker.answer(command["command_id"], "accepted")
        worker.answer(command["command_id"], status,
                      **({"error": "the door is open"} if status == "failed" else {}))
        return command["type"]

    def crowd(self, size):
        """So many workers, some of whom are connected and report all the time."""
        self.site.bridge.terminate()
        identities = [new_identity() for _ in range(size)]
        insert_workers(self.site, identities)
        self.site.bridge.start()
        wait_until(lambda: self._admitted() >= size, 30, "the broker knows them all")
        fleet = Fleet(self.site.broker, identities[:CROWD_CONNECTED], ("tcp-5",)).connect()
        threading.Thread(target=self._chatter, args=(fleet,), daemon=True).start()

    def _admitted(self):
        topics = ("rollcall/v1/heartbeat",)
        with contextlib.closing(Observer(self.site.broker, topics=topics)) as observer:
            return observer.call("getDirectory", limit=0)["count"]

    def _chatter(self, fleet):
        n = 0
        while not self.crowd_ends.wait(1 / CROWD_REPORTS_A_SECOND):
            identity = fleet.identities[n % CROWD_CONNECTED]
            body = json.dumps({"memory": 500 + n % 77, "cpu": n % 100, "rate": n % 13})
            fleet.wires[n % CROWD_CONNECTED].publish(
                f"workers/{identity.worker_id}/metrics", body, qos=0)
            n += 1

    # ---- what fails --------------------------------------------------------------------

    def bridge(self, what):
        {"kill": self.site.bridge.kill9, "start": self.site.bridge.start}[what]()

    def broker(self, what):
        {"kill": self.site.broker.kill9, "start": self.site.broker.start}[what]()

    def database(self, what):
        {"kill": self.server.kill9, "start": self.server.start}[what]()

    def close(self):
        self.crowd_ends.set()
        self.site.close()
        self.server.stop()


def serve(world):
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        try:
            answer = {"ok": getattr(world, name)(*arguments)}
        except Exception as error:  # whatever it is, the test is to see it
            answer = {"error": f"{name}: {type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


def main():
    os.environ.pop("CI", None)
    raise_open_files()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rollcall-") as path:
        world = World(Path(path))
        print(f"world: ready after {time.monotonic() - began:.1f} s", file=sys.stderr)
        try:
            serve(world)
        finally:
            world.close()


main()

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Kept commands under kill -9 of every part: none is lost, none is there twice, and no state is
reported that nobody has proven."""

import json
import random
import time

import pytest
import requests

from harness.bridge import Bridge
from harness.kills import Keeper, Persevering, dice, finish, kill_all, try_until
from harness.rest import Rest
from harness.wait import wait_until

WORKERS = 4
KILLS = 6
PATIENCE_S = 1.0  # before a result is sent again
RANK = {state: n for n, state in enumerate(("queued", "sent", "accepted", "done"))}


class Obedient(Keeper):
    """A worker that accepts and carries out what it is told, and repeats each result until it is
    acknowledged."""

    def __init__(self, site, identity, protocol, chance):
        super().__init__(site, identity, protocol)
        self.chance = chance
        self.received = {}  # command id: how often
        self.said = {}      # command id: the results that were sent at least once
        self.unacknowledged = {}  # (command id, status): when it was sent last
        self.rejected = []

    def live(self):
        self.unacknowledged = dict.fromkeys(self.unacknowledged, 0.0)
        # Some sessions are short: then what they were sent and did not accept comes again.
        until = time.monotonic() + self.chance.choice([0.1, 0.5, 1, 5])
        while self.goes_on() and time.monotonic() < until:
            self.listen()
            self.repeat()

    def hear(self, message):
        payload = json.loads(message.payload)
        if message.topic.endswith("/commands"):
            command_id = payload["command_id"]
            self.received[command_id] = self.received.get(command_id, 0) + 1
            if command_id not in self.said and self.chance.random() < 0.7:
                self.said[command_id] = ["accepted", "done"]
                for status in self.said[command_id]:
                    self.unacknowledged[command_id, status] = 0.0
        elif message.topic.endswith("/results/ack"):
            self.rejected += payload["rejected"]
            for command_id in payload["command_ids"]:
                # One acknowledgement may be for either; `done` is what has to get through.
                if self.unacknowledged.pop((command_id, "accepted"), None) is None:
                    self.unacknowledged.pop((command_id, "done"), None)

    def repeat(self):
        now = time.monotonic()
        for (command_id, status), at in list(self.unacknowledged.items()):
            if now - at > PATIENCE_S:
                self.unacknowledged[command_id, status] = now
                self.worker.publish("results", {"command_id": command_id, "status": status,
                                                "result": command_id}, qos=0)


class Master(Persevering):
    """Gives commands by one of the bridges, asks again until it is told, and looks at them."""

    def __init__(self, rests, workers, number, chance):
        super().__init__()
        self.rests, self.workers, self.number, self.chance = rests, workers, number, chance
        self.given = {}     # key: (worker id, command id)
        self.reported = {}  # command id: the furthest state that was reported

    def turn(self):
        self.give(self.chance.choice(self.workers), f"{self.number}.{len(self.given)}")
        self.look()

    def request(self, method, path, **options):
        """None: nobody answered, or had no database."""
        with self.chance.choice(self.rests).twin() as rest:
            try:
                response = rest.request(method, path, timeout=5, **options)
            except requests.RequestException:
                return None
        if response.status_code == 503:
            return None
        assert response.status_code in (200, 202), f"{response.status_code} {response.text}"
        return response.json()

    def give(self, worker, key):
        path = f"/workers/{worker.worker_id}/commands"
        body = {"type": "report", "queue": True, "idempotency_key": key, "payload": {"key": key}}
        answer = try_until(lambda: self.request("POST", path, json=body),
                           "a bridge and the database are there")
        self.given[key] = worker.worker_id, answer["command_id"]
        self.note(answer)

    def look(self):
        worker_id, command_id = self.chance.choice(list(self.given.values()))
        command = self.request("GET", f"/workers/{worker_id}/commands/{command_id}")
        if command:
            self.note(command)

    def note(self, command):
        command_id, state = command["command_id"], command["state"]
        before = self.reported.get(command_id, "queued")
        assert RANK[state] >= RANK[before], f"{command_id} was {before} and is {state}"
        self.reported[command_id] = state


@pytest.mark.timing
def test_no_kept_command_is_lost_and_no_state_unproven(new_site, new_database_server,
                                                       new_directory, capsys):
    chance = dice("commands", capsys)
    site = new_site(new_database_server())
    bridges = [site.bridge, Bridge(new_directory("second"), site.broker, site.database,
                                   "bridge-2").start()]
    rests = [site.rest, Rest(bridges[1].url).login()]
    workers = [Obedient(site, site.rest.register(), chance.choice(["ws-5", "tcp-5", "ws-3.1.1"]),
                        random.Random(chance.random())) for _ in range(WORKERS)]
    for worker in workers:
        for rest in rests:
            wait_until(lambda r=rest, w=worker: r.get("/workers", id=w.worker_id))
        worker.start()
    masters = [Master(rests, workers, n, random.Random(chance.random())) for n in range(2)]
    for master in masters:
        master.start()
    parts = [*bridges, site.server, site.broker] * 2
    chance.shuffle(parts)
    kill_all(parts[:KILLS], chance, 0.8, 0.5)
    finish(masters)
    for bridge in bridges:
        bridge.wait_ready()
    check(site, workers, masters)
    rests[1].session.close()
    bridges[1].terminate()


def check(site, workers, masters):
    given = {key: value for master in masters for key, value in master.given.items()}

    def open_ones():
        return site.database.value("SELECT COUNT(*) FROM commands WHERE state <> 'done'")
    # A worker that did not take a command takes it in one of its next sessions.
    wait_until(lambda: open_ones() == 0, 90, "everything is done")
    finish(workers, 30)
    for worker in workers:
        assert worker.rejected == []
    rows = {row["idempotency_key"]: row for row in site.database.query(
        "SELECT c.*, (SELECT COUNT(*) FROM token_log l WHERE l.event = 'command_done' AND"
        " JSON_VALUE(l.detail, '$.command_id') = c.id) AS told FROM commands c")}
    assert set(rows) == set(given)
    said = {command_id for worker in workers for command_id in worker.said}
    for key, (worker_id, command_id) in given.items():
        row = rows[key]
        assert (row["id"], row["worker_id"]) == (command_id, worker_id)
        assert command_id in said, "nobody has carried it out"
        assert json.loads(row["result"]) == command_id
        assert row["told"] == 1
        assert row["kept_for"] is None
        assert row["accepted_at"] or row["done_at"]
    for master in masters:
        for command_id, state in master.reported.items():
            assert state in ("queued", "sent") or command_id in said

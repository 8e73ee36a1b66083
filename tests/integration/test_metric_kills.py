# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Acknowledged means stored, exactly once, whatever is killed at whatever moment."""

import datetime
import json
import time

import pytest

from harness.kills import Keeper, dice, finish, kill_all

WORKERS = 6
KILLS = 9
TOGETHER = 20     # new reports in one message
UNANSWERED = 400  # at most, of one worker
PATIENCE_S = 1.5  # before a report is sent again


class Persistent(Keeper):
    """A worker that reports and repeats until all it has reported is acknowledged and it was
    asked to stop."""

    def __init__(self, site, identity, protocol):
        super().__init__(site, identity, protocol)
        self.reported = {}      # seq: at
        self.acknowledged = set()
        self.rejected = []
        self.unnumbered = 0     # reports without a number, each with a memory of its own
        self.sent = {}          # seq: when, of those that are not acknowledged

    def goes_on(self):
        return super().goes_on() or self.sent

    def live(self):
        self.sent = dict.fromkeys(self.sent, 0.0)
        while self.goes_on():
            if not self.stopping.is_set() and len(self.sent) < UNANSWERED:
                self.report()
            self.repeat()
            self.listen()

    def publish(self, reports):
        if reports:
            self.worker.publish("metrics", {"reports": reports}, qos=0)

    def report(self):
        moment = datetime.datetime.now(datetime.timezone.utc).isoformat()
        first = len(self.reported) + 1
        self.unnumbered += 1
        reports = [{"memory": -self.unnumbered, "at": moment}]
        for seq in range(first, first + TOGETHER):
            self.reported[seq] = moment
            self.sent[seq] = time.monotonic()
            reports.append(self.numbered(seq))
        self.publish(reports)

    def numbered(self, seq):
        return {"seq": seq, "at": self.reported[seq], "memory": seq}

    def repeat(self):
        now = time.monotonic()
        late = [seq for seq, at in self.sent.items() if now - at > PATIENCE_S][:100]
        for seq in late:
            self.sent[seq] = now
        self.publish([self.numbered(seq) for seq in late])

    def hear(self, message):
        if message.topic.endswith("/metrics/ack"):
            ack = json.loads(message.payload)
            self.acknowledged.update(ack["seqs"])
            self.rejected += ack["rejected"]
            for seq in ack["seqs"]:
                self.sent.pop(seq, None)


@pytest.fixture
def site(new_site, new_database_server):
    return new_site(new_database_server())


@pytest.mark.timing
def test_what_was_acknowledged_is_there_exactly_once(site, capsys):
    chance = dice("metrics", capsys)
    workers = [Persistent(site, site.rest.register(), chance.choice(["ws-5", "tcp-5", "ws-3.1.1"]))
               for _ in range(WORKERS)]
    for worker in workers:
        worker.start()
    parts = [site.bridge, site.server, site.broker] * (KILLS // 3)
    chance.shuffle(parts)
    kill_all(parts, chance, 1.0, 0.6)
    site.bridge.wait_ready()
    finish(workers)
    for worker in workers:
        check(site, worker)


def check(site, worker):
    rows = site.database.query("SELECT seq, memory FROM metrics WHERE worker_id = %s",
                               worker.worker_id)
    stored = [row["seq"] for row in rows if row["seq"] is not None]
    assert worker.rejected == []
    assert worker.acknowledged == set(worker.reported)
    assert len(stored) == len(set(stored))
    assert set(stored) == worker.acknowledged
    assert all(row["memory"] == row["seq"] for row in rows if row["seq"] is not None)
    # Of those without a number some may be lost, but none is there twice.
    unnumbered = [row["memory"] for row in rows if row["seq"] is None]
    assert len(unnumbered) == len(set(unnumbered))
    assert unnumbered

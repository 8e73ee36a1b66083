# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Ten thousand connected workers: reading all of them costs no query and no message per worker."""

import contextlib
import os
import sys
import time

import pytest

from harness.fleet import Fleet, insert_workers, raise_open_files
from harness.identity import new_identity
from harness.observer import Observer
from harness.settings import VALGRIND
from harness.site import Site
from harness.wait import wait_until

WORKERS = 10_000
READS = 20

pytestmark = pytest.mark.skipif(VALGRIND, reason="a fleet is too much for valgrind")


class MessageCount:
    """The broker's own count of MQTT packets, which it publishes once a second."""

    TOPICS = ("$SYS/broker/messages/received", "$SYS/broker/messages/sent")

    def __init__(self, site):
        self.wire = site.wire(site.broker.ordinary_wire("counter"))
        self.wire.subscribe("$SYS/broker/messages/#", 0)
        self.seen = {}

    def total(self):
        """Of a moment after this call."""
        fresh = dict.fromkeys(self.TOPICS)
        while None in fresh.values():
            message = self.wire.receive(timeout=10)
            if message.topic in fresh and not message.retain:
                fresh[message.topic] = int(message.payload)
        return sum(fresh.values())


@pytest.fixture(scope="module")
def crowd(new_directory, new_database_server):
    most = raise_open_files()
    site = Site(new_directory("crowd"), new_database_server(), broker_lines=["sys_interval 1"])
    identities = [new_identity() for _ in range(WORKERS)]
    site.bridge.terminate()
    insert_workers(site, identities)
    start = time.monotonic()
    site.bridge.start()
    wait_until(lambda: in_directory(site) == WORKERS, 30)
    say(f"{WORKERS} records loaded and in the plugin's directory after "
        f"{time.monotonic() - start:.1f} s")
    connected = min(WORKERS, most - 500)
    start = time.monotonic()
    fleet = Fleet(site.broker, identities[:connected], ("tcp-5", "tcp-3.1.1")).connect()
    site.connected = connected
    wait_until(lambda: count(site, connected="true") == connected, 30)
    say(f"{connected} workers connected and seen after {time.monotonic() - start:.1f} s")
    yield site
    fleet.drop()
    site.close()


def in_directory(site):
    with contextlib.closing(Observer(site.broker, topics=("rollcall/v1/heartbeat",))) as observer:
        return observer.call("getDirectory", limit=0)["count"]


def say(line):
    os.write(sys.__stdout__.fileno(), f"\n  {line}\n".encode())


def count(site, **query):
    return len(site.rest.get("/workers/status", **query)["workers"])


@pytest.mark.timeout(240)
def test_everyone_is_seen(crowd):
    rows = crowd.rest.get("/workers/status")["workers"]
    assert len(rows) == WORKERS
    assert sum(row["connected"] for row in rows) == crowd.connected
    assert sum(row["is_connected"] for row in crowd.rest.get("/workers")) == crowd.connected


def test_a_read_of_everyone_makes_no_query_and_no_message_per_worker(crowd):
    counter = MessageCount(crowd)
    counter.total()
    messages, statements = counter.total(), crowd.server.statements()
    start = time.monotonic()
    for _ in range(READS):
        assert count(crowd) == WORKERS
    elapsed = time.monotonic() - start
    after = crowd.server.statements()
    sent = counter.total() - messages
    asked = after["Questions"] - statements["Questions"]
    executed = after["Com_stmt_execute"] - statements["Com_stmt_execute"]
    say(f"{READS} reads of {WORKERS} workers: {elapsed / READS * 1000:.0f} ms each with parsing, "
        f"{asked} SQL statements ({executed} prepared), {sent} MQTT packets in all")
    # What there is anyway: the health check, the watch for other bridges' changes, heartbeats.
    quiet = 20 * (elapsed + 3)
    assert asked < quiet and executed < quiet
    assert sent < quiet + 10 * (elapsed + 3)


def test_pages_of_everyone_add_up(crowd):
    seen, url = set(), "/workers/status?limit=1000&connected=true"
    while url:
        response = crowd.rest.request("GET", url)
        seen |= {row["worker_id"] for row in response.json()["workers"]}
        url = response.links.get("next", {}).get("url")
        url = url and url.replace(crowd.rest.url, "")
    assert len(seen) == crowd.connected


def test_a_bridge_that_starts_under_a_crowd_sees_it_whole(crowd):
    """The latest report of everybody included."""
    crowd.bridge.kill9()
    crowd.database.query("INSERT INTO metrics_latest (worker_id, at, received_at, memory) "
                         "SELECT id, UTC_TIMESTAMP(3), UTC_TIMESTAMP(3), 512 FROM workers")
    before = crowd.server.statements()["Com_stmt_execute"]
    start = time.monotonic()
    crowd.bridge.start()
    took = time.monotonic() - start
    executed = crowd.server.statements()["Com_stmt_execute"] - before
    say(f"a new bridge was ready after {took:.2f} s and {executed} prepared statements")
    assert executed < 200 + 20 * took
    assert count(crowd, connected="true") == crowd.connected
    rows = crowd.rest.get("/workers/status")["workers"]
    assert (len(rows), {row["memory"] for row in rows}) == (WORKERS, {512})

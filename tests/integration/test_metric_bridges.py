# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Two bridges share the reports of one broker; each of them shows the latest of all."""

import datetime

import pytest

from harness.bridge import Bridge
from harness.rest import Rest
from harness.wait import wait_until


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat()


@pytest.fixture
def both(new_site, new_directory):
    """A site, and REST of both of its bridges."""
    site = new_site()
    second = Bridge(new_directory("second"), site.broker, site.database, "bridge-2").start()
    rest = Rest(second.url).login()
    yield site, second, [site.rest, rest]
    rest.session.close()
    second.terminate()


def wait_shown(rests, worker, **values):
    for rest in rests:
        wait_until(lambda r=rest: values.items() <= r.status_of(worker.worker_id).items(), 3,
                   f"{values} is shown")


def writers(site):
    return site.database.value("SELECT COUNT(*) FROM metric_writers")


def test_each_shows_what_the_other_stored(both):
    site, _, rests = both
    worker = site.online("tcp-5")
    for n in range(1, 9):
        worker.report(memory=n, seq=n, at=now(), engine_status=f"s{n}", queue=n)
        assert worker.receive("metrics/ack")["seqs"] == [n]
        if n == 4:
            wait_shown(rests, worker, memory=4, engine_status="s4", metrics={"queue": 4})
    wait_shown(rests, worker, memory=8, engine_status="s8", metrics={"queue": 8})
    assert writers(site) == 2


def test_a_worker_of_the_other_bridge_is_shown_with_its_report(both):
    site, _, rests = both
    identity = rests[1].register("of the second")
    worker = site.worker(identity).connect()
    worker.report(memory=5, seq=1, at=now())
    assert worker.receive("metrics/ack")["seqs"] == [1]
    wait_until(lambda: all(r.get("/workers/status", id=identity.worker_id)["workers"]
                           for r in rests))
    wait_shown(rests, worker, memory=5)


def test_one_goes_and_comes_and_nothing_is_lost(both):
    site, second, rests = both
    worker = site.online("tcp-5")
    wanted, acknowledged = set(range(1, 201)), set()
    moment = now()
    for n in sorted(wanted):
        worker.report(memory=n, seq=n, at=moment)
        if n == 70:
            second.kill9()
        if n == 140:
            second.start()

    def all_acknowledged():
        acknowledged.update(*(ack["seqs"] for ack in acks(worker)))
        for n in sorted(wanted - acknowledged):
            worker.report(memory=n, seq=n, at=moment)
        return acknowledged == wanted
    wait_until(all_acknowledged, 15)
    assert site.database.value("SELECT COUNT(*) FROM metrics WHERE worker_id = %s",
                               worker.worker_id) == 200


def acks(worker):
    """Those that come within a moment."""
    found = []
    try:
        while True:
            found.append(worker.receive("metrics/ack", 0.5))
    except AssertionError:
        return found

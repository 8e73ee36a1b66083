# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""List and watch: pages that follow each other, and the proof that a copy of all objects is right.

What makes a mirror wrong here is a second control user, who may write to the topics that bridges
listen to: to the bridge its events look like the plugin's own.
"""

import json

import pytest

from harness.observer import Observer
from harness.site import Site
from harness.wait import wait_until

MASK = (1 << 64) - 1


def number_of(entry):
    """As docs/reference/control.md has it."""
    text = f"{entry['worker_id']} {entry['state']} {entry['generation']} {entry['sessions']}"
    h = 0xcbf29ce484222325
    for byte in text.encode():
        h = (h ^ byte) * 0x100000001b3 & MASK
    for factor in (0xff51afd7ed558ccd, 0xc4ceb9fe1a85ec53):
        h = (h ^ h >> 33) * factor & MASK
    return h ^ h >> 33


def digest(entries):
    present = [e for e in entries if e["state"] != "offline"]
    return (sum(e["state"] == "online" for e in present),
            f"{sum(number_of(e) for e in present) & MASK:016x}")


def next_heartbeat(observer):
    with observer.lock:
        heard = len(observer.heartbeats)
    return wait_until(lambda: observer.heartbeats[heard:], 5, "a heartbeat")[0]


# ---- pages -----------------------------------------------------------------------------------

def test_pages_follow_each_other_unasked(hall):
    workers = sorted(i.worker_id for i in hall.directory.enroll_many(25))
    for worker_id in workers[:3]:
        hall.directory.delete(worker_id)
    online = [hall.online("tcp-5") for _ in range(12)]
    answers = hall.observer.call_pages("listConnections", limit=5, pages=1000)
    listed = [e["worker_id"] for a in answers for e in a["data"]["connections"]]
    assert listed == sorted(listed)
    assert {w.worker_id for w in online} <= set(listed)
    assert [a.get("more") for a in answers] == [True] * (len(answers) - 1) + [None]
    assert len(answers) > 5
    assert answers[-1]["data"]["next"] is None


def test_pages_end_after_as_many_as_were_asked_for(hall):
    hall.directory.enroll_many(12)
    answers = hall.observer.call_pages("listConnections", limit=3, pages=3)
    assert len(answers) == 3
    rest = hall.observer.call_pages("listConnections", limit=1000, pages=5, after=answers[-1]["data"]["next"])
    assert len(rest) == 1 and rest[0]["data"]["next"] is None


# ---- proof -----------------------------------------------------------------------------------

def test_heartbeats_prove_what_is_listed(hall):
    twice = hall.enroll()
    hall.online("tcp-5", identity=twice)
    hall.online("tcp-5", identity=twice, session="b")
    gone = hall.online("tcp-5")
    gone.drop()
    hall.observer.wait_event(gone.worker_id, connected=False)

    def both():
        before = next_heartbeat(hall.observer)
        entries = [e for a in hall.observer.call_pages("listConnections", limit=1000, pages=100)
                   for e in a["data"]["connections"]]
        after = next_heartbeat(hall.observer)
        return (entries, after) if before["seq"] == after["seq"] else None
    entries, beat = wait_until(both, 20, "a moment without events")
    assert (beat["count"], beat["hash"]) == digest(entries)
    assert beat["count"] >= 1


def forge(site, ahead, worker_id):
    """Tells whoever listens that the worker is online, which the plugin never said."""
    liar = Observer(site.broker, topics=("rollcall/v1/heartbeat",))
    beat = next_heartbeat(liar)
    event = {"worker_id": worker_id, "state": "online", "connected": True, "sessions": 1,
             "node": beat["node"], "boot": beat["boot"], "seq": beat["seq"] + ahead,
             "generation": 1, "at": beat["at"], "reason": None, "detail": None}
    liar.client.publish("rollcall/v1/presence", json.dumps(
        {"node": beat["node"], "boot": beat["boot"], "events": [event]}), qos=1)
    wait_until(lambda: not liar.client.want_write(), 5, "it has left")
    next_heartbeat(liar)
    liar.close()


@pytest.fixture(scope="module")
def own_site(new_directory, database_server):
    site = Site(new_directory("site"), database_server)
    yield site
    site.close()


@pytest.mark.parametrize("ahead, complaint", [
    (0, "unknown until it is proven again"), (1, "does not fit the events heard")],
    ids=["as-of-now", "as-if-it-were-the-next"])
def test_a_mirror_that_was_made_wrong_notices_and_recovers(own_site, ahead, complaint):
    site = own_site
    witness = site.online("tcp-5")
    victim = site.rest.register()
    forge(site, ahead, victim.worker_id)
    # The lie holds until the next heartbeat at the longest; then the bridge lists anew.
    wait_until(lambda: complaint in site.bridge.process.log_text(), 5, f"{complaint!r} is logged")
    wait_until(lambda: site.rest.status_of(victim.worker_id)["connected"] is False, 5,
               "the truth is back")
    assert site.rest.status_of(witness.worker_id)["connected"] is True
    since = site.bridge.process.log_size()
    witness.drop()
    wait_until(lambda: site.rest.status_of(witness.worker_id)["connected"] is False)
    assert complaint not in site.bridge.process.log_text(since)

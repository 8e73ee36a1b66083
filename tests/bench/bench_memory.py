# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Resident memory of the broker for each idle WebSocket connection.

Every count has a broker of its own, which knows all the workers and has had a few connected before
the first is counted. Two figures a subject: all that is resident, and without what files back (the
storage's mapped pages, which the kernel may take back any time). With `retain_presence` on a
retained message is counted for each worker; what the broker takes for one, whoever publishes it,
is shown by bare Mosquitto with the same retained messages."""

import json

import subjects
from figures import figure
from harness.fleet import raise_open_files
from harness.wait import wait_until
from load import Load
from proc import memory

COUNTS = (1000, 5000, 19000)
SPARE_DESCRIPTORS = 200
WARMING = 20  # connections
# Without a change: a second and a half, in which the storage lets go of what it has read.
STEADY_READS = 300


def settled(pid):
    """Resident memory once it has stopped to move."""
    last, same = None, 0

    def steady():
        nonlocal last, same
        now = memory(pid)
        same = same + 1 if now == last else 0
        last = now
        return same >= STEADY_READS
    wait_until(steady, 60, "the broker's memory is steady")
    return last


def nothing(_subject, _crowd):
    pass


def publish_retained(subject, crowd):
    """One client publishes for all of them what the plugin would."""
    wire = subject.broker.wire()
    assert wire.connect("publisher", keepalive=120) == 0
    for identity in crowd.identities:
        event = {"worker_id": identity.worker_id, "state": "online", "connected": True,
                 "sessions": 1, "node": "test-node", "boot": 1795450000, "seq": 12345,
                 "generation": 1, "at": "2026-11-23T14:05:08.542Z", "reason": None,
                 "detail": None, "connected_since": "2026-11-23T14:05:08.542Z",
                 "disconnected_since": None}
        wire.publish(f"workers/{identity.worker_id}/presence",
                     json.dumps(event, separators=(",", ":")), retain=True)
    wire.disconnect()


def measure(make, scratch, crowd, count, then):
    subject = make(scratch, crowd)
    load = Load(subject.port("ws"), count=count, hold=120, **subject.login)
    try:
        Load(subject.port("ws"), count=WARMING, **subject.login).run()
        before = settled(subject.pid)
        load.start().wait("hold", 120)
        then(subject, crowd)
        after = settled(subject.pid)
        report = load.finish(stop=True)
        assert report["connected"] == count, report["first_fault"]
    finally:
        load.close()
        subject.close()
    return tuple((a - b) / count for a, b in zip(after, before))


def kinds():
    """Subject, how it is made, what is done to it, and its target."""
    yield "bare", subjects.bare, nothing, {}
    yield "bare, with such retained messages", subjects.bare, publish_retained, {}
    for state, after_s in (("hibernated", 1), ("awake", 3600)):
        for retain in (False, True):
            def make(scratch, crowd, after_s=after_s, retain=str(retain).lower()):
                return subjects.plugin(scratch, crowd, retain_presence=retain,
                                       hibernate_after=after_s)
            target = {"at_most": 1024, "of": "difference"} if retain else {"at_most": 1.05}
            yield f"rollcall, {state}, retain_presence {str(retain).lower()}", make, nothing, target


def run(scratch):
    most = raise_open_files() - SPARE_DESCRIPTORS
    for count in sorted({min(count, most) for count in COUNTS}):
        crowd = subjects.Crowd(scratch, count)
        base = None
        for name, make, then, target in kinds():
            resident, anonymous = measure(make, scratch, crowd, count, then)
            base = base or (resident, anonymous)
            if name != "bare":
                figure("memory", name, resident, "B/connection", transport="ws", count=count,
                       baseline="bare", baseline_value=base[0], **target,
                       anonymous=anonymous, baseline_anonymous=base[1],
                       above_baseline=resident - base[0])

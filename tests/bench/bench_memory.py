# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Resident memory of the broker for each idle WebSocket connection.

Every count has a broker of its own, which knows all the workers before the first connects. Two
figures a subject: all that is resident, and without what files back (the storage's mapped pages,
which the kernel may take back any time)."""

import subjects
from figures import figure
from harness.fleet import raise_open_files
from harness.settings import Built
from harness.wait import wait_until
from load import Load
from proc import memory

COUNTS = (1000, 5000, 19000)
SPARE_DESCRIPTORS = 200
STEADY_READS = 200  # without a change: one second


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


def measure(make, scratch, crowd, count):
    subject = make(scratch, crowd)
    load = Load(subject.port("ws"), count=count, hold=120, **subject.login)
    try:
        before = settled(subject.pid)
        load.start().wait("hold", 120)
        after = settled(subject.pid)
        report = load.finish(stop=True)
        assert report["connected"] == count, report["first_fault"]
    finally:
        load.close()
        subject.close()
    return tuple((a - b) / count for a, b in zip(after, before))


def kinds():
    """Subject, how it is made, and its target."""
    yield "bare", subjects.bare, {}
    hibernates = b"hibernate_after" in Built.plugin.read_bytes()
    states = {"hibernated": {"hibernate_after": 1}, "awake": {"hibernate_after": 3600}}
    for state, options in states.items() if hibernates else {"awake": {}}.items():
        for retain in (False, True):
            def make(scratch, crowd, options=options, retain=str(retain).lower()):
                return subjects.plugin(scratch, crowd, retain_presence=retain, **options)
            target = {"at_most": 1024, "of": "difference"} if retain else {"at_most": 1.05}
            yield f"rollcall, {state}, retain_presence {str(retain).lower()}", make, target


def run(scratch):
    most = raise_open_files() - SPARE_DESCRIPTORS
    for count in sorted({min(count, most) for count in COUNTS}):
        crowd = subjects.Crowd(scratch, count)
        base = None
        for name, make, target in kinds():
            resident, anonymous = measure(make, scratch, crowd, count)
            base = base or (resident, anonymous)
            if target:
                figure("memory", name, resident, "B/connection", transport="ws", count=count,
                       baseline="bare", baseline_value=base[0], **target,
                       anonymous=anonymous, baseline_anonymous=base[1],
                       above_baseline=resident - base[0])

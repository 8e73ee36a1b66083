# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The broker is killed and started again at once: how long until 5,000 workers are back (bare),
and until REST shows every one of them online (Rollcall). Both counted from the kill."""

import contextlib
import time

import subjects
from figures import figure, in_turn, rounds
from harness.wait import wait_until
from load import Load

WORKERS = 5000
ASK_EVERY_S = 0.005


def wait_shown(subject, timeout_s=60):
    """When REST first showed all of them online."""
    wait_until(subject.everyone_is_shown_online, timeout_s, "all are shown online", ASK_EVERY_S)
    return time.time()


def measure(subject, transport):
    load = Load(subject.port(transport), tcp=transport == "tcp", count=WORKERS, hold=120,
                reconnect=True, **subject.login)
    try:
        load.start().wait("hold", 120)
        if isinstance(subject, subjects.Installation):
            wait_shown(subject)
        killed = time.time()
        subject.broker.kill9()
        subject.broker.process.start()
        back = load.wait("all_back", 60)
        # Before, they cannot be shown, and asking would take processors from their coming back.
        shown = wait_shown(subject) if isinstance(subject, subjects.Installation) else None
        first = load.wait("first_return", 60)
        load.finish(stop=True)
    finally:
        load.close()
    return {"s": (shown or back) - killed, "back_s": back - killed, "first_s": first - killed}


def run(scratch):
    crowd = subjects.Crowd(scratch, WORKERS)
    with contextlib.ExitStack() as stack:
        tested = []
        for make in (subjects.bare, subjects.Installation):
            tested.append(make(scratch, crowd))
            stack.callback(tested[-1].close)
        for transport in ("ws", "tcp"):
            seen = in_turn(tested, lambda s, t=transport: measure(s, t), rounds(3))
            base, row = seen["bare"], seen["rollcall+bridge"]
            figure("reconnect", "rollcall+bridge", row["s"], "s", transport=transport,
                   count=WORKERS, baseline="bare", baseline_value=base["s"], at_most=1.5,
                   sessions_back_s=row["back_s"], first_back_s=row["first_s"],
                   baseline_first_back_s=base["first_s"])

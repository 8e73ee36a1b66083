# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""QoS 1 publishes acknowledged a second: bare Mosquitto without any access control, and the
plugin, which checks every one."""

import contextlib

import subjects
from figures import figure, in_turn, rounds
from load import Load
from proc import CpuSpan

WORKERS = 200
SECONDS = 1
INFLIGHT = 5


def measure(subject, transport):
    span = CpuSpan(subject.pid)
    load = Load(subject.port(transport), tcp=transport == "tcp", count=WORKERS,
                publish_time=SECONDS, inflight=INFLIGHT, **subject.login)
    report = load.on("publish", span.begin).on("published", span.end).run()
    assert report["connected"] == WORKERS, report["first_fault"]
    per_s = report["acknowledged_per_s"]
    return {"per_s": per_s, "cpu_us": span.us / (per_s * SECONDS),
            "own_cpu": report["publish_own_cpu_pct"], "p99_ms": report["publish"]["p99_ms"]}


def run(scratch):
    crowd = subjects.Crowd(scratch, WORKERS)
    with contextlib.ExitStack() as stack:
        tested = []
        for make in (subjects.bare, subjects.plugin):
            tested.append(make(scratch, crowd))
            stack.callback(tested[-1].close)
        for transport in ("ws", "tcp"):
            seen = in_turn(tested, lambda s, t=transport: measure(s, t), rounds(15),
                           "per_s")
            base, row = seen["bare"], seen["rollcall"]
            figure("publish", "rollcall", row["per_s"], "1/s", transport=transport,
                   baseline="bare", baseline_value=base["per_s"], ratio=row["ratio"], at_least=0.9,
                   broker_cpu_us=row["cpu_us"], baseline_cpu_us=base["cpu_us"],
                   ack_p99_ms=row["p99_ms"], fleet_cpu_pct=row["own_cpu"])

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Logins a second: bare Mosquitto without any authentication, its own password file, the plugin
with nobody listening to presence, and the plugin with the bridge following."""

import contextlib

import subjects
from figures import figure, in_turn, rounds
from load import Load
from proc import CpuSpan

WORKERS = 4000
CONCURRENCY = 64
TARGETS = {"rollcall": 0.85, "rollcall+bridge": 0.7}


def measure(subject, transport):
    span = CpuSpan(subject.pid)
    load = Load(subject.port(transport), tcp=transport == "tcp", count=WORKERS,
                concurrency=CONCURRENCY, **subject.login)
    report = load.on("connect", span.begin).on("connected", span.end).run()
    assert report["connected"] == WORKERS, report["first_fault"]
    return {"per_s": report["connects_per_s"], "cpu_us": span.us / WORKERS,
            "other_us": span.others_us / WORKERS, "own_cpu": report["connect_own_cpu_pct"],
            "p99_ms": report["login"]["p99_ms"]}


def run(scratch):
    crowd = subjects.Crowd(scratch, WORKERS)
    with contextlib.ExitStack() as stack:
        tested = []
        for make in (subjects.bare, subjects.password_file, subjects.plugin,
                     subjects.Installation):
            tested.append(make(scratch, crowd))
            stack.callback(tested[-1].close)
        for transport in ("ws", "tcp"):
            seen = in_turn(tested, lambda s, t=transport: measure(s, t), rounds(9), "per_s")
            report(transport, seen)


def report(transport, seen):
    base = seen["bare"]
    for name, row in seen.items():
        if name != "bare":
            figure("connect", name, row["per_s"], "1/s", transport=transport, baseline="bare",
                   baseline_value=base["per_s"], ratio=row["ratio"], at_least=TARGETS.get(name),
                   broker_cpu_us=row["cpu_us"], baseline_cpu_us=base["cpu_us"],
                   other_threads_us=row["other_us"], login_p99_ms=row["p99_ms"],
                   fleet_cpu_pct=row["own_cpu"])

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""GET /workers/status of whole fleets while they report, one client, without compression or 304;
beside a program that does nothing but answer a body of that size."""

import contextlib

import subjects
from asking import Fixed, ask
from figures import figure, in_turn, rounds
from load import Load
from proc import CpuSpan

FLEETS = (100, 1000, 5000, 10_000)
REPORTS_PER_S = 1000
SECONDS = 3
TARGET_MS = 3  # for the largest fleet


class Status:
    name = "rollcall"

    def __init__(self, installation):
        self.site = installation.site

    def measure(self):
        span = CpuSpan(self.site.bridge.process.pid)
        span.begin()
        seen = ask(self.site.bridge.port, "/workers/status", 1, SECONDS,
                   self.site.rest.session.headers["Authorization"])
        span.end()
        return seen | {"bridge_cpu_ms": span.us / 1000 / (seen["per_s"] * SECONDS)}


class Plain:
    name = "fixed"

    def __init__(self, fixed):
        self.fixed = fixed

    def measure(self):
        return ask(self.fixed.port, "/", 1, SECONDS)


def everyone_has_reported(site):
    rows = site.rest.get("/workers/status")["workers"]
    return all(row["last_report"] for row in rows)


def measure_fleet(scratch, count):
    with contextlib.ExitStack() as stack:
        installation = subjects.Installation(scratch, subjects.Crowd(scratch, count))
        stack.callback(installation.close)
        load = Load(installation.port("ws"), count=count, version=5, reports=True,
                    publish_time=600, publish_rate=REPORTS_PER_S, inflight=1000,
                    **installation.login)
        stack.callback(load.close)
        load.start().wait("publish", 120)
        subjects.wait_until(lambda: everyone_has_reported(installation.site), 120)
        size = ask(installation.site.bridge.port, "/workers/status", 1, 0.1,
                   installation.site.rest.session.headers["Authorization"])["bytes"]
        fixed = Fixed(size)
        stack.callback(fixed.close)
        seen = in_turn([Status(installation), Plain(fixed)], lambda s: s.measure(), rounds(3))
    target = {"at_most": TARGET_MS, "of": "value"} if count == FLEETS[-1] else {}
    row, plain = seen["rollcall"], seen["fixed"]
    figure("status", "rollcall+bridge", row.pop("p50_ms"), "ms", count=count,
           reports_per_s=REPORTS_PER_S, baseline="libmicrohttpd, the same size",
           baseline_value=plain["p50_ms"], bytes_per_worker=row.pop("bytes") / count,
           baseline_p99_ms=plain["p99_ms"], **target, **row)


def run(scratch):
    for count in FLEETS:
        measure_fleet(scratch, count)

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""A bridge is killed and started again beside 10,000 connected workers: how long its mirror takes
to list them all, from asking to the last page, and how long lists hold the broker's loop at
once. Both as the bridge and the plugin measure it themselves (GET /metrics)."""

import contextlib
import statistics

import requests
import subjects
from figures import figure, rounds
from harness import prometheus
from harness.wait import wait_until
from load import Load

WORKERS = 10_000
HOLD_S = 0.0021  # the bucket that 2 ms fall into ends at 2.097 ms


def metrics(installation):
    return prometheus.parse(requests.get(installation.site.bridge.url + "/metrics",
                                         timeout=10).text)


def held_longer(family):
    """The share of turns in which lists held the loop for more than 2 ms."""
    buckets = [(float(labels["le"]), n) for suffix, labels, n in family.samples
               if suffix == "_bucket"]
    within = max(n for bound, n in buckets if bound <= HOLD_S)
    return 1 - within / max(1, buckets[-1][1])


def run(scratch):
    crowd = subjects.Crowd(scratch, WORKERS)
    with contextlib.ExitStack() as stack:
        installation = subjects.Installation(scratch, crowd)
        stack.callback(installation.close)
        load = Load(installation.port("tcp"), tcp=True, count=WORKERS, hold=600,
                    **installation.login)
        stack.callback(load.close)
        load.start().wait("hold", 120)
        wait_until(installation.everyone_is_shown_online, 120)
        took = []
        for _ in range(rounds(5)):
            installation.site.bridge.kill9()
            installation.site.bridge.start()
            took.append(metrics(installation)["rollcall_mirror_list_duration_seconds"].sum("_sum"))
        held = metrics(installation)["rollcall_plugin_list_hold_seconds"]
        figure("list", "rollcall+bridge", statistics.median(took), "s", count=WORKERS,
               at_most=0.5, of="value", slowest_s=max(took), turns=held.sum("_count"),
               hold_mean_s=held.sum("_sum") / held.sum("_count"),
               hold_over_2ms_share=held_longer(held))

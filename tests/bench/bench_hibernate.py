# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""What the plugin adds to the broker's resident memory for each idle WebSocket worker, awake and
hibernated, and how long it takes to wake one.

The baseline is bare Mosquitto that is sent the same user names and passwords, for it keeps both:
only what the plugin keeps is counted. The time to wake is the plugin's own measurement, of all
that a publish woke; the quantiles lie between the bounds of its histogram's buckets."""

import contextlib

import subjects
from bench_memory import SPARE_DESCRIPTORS, settled
from figures import figure
from harness.fleet import raise_open_files
from harness.observer import Observer
from harness.wait import wait_until
from load import Load

MOST = 19000
REST_S = 20  # in which all hibernate, and memory is read
WAKE_S, WAKES_PER_S = 5, 2000
STATES = {"awake": {"hibernate_after": 3600}, "hibernated": {"hibernate_after": 1}}
BYTES_AT_MOST, MEDIAN_US_AT_MOST, P99_US_AT_MOST = 128, 5, 50


def stats(subject):
    with contextlib.closing(Observer(subject.broker, topics=("rollcall/v1/heartbeat",))) as o:
        return o.call("getStats", timeout=30)


def quantile_us(histogram, share):
    """Between the two bounds where it lies, as far as the counts say; never below the truth by
    more than a bucket."""
    wanted, below, low = histogram["count"] * share, 0, 0.0
    for bound, count in histogram["buckets"]:
        if count >= wanted and count > below:
            return 1e6 * (low + (bound - low) * (wanted - below) / (count - below))
        below, low = count, bound
    return 1e6 * low


def measure(subject, count, then=None):
    load = Load(subject.port("ws"), count=count, settle=REST_S, publish_time=WAKE_S,
                publish_rate=WAKES_PER_S, publish_topic="workers/%s/app/x", hold=120,
                **subject.login)
    try:
        if then:
            stats(subject)  # whose code is resident from here on
        before = settled(subject.pid)
        load.start().wait("connected", 300)
        if then:
            wait_until(lambda: stats(subject)["gauges"]["objects_hibernated"] == count, REST_S,
                       "all hibernate")
        after = settled(subject.pid)
        assert "publish" not in load.times, "memory was not steady in time"
        found = stats(subject) if then else None
        if then:
            load.wait("hold", 60)
            then(stats(subject)["histograms"]["wake_duration_seconds"], count)
        load.finish(stop=True)
    finally:
        load.close()
        subject.close()
    return tuple((a - b) / count for a, b in zip(after, before)), found


def tell_wakes(histogram, count):
    common = {"transport": "ws", "count": count, "wakes": histogram["count"], "of": "value"}
    figure("hibernate", "wake, median", quantile_us(histogram, 0.5), "us",
           at_most=MEDIAN_US_AT_MOST, **common)
    figure("hibernate", "wake, p99", quantile_us(histogram, 0.99), "us",
           at_most=P99_US_AT_MOST, **common)


def run(scratch):
    count = min(MOST, raise_open_files() - SPARE_DESCRIPTORS)
    crowd = subjects.Crowd(scratch, count)
    base, _ = measure(subjects.bare(scratch, crowd), count)
    for state, options in STATES.items():
        subject = subjects.plugin(scratch, crowd, retain_presence="false", **options)
        sleeps = state == "hibernated"
        seen, found = measure(subject, count, tell_wakes if sleeps else None)
        target = {"at_most": BYTES_AT_MOST, "of": "difference"} if sleeps else {}
        counted = {"counted": found["gauges"]["object_stub_bytes"] / count} if found else {}
        figure("hibernate", f"rollcall, {state}", seen[0], "B/worker", transport="ws",
               count=count, baseline="bare", baseline_value=base[0], **target,
               above_baseline=seen[0] - base[0], anonymous_above=seen[1] - base[1], **counted)

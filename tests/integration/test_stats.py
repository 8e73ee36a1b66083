# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""What the plugin counts, as getStats tells it."""

import re

import pytest

from harness.identity import new_token
from harness.wait import wait_until
from harness.worker import Refused


def stats(hall):
    return hall.observer.call("getStats")


def test_every_number_has_one_of_the_documented_forms(hall):
    data = hall.observer.call("getStats", help=True)
    beat = wait_until(lambda: hall.observer.heartbeats and hall.observer.heartbeats[-1])
    assert (data["node"], data["boot"]) == (beat["node"], beat["boot"])
    assert data["uptime_seconds"] >= 0
    series = ".".join(str(n) for n in hall.broker.version[:2])
    assert data["broker_version"] == series
    for group in ("counters", "gauges"):
        for name, metric in data[group].items():
            assert re.fullmatch("[a-z_]+", name)
            if not isinstance(metric, int):
                assert re.fullmatch("[a-z_]+", metric["label"])
                assert all(re.fullmatch("[A-Za-z_]+", k) and isinstance(v, int)
                           for k, v in metric["values"].items())
    for histogram in data["histograms"].values():
        bounds, counts = zip(*histogram["buckets"])
        assert list(bounds) == sorted(bounds) and list(counts) == sorted(counts)
        assert counts[-1] <= histogram["count"]
    names = {n for g in ("counters", "gauges", "histograms") for n in data[g]}
    assert set(data["help"]) == names
    assert data["storage"]["state"] == "ok"


@pytest.mark.parametrize("protocol, transport", [("tcp-5", "tcp"), ("ws-5", "websockets")])
def test_sessions_show_up_and_go(hall, protocol, transport):
    before = stats(hall)
    worker = hall.online(protocol)
    worker.publish("metrics", {"memory": 1})
    online = stats(hall)
    worker.disconnect()
    hall.observer.wait_state(worker.worker_id, "offline")
    after = stats(hall)

    def gauge(data, name, value):
        return data["gauges"][name]["values"][value]
    assert gauge(online, "sessions", transport) == gauge(before, "sessions", transport) + 1
    assert gauge(after, "sessions", transport) == gauge(before, "sessions", transport)
    assert gauge(online, "workers", "online") == gauge(before, "workers", "online") + 1
    assert gauge(after, "workers", "online") == gauge(before, "workers", "online")
    assert online["counters"]["messages_received"] > before["counters"]["messages_received"]
    assert sum(after["counters"]["disconnects"]["values"].values()) > \
        sum(before["counters"]["disconnects"]["values"].values())
    assert online["histograms"]["tick_duration_seconds"]["count"] > 0


def test_refused_logins_are_counted_by_code(hall):
    def refused():
        return stats(hall)["counters"]["connects"]["values"]["invalid_token"]
    before = refused()
    identity = hall.enroll()
    with pytest.raises(Refused):
        hall.worker((identity.worker_id, new_token()), "tcp-5").connect()
    assert wait_until(lambda: refused() == before + 1)


def test_commands_are_counted_by_name(hall):
    def commands():
        return stats(hall)["counters"]["control_commands"]["values"]
    before = commands()
    hall.observer.call("listConnections")
    after = commands()
    assert after["listConnections"] == before["listConnections"] + 1
    assert after["getStats"] == before["getStats"] + 1

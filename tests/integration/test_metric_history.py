# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""GET /workers/{id}/metrics: what a worker reported, as it was or averaged."""

import datetime

import pytest

NOON = datetime.datetime.now(datetime.timezone.utc).replace(
    hour=12, minute=0, second=0, microsecond=0) - datetime.timedelta(days=2)


def text(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def after_noon(seconds):
    return text(NOON + datetime.timedelta(seconds=seconds))


def ago(seconds):
    return text(datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=seconds))


def store(worker, reports):
    """Reports them and waits until they are stored."""
    reports = [{"seq": n, **report} for n, report in enumerate(reports, 1)]
    worker.publish("metrics", {"reports": reports})
    acknowledged = set()
    while len(acknowledged) < len(reports):
        acknowledged |= set(worker.receive("metrics/ack")["seqs"])


def history(rest, worker, **query):
    return rest.get(f"/workers/{worker.worker_id}/metrics", **query)


@pytest.fixture(scope="module")
def worker(shared_site):
    """One report a second from noon for two minutes, and a few of another day."""
    worker = shared_site.online("tcp-5")
    store(worker, [{"at": after_noon(n), "memory": n, "cpu": n % 2, "queue": 10 * n,
                    "note": "x", "hot": True, "engine_status": "running"} for n in range(120)])
    store(worker, [{"at": after_noon(86400), "memory": 1000}])
    yield worker
    worker.drop()


def test_by_default_the_last_hour_newest_first(site, rest):
    other = site.online("tcp-5")
    store(other, [{"at": ago(n), "memory": n} for n in (5, 3700, 60, 3500, 1)])
    assert [row["memory"] for row in history(rest, other)] == [1, 5, 60, 3500]


def test_what_a_clock_that_is_fast_reported_belongs_to_the_last_hour(site, rest):
    other = site.online("tcp-5")
    store(other, [{"at": ago(-120), "memory": 7}])
    assert [row["memory"] for row in history(rest, other)] == [7]


def test_a_row_is_the_report(rest, worker):
    (row,) = history(rest, worker, **{"from": after_noon(7), "to": after_noon(7)})
    received = row.pop("received_at")
    assert received > after_noon(7)
    assert row == {"worker_id": worker.worker_id, "at": after_noon(7), "seq": 8, "memory": 7,
                   "cpu": 1, "rate": None, "engine_status": "running",
                   "metrics": {"queue": 70, "note": "x", "hot": True}}


def test_both_ends_belong_to_the_span(rest, worker):
    rows = history(rest, worker, **{"from": after_noon(5), "to": after_noon(8)})
    assert [row["memory"] for row in rows] == [8, 7, 6, 5]


def test_without_a_beginning_it_is_the_hour_before_the_end(rest, worker):
    assert len(history(rest, worker, to=after_noon(86400 + 60), limit=1000)) == 1
    assert len(history(rest, worker, to=after_noon(60), limit=1000)) == 61


def test_limits(rest, worker):
    span = {"from": after_noon(0), "to": after_noon(200)}
    assert len(history(rest, worker, **span)) == 100
    assert [row["memory"] for row in history(rest, worker, limit=2, **span)] == [119, 118]
    assert len(history(rest, worker, limit=1000, **span)) == 120


def test_chosen_keys_alone(rest, worker):
    span = {"from": after_noon(7), "to": after_noon(7)}
    always = {"worker_id", "at", "received_at", "seq", "metrics"}
    (row,) = history(rest, worker, keys="cpu,queue,absent", **span)
    assert set(row) == always | {"cpu"}
    assert row["metrics"] == {"queue": 70}
    (row,) = history(rest, worker, keys=["engine_status", "hot"], **span)
    assert set(row) == always | {"engine_status"}
    assert row["metrics"] == {"hot": True}


def test_averages(rest, worker):
    span = {"from": after_noon(0), "to": after_noon(119)}
    rows = history(rest, worker, resolution=60, **span)
    assert rows == [
        {"worker_id": worker.worker_id, "at": after_noon(60), "reports": 60, "memory": 89.5,
         "cpu": 0.5, "rate": None, "metrics": {"queue": 895}},
        {"worker_id": worker.worker_id, "at": after_noon(0), "reports": 60, "memory": 29.5,
         "cpu": 0.5, "rate": None, "metrics": {"queue": 295}}]


def test_averages_of_chosen_keys(rest, worker):
    span = {"from": after_noon(0), "to": after_noon(119)}
    always = {"worker_id", "at", "reports", "metrics"}
    row = history(rest, worker, resolution=3600, keys="memory", **span)[0]
    assert (set(row), row["memory"], row["metrics"]) == (always | {"memory"}, 59.5, {})
    row = history(rest, worker, resolution=3600, keys="queue,note", **span)[0]
    assert (set(row), row["metrics"]) == (always, {"queue": 595})


def test_the_limit_counts_buckets_and_empty_ones_are_none(rest, worker):
    rows = history(rest, worker, resolution=10, limit=3,
                   **{"from": after_noon(0), "to": after_noon(86400)})
    assert [(row["at"], row["reports"]) for row in rows] == [
        (after_noon(86400), 1), (after_noon(110), 10), (after_noon(100), 10)]
    assert [row["metrics"] for row in rows] == [{}, {"queue": 1145}, {"queue": 1045}]


def test_keys_of_any_kind(site, rest):
    other = site.online("tcp-5")
    odd = {'a"b': 1, "a.b": 2, "é": 3, "a b": 4, "x" * 150: 5}
    store(other, [{"at": ago(10), **odd}])
    (row,) = history(rest, other)
    assert row["metrics"] == odd
    (row,) = history(rest, other, keys='a"b,é')
    assert row["metrics"] == {'a"b': 1, "é": 3}
    (row,) = history(rest, other, resolution=60, keys="é,a.b")
    assert row["metrics"] == {"a.b": 2, "é": 3}


def test_offsets_need_no_escape(rest, worker):
    moment = (NOON + datetime.timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S+01:00")
    path = f"/workers/{worker.worker_id}/metrics?from={moment}&to={moment}"
    assert [row["memory"] for row in rest.get(path)] == [0]


@pytest.mark.parametrize("query", [
    {"from": "yesterday"}, {"to": "1795450000"}, {"limit": 0}, {"limit": 1001}, {"limit": "x"},
    {"resolution": 0}, {"resolution": -5}, {"keys": ""}, {"keys": "a,,b"}, {"form": "x"},
    {"keys": ",".join(f"k{n}" for n in range(65))},
    {"from": "2026-11-23T14:05:09Z", "to": "2026-11-23T14:05:08Z"}], ids=str)
def test_what_cannot_be_asked(rest, worker, query):
    error = rest.fails("GET", f"/workers/{worker.worker_id}/metrics", 400, "INVALID_REQUEST",
                       params=query)
    assert next(iter(query)) in error["message"] or "from" in error["message"]


def test_unknown_workers_have_no_history(rest):
    rest.fails("GET", "/workers/wrk_aaaaaaaaaaaaaaaa/metrics", 404, "WORKER_NOT_FOUND")


def test_it_is_read_from_the_primary_key_of_one_day(site, worker):
    day, first = NOON.strftime("d%Y%m%d"), site.database.query(
        "SELECT partition_name AS name, partition_description AS bound "
        "FROM information_schema.partitions WHERE table_schema = DATABASE() "
        "AND table_name = 'metrics' AND partition_ordinal_position = 1")[0]
    site.database.query(
        f"ALTER TABLE metrics REORGANIZE PARTITION {first['name']} INTO (PARTITION {day} VALUES "
        f"LESS THAN ('{(NOON + datetime.timedelta(1)).date()}'), PARTITION {first['name']} VALUES "
        f"LESS THAN ({first['bound']}))")
    (plan,) = site.database.query(
        "EXPLAIN PARTITIONS SELECT at, seq, received_at, memory, cpu, rate, engine_status, extra "
        "FROM metrics WHERE worker_id = %s AND at BETWEEN %s AND %s ORDER BY at DESC, ref DESC "
        "LIMIT 100", worker.worker_id, f"{NOON.date()} 12:00", f"{NOON.date()} 13:00")
    assert (plan["partitions"], plan["key"], plan["type"]) == (day, "PRIMARY", "range")
    assert "filesort" not in plan["Extra"]

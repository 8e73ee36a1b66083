# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Metric reports: the latest values in REST, acknowledged when stored, rejected when they
never can be."""

import datetime
import json

import pytest

from harness.wait import wait_until


@pytest.fixture
def worker(site):
    return site.online("ws-5")


def at(seconds=0):
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def rows_of(site, worker):
    return site.database.query("SELECT * FROM metrics WHERE worker_id = %s ORDER BY at, ref",
                               worker.worker_id)


def latest(rest, worker):
    return rest.get(f"/workers/{worker.worker_id}/metrics/latest")


def wait_memory(rest, worker, memory):
    def shown():
        row = rest.status_of(worker.worker_id)
        return row if row["memory"] == memory else None
    return wait_until(shown, 5, f"memory is {memory}")


def test_a_report_shows_in_the_status(rest, worker):
    worker.report(memory=512.5, cpu=12, rate=0.25, engine_status="running", queue=7, note="ok",
                  hot=True)
    row = wait_memory(rest, worker, 512.5)
    assert (row["cpu"], row["rate"], row["engine_status"]) == (12, 0.25, "running")
    assert row["metrics"]["queue"] == 7
    assert row["last_report"].endswith("Z")
    assert 0 <= row["last_report_age_seconds"] < 5


def test_the_latest_report_has_a_route_of_its_own(rest, worker):
    rest.fails("GET", f"/workers/{worker.worker_id}/metrics/latest", 404, "NOT_FOUND")
    assert rest.status_of(worker.worker_id)["metrics"] == {}
    worker.report(memory=1, seq=9, at=at(), queue=7, note="words", hot=False)
    worker.receive("metrics/ack")
    shown = latest(rest, worker)
    assert (shown["worker_id"], shown["memory"], shown["seq"]) == (worker.worker_id, 1, 9)
    assert shown["metrics"] == {"queue": 7, "note": "words", "hot": False}
    assert (shown["cpu"], shown["rate"], shown["engine_status"]) == (None, None, None)


def test_further_keys_are_an_object_even_without_any(rest, worker):
    worker.report(memory=3)
    assert wait_memory(rest, worker, 3)["metrics"] == {}
    assert latest(rest, worker)["metrics"] == {}


def test_acknowledged_means_stored(site, worker):
    worker.report(memory=1, seq=17, at=at(-5))
    assert worker.receive("metrics/ack")["seqs"] == [17]
    (row,) = rows_of(site, worker)
    assert (row["seq"], row["memory"]) == (17, 1)


def test_a_repeated_report_is_stored_once_and_acknowledged_again(site, worker):
    report = {"memory": 1, "seq": 1, "at": at(-5)}
    for _ in range(3):
        worker.report(**report)
        assert worker.receive("metrics/ack")["seqs"] == [1]
    assert len(rows_of(site, worker)) == 1


def test_reports_without_a_number_are_not_acknowledged(rest, worker):
    worker.report(memory=1)
    worker.report(memory=2, seq=2, at=at())
    assert worker.receive("metrics/ack") ["seqs"] == [2]
    wait_memory(rest, worker, 2)
    assert worker.wire.received_so_far() == []


def test_a_batch_of_reports(site, rest, worker):
    reports = [{"memory": n, "seq": n, "at": at(n - 200)} for n in range(1, 101)]
    worker.publish("metrics", {"reports": reports})
    acknowledged = []
    while len(acknowledged) < 100:
        acknowledged += worker.receive("metrics/ack")["seqs"]
    assert sorted(acknowledged) == list(range(1, 101))
    assert len(rows_of(site, worker)) == 100


def test_latest_follows_the_receipt_and_not_the_clock(rest, worker):
    worker.report(memory=1, at=at(), seq=1)
    wait_memory(rest, worker, 1)
    worker.report(memory=2, at=at(-3600), seq=2)
    wait_memory(rest, worker, 2)


@pytest.mark.parametrize("bad", [
    {"memory": "much"}, {"cpu": []}, {"rate": {"a": 1}}, {"memory": True}, {"engine_status": 7},
    {"engine_status": "x" * 33}, {"nested": {"a": 1}}, {"list": [1]},
    {f"k{n}": n for n in range(70)}], ids=lambda b: str(b)[:24])
def test_a_bad_report_is_rejected_and_holds_up_no_other(site, worker, bad):
    worker.publish("metrics", {"reports": [
        {"memory": 1, "seq": 1, "at": at()}, {"seq": 2, "at": at(), **bad},
        {"memory": 3, "seq": 3, "at": at()}]})
    seqs, rejected = [], []
    while len(seqs) + len(rejected) < 3:
        ack = worker.receive("metrics/ack")
        seqs += ack.get("seqs", [])
        rejected += ack.get("rejected", [])
    assert sorted(seqs) == [1, 3]
    assert [r["seq"] for r in rejected] == [2]
    assert rejected[0]["code"] and rejected[0]["message"]
    assert [row["seq"] for row in rows_of(site, worker)] == [1, 3]


@pytest.mark.parametrize("seconds, code", [
    (-31 * 86400, "AT_TOO_OLD"), (900, "AT_IN_FUTURE")])
def test_a_time_that_cannot_be_is_rejected_and_holds_up_no_other(site, worker, seconds, code):
    worker.publish("metrics", {"reports": [
        {"seq": 1, "at": at()}, {"seq": 2, "at": at(seconds)}, {"at": at(seconds)},
        {"seq": 3, "at": at(-29 * 86400)}]})
    seqs, rejected = [], []
    while len(seqs) + len(rejected) < 3:
        ack = worker.receive("metrics/ack")
        seqs += ack["seqs"]
        rejected += ack["rejected"]
    assert sorted(seqs) == [1, 3]
    assert [(r["seq"], r["code"]) for r in rejected] == [(2, code)]
    assert [row["seq"] for row in rows_of(site, worker)] == [3, 1]


def test_reports_of_one_moment_without_numbers_are_all_kept(site, rest, worker):
    moment = at()
    worker.publish("metrics", {"reports": [{"memory": n, "at": moment} for n in range(1, 6)]})
    wait_memory(rest, worker, 5)
    assert sorted(row["memory"] for row in rows_of(site, worker)) == [1, 2, 3, 4, 5]


def test_what_the_quick_reader_does_not_take_is_stored_all_the_same(site, worker):
    report = {"memory": 1e300, "cpu": -0.5, "seq": 1, "at": at(), "note": 'é"\\\n', "big": 2**62}
    worker.report(**report)
    assert worker.receive("metrics/ack")["seqs"] == [1]
    (row,) = rows_of(site, worker)
    assert (row["memory"], row["cpu"]) == (1e300, -0.5)
    assert json.loads(row["extra"]) == {"note": 'é"\\\n', "big": 2**62}


def test_a_worker_that_is_deleted_meanwhile_holds_up_no_other(new_site):
    site = new_site()
    gone, other = site.online("tcp-5"), site.online("tcp-5")
    # Not by REST: the broker still lets it in.
    site.database.query("DELETE FROM workers WHERE id = %s", gone.worker_id)
    gone.report(memory=1, seq=1, at=at())
    other.report(memory=1, seq=1, at=at())
    assert other.receive("metrics/ack")["seqs"] == [1]
    ack = gone.receive("metrics/ack")
    assert ack["seqs"] == []
    assert [(r["seq"], r["code"]) for r in ack["rejected"]] == [(1, "WORKER_NOT_FOUND")]
    assert rows_of(site, gone) == ()


def test_a_number_without_a_time_is_rejected(worker):
    worker.report(memory=1, seq=5)
    assert [r["seq"] for r in worker.receive("metrics/ack")["rejected"]] == [5]


@pytest.mark.parametrize("rubbish", [
    b"", b"no JSON", b"[]", b"7", b"null", b'"x"', b"[" * 200, b'{"a":' * 200, b"\xff\xfe\x00",
    b'{"reports":7}', b'{"reports":[7]}', b'{"reports":{}}', b"{" + b" " * 70_000 + b"}",
    json.dumps({"reports": [{"memory": 1}] * 501}).encode()], ids=lambda r: repr(r[:24]))
def test_rubbish_is_counted_at_most(site, rest, worker, rubbish):
    worker.publish("metrics", rubbish)
    worker.report(memory=77)
    wait_memory(rest, worker, 77)
    assert len(rows_of(site, worker)) == 1


def test_a_workers_reports_stay_its_own(site, rest, worker):
    other = site.online("tcp-5")
    worker.report(memory=1)
    other.report(memory=2)
    wait_memory(rest, worker, 1)
    wait_memory(rest, other, 2)


def test_the_latest_values_survive_the_bridge(new_site):
    site = new_site()
    worker = site.online("tcp-5")
    worker.report(memory=42, seq=1, at=at(), queue=3)
    worker.receive("metrics/ack")
    site.bridge.restart()
    row = site.rest.wait_connected(worker.worker_id)
    assert (row["memory"], row["metrics"]["queue"]) == (42, 3)


def test_the_last_engine_status_survives_the_bridge(new_site):
    """Even where the newest report does not say how the engine is."""
    site = new_site()
    worker = site.online("tcp-5")
    worker.publish("metrics", {"reports": [
        {"engine_status": "running", "seq": 1, "at": at(-2)}, {"memory": 2, "seq": 2, "at": at()}]})
    worker.receive("metrics/ack")
    worker.report(memory=3, seq=3, at=at())
    worker.receive("metrics/ack")
    assert wait_memory(site.rest, worker, 3)["engine_status"] == "running"
    site.bridge.restart()
    row = site.rest.wait_connected(worker.worker_id)
    assert (row["memory"], row["engine_status"]) == (3, "running")


def test_a_table_that_is_away_rejects_nothing(new_site):
    """As while a backup is put back: the report waits, for it can be stored later."""
    site = new_site(bridge_environment={"ROLLCALL_LOG_LEVEL": "debug"})
    worker = site.online("tcp-5")
    site.database.query("RENAME TABLE metrics TO metrics_away")
    worker.report(memory=1, seq=1, at=at())
    wait_until(lambda: "wait:" in site.bridge.process.log_text(), 5)
    site.database.query("RENAME TABLE metrics_away TO metrics")
    ack = worker.receive("metrics/ack")
    assert (ack["seqs"], ack["rejected"]) == ([1], [])

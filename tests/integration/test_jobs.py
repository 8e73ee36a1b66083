# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Scheduled work: each job runs in one bridge at a time, and another takes over."""

import contextlib
import json
import time

import pytest

from harness.bridge import Bridge
from harness.wait import wait_until

QUICK = {"ROLLCALL_JOB_COMMAND_EXPIRY": "1", "ROLLCALL_AUDIT_DAYS": "30"}


@pytest.fixture(scope="module")
def own(new_directory, database_server):
    from harness.site import Site
    site = Site(new_directory("jobs"), database_server, QUICK)
    yield site
    site.close()


def row_of(site, name):
    rows = site.database.query("SELECT * FROM scheduled_jobs WHERE name = %s", name)
    return rows[0] if rows else None


def wait_run(site, name, runs):
    """Waits until the job has been run so often, and its last run is over."""
    def ran():
        row = row_of(site, name)
        return row if row and row["runs"] >= runs and row["outcome"] != "running" else None
    return wait_until(ran, 10, f"{name} has run {runs} times")


@contextlib.contextmanager
def lock_held(site, name):
    """Somebody else runs this job."""
    with site.server.connect(site.database.name) as connection, connection.cursor() as cursor:
        lock = "CONCAT('rollcall.', MD5(DATABASE()), '.', %s)"
        cursor.execute(f"SELECT GET_LOCK({lock}, 10) AS got", (name,))
        assert cursor.fetchone()["got"] == 1
        yield


def make_due(site, name):
    site.database.query("UPDATE scheduled_jobs SET started_at = '2020-01-01' WHERE name = %s", name)


def test_each_job_runs_at_the_start_and_notes_how_it_went(own):
    for name in ("command_expiry", "audit_retention", "purge"):
        row = wait_run(own, name, 1)
        assert (row["outcome"], row["error"]) == ("done", None)
        assert row["bridge"].endswith(f"/{own.bridge.process.pid}")
        assert row["succeeded_at"] == row["finished_at"] >= row["started_at"]


def test_a_job_runs_once_a_period(own):
    first = wait_run(own, "command_expiry", 2)
    start = time.monotonic()
    wait_run(own, "command_expiry", first["runs"] + 3)
    assert time.monotonic() - start > 1.5
    # The others have periods of an hour.
    assert row_of(own, "purge")["runs"] < 10


def test_an_overdue_command_expires(own):
    worker = own.online()
    own.database.query(
        "INSERT INTO commands (id, worker_id, type, state, created_at, expires_at) VALUES"
        " ('cmd_overdue', %s, 't', 'sent', '2020-01-01', '2020-01-02'),"
        " ('cmd_accepted', %s, 't', 'accepted', '2020-01-01', '2020-01-02'),"
        " ('cmd_later', %s, 't', 'queued', '2020-01-01', '2100-01-01')", *[worker.worker_id] * 3)

    def states():
        return {row["id"]: row["state"] for row in own.database.query(
            "SELECT id, state FROM commands WHERE worker_id = %s", worker.worker_id)}
    wait_until(lambda: states()["cmd_overdue"] == "expired", 10)
    assert states() == {"cmd_overdue": "expired", "cmd_accepted": "expired", "cmd_later": "queued"}
    audit = own.database.query("SELECT detail FROM token_log WHERE event = 'command_expired'"
                               " AND worker_id = %s ORDER BY detail", worker.worker_id)
    assert [json.loads(row["detail"])["command_id"] for row in audit] == \
        ["cmd_accepted", "cmd_overdue"]


def test_old_commands_are_forgotten_once_they_have_ended(own):
    old, young = "cmd_01ARZ3NDEKTSV4RRFFQ69G5FA", f"cmd_{'7' * 25}"
    own.database.query(
        "INSERT INTO commands (id, worker_id, type, state, created_at, expires_at) VALUES"
        f" ('{old}A', 'w', 't', 'done', '2016-01-01', '2016-01-02'),"
        f" ('{old}B', 'w', 't', 'queued', '2016-01-01', '2100-01-01'),"
        f" ('{young}A', 'w', 't', 'done', '2099-01-01', '2100-01-01')")
    make_due(own, "purge")
    wait_until(lambda: [row["id"] for row in own.database.query(
        "SELECT id FROM commands WHERE worker_id = 'w' ORDER BY id")] == [f"{old}B", f"{young}A"])


def test_old_rows_are_deleted_in_batches_and_young_ones_kept(own):
    with own.server.connect(own.database.name) as connection, connection.cursor() as cursor:
        cursor.executemany("INSERT INTO token_log (worker_id, at, event) VALUES (%s, %s, 'old')",
                           [("w", "2020-01-01")] * 1200)
    own.database.query("INSERT INTO token_log (worker_id, at, event) VALUES"
                       " ('w', UTC_TIMESTAMP(3) - INTERVAL 29 DAY, 'young')")
    runs = row_of(own, "audit_retention")["runs"]
    make_due(own, "audit_retention")
    assert wait_run(own, "audit_retention", runs + 1)["handled"] == 1200
    assert own.database.value("SELECT COUNT(*) FROM token_log WHERE event = 'old'") == 0
    assert own.database.value("SELECT COUNT(*) FROM token_log WHERE event = 'young'") == 1


def test_what_nobody_needs_to_remember_is_forgotten(own):
    identity = own.rest.register()
    own.database.query("INSERT INTO worker_tombstones VALUES ('old', 1, '2020-01-01'),"
                       " ('young', 1, UTC_TIMESTAMP(3))")
    own.database.query(
        "INSERT INTO tokens (worker_id, hash, role, created_at, ended_at) VALUES"
        " (%s, REPEAT('a', 64), 'ended', '2020-01-01', '2020-01-01')", identity.worker_id)
    runs = row_of(own, "purge")["runs"]
    make_due(own, "purge")
    assert wait_run(own, "purge", runs + 1)["handled"] == 2
    assert [t["id"] for t in own.database.query("SELECT id FROM worker_tombstones")] == ["young"]
    assert own.database.value("SELECT COUNT(*) FROM tokens WHERE worker_id = %s",
                              identity.worker_id) == 1


def test_a_job_that_another_runs_is_left_alone(own):
    runs = row_of(own, "purge")["runs"]
    with lock_held(own, "purge"):
        make_due(own, "purge")
        # Other jobs go on meanwhile.
        wait_run(own, "command_expiry", row_of(own, "command_expiry")["runs"] + 2)
        assert row_of(own, "purge")["runs"] == runs
    assert wait_run(own, "purge", runs + 1)["outcome"] == "done"


def test_a_run_that_was_broken_off_is_made_again_at_once(own):
    runs = row_of(own, "purge")["runs"]
    own.database.query("UPDATE scheduled_jobs SET outcome = 'running', bridge = 'dead/1',"
                       " started_at = UTC_TIMESTAMP(3) WHERE name = 'purge'")
    row = wait_run(own, "purge", runs + 1)
    assert row["bridge"].endswith(f"/{own.bridge.process.pid}")


def test_a_job_that_fails_says_why_and_is_run_again(own):
    own.database.query("RENAME TABLE token_log TO token_log_away")
    try:
        make_due(own, "audit_retention")
        row = wait_until(lambda: (r := row_of(own, "audit_retention"))["outcome"] == "failed" and r,
                         10)
        assert "token_log" in row["error"]
    finally:
        own.database.query("RENAME TABLE token_log_away TO token_log")
    make_due(own, "audit_retention")
    row = wait_until(lambda: (r := row_of(own, "audit_retention"))["outcome"] == "done" and r, 10)
    assert row["error"] is None


def test_two_bridges_share_the_work_and_one_takes_over(own, new_directory):
    other = Bridge(new_directory("second"), own.broker, own.database, "second", **QUICK)
    other.start()
    pids = {"first": own.bridge.process.pid, "second": other.process.pid}
    before, start = row_of(own, "command_expiry")["runs"], time.monotonic()
    after = wait_run(own, "command_expiry", before + 4)["runs"]
    assert after - before <= (time.monotonic() - start) / 1 + 2
    other.kill9()
    before = row_of(own, "command_expiry")["runs"]
    row = wait_run(own, "command_expiry", before + 2)
    assert row["bridge"].endswith(f"/{pids['first']}")
    own.bridge.kill9()
    other.start()
    row = wait_run(own, "command_expiry", row["runs"] + 2)
    assert row["bridge"].endswith(f"/{other.process.pid}")
    own.bridge.start()
    other.terminate()

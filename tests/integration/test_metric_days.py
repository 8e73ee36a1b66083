# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The table of metrics has a partition for each day: made ahead, dropped when it is too old."""

import datetime

import pytest

from harness.wait import wait_until


def partitions(database):
    return [row["name"] for row in database.query(
        "SELECT partition_name AS name FROM information_schema.partitions "
        "WHERE table_schema = DATABASE() AND table_name = 'metrics' "
        "ORDER BY partition_ordinal_position")]


def day(offset):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(offset)).date()


def name(offset):
    return day(offset).strftime("d%Y%m%d")


@pytest.fixture
def database(new_site):
    return new_site(bridge_environment={"ROLLCALL_JOB_METRICS_PARTITIONS": "1",
                                        "ROLLCALL_METRICS_DAYS": "2"}).database


def test_the_next_days_are_there_soon_after_the_start(database):
    today = name(0)
    wait_until(lambda: name(3) in partitions(database), 10, "days are made ahead")
    if name(0) == today:
        assert partitions(database) == [*(name(n) for n in range(4)), "future"]


def test_a_day_that_is_too_old_goes_with_all_its_reports(database):
    wait_until(lambda: name(3) in partitions(database), 10, "days are made ahead")
    made = ", ".join(f"PARTITION {name(n)} VALUES LESS THAN ('{day(n + 1)}')"
                     for n in (-6, -4, -2, 0))
    database.query(f"ALTER TABLE metrics REORGANIZE PARTITION {name(0)} INTO ({made})")
    for n in (-6, -5, -2, -1, 0):
        database.query("INSERT INTO metrics (worker_id, at, ref, received_at) VALUES ('a', %s, 1, "
                       "NOW(3))", f"{day(n)} 12:00")
    wait_until(lambda: name(-4) not in partitions(database), 10, "old days are dropped")
    assert name(-6) not in partitions(database)
    assert name(-2) in partitions(database)
    assert database.value("SELECT COUNT(*) FROM metrics") == 3


def test_what_no_day_was_made_for_moves_to_its_day(database):
    """As after a long time without a bridge."""
    wait_until(lambda: name(3) in partitions(database), 10, "days are made ahead")
    names = ", ".join(name(n) for n in range(4))
    database.query(f"ALTER TABLE metrics REORGANIZE PARTITION {names}, future INTO (PARTITION "
                   f"{name(-1)} VALUES LESS THAN ('{day(0)}'), PARTITION future VALUES LESS THAN "
                   "(MAXVALUE))")
    database.query("INSERT INTO metrics (worker_id, at, ref, received_at) "
                   "VALUES ('a', UTC_TIMESTAMP(3), 1, NOW(3))")
    wait_until(lambda: name(3) in partitions(database), 10, "days are made again")
    assert database.value(f"SELECT COUNT(*) FROM metrics PARTITION ({name(0)}, {name(1)})") == 1
    assert database.value("SELECT COUNT(*) FROM metrics PARTITION (future)") == 0

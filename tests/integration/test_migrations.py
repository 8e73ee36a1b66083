# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The database's shape, from nothing and from an older installation; the program's other verbs."""

import socket
import subprocess
import threading
import uuid

import pytest

from harness.bridge import Bridge
from harness.broker import Broker
from harness.rest import Rest
from harness.settings import ROOT

OLDER = """
CREATE TABLE workers (
    id VARCHAR(64) NOT NULL PRIMARY KEY,
    name VARCHAR(255) NOT NULL,
    token_hash VARCHAR(64) NOT NULL,
    status VARCHAR(20) NOT NULL DEFAULT 'active',
    is_connected TINYINT(1) NOT NULL DEFAULT 0,
    last_connected_at DATETIME NULL,
    last_disconnected_at DATETIME NULL,
    created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    KEY idx_connected (is_connected)
)"""
CONNECTION_COLUMNS = {"is_connected", "last_connected_at", "last_disconnected_at"}


@pytest.fixture(scope="module")
def place(new_directory):
    """A broker's settings; the broker need not run for what is tested here."""
    return Broker(new_directory("migrations"))


@pytest.fixture
def database(database_server):
    return database_server.create(f"migrate_{uuid.uuid4().hex[:8]}")


@pytest.fixture
def bridge(place, database):
    return Bridge(place.directory, place, database, f"bridge-{database.name}")


def migrate(bridge):
    done = bridge.run("migrate")
    assert done.returncode == 0, done.stderr
    return done


def shape(database):
    return {table: database.columns(table) for table in database.tables()}


def test_an_empty_database_gets_every_table(bridge, database):
    migrate(bridge)
    assert database.tables() >= {"workers", "tokens", "token_log", "commands", "metrics", "users",
                                 "schema_migrations"}
    assert not database.columns("workers") & CONNECTION_COLUMNS


def test_migrating_again_changes_nothing(bridge, database):
    migrate(bridge)
    before = shape(database), database.query("SELECT * FROM schema_migrations")
    migrate(bridge)
    assert (shape(database), database.query("SELECT * FROM schema_migrations")) == before


def test_an_older_database_loses_its_opinion_on_connections(bridge, database):
    database.query(OLDER)
    database.query("INSERT INTO workers (id, name, token_hash, is_connected, last_connected_at) "
                   "VALUES ('wrk_old', 'of an older time', 'x', 1, NOW()), "
                   "('another', 'revoked one', 'y', 0, NULL)")
    database.query("UPDATE workers SET status = 'revoked' WHERE id = 'another'")
    migrate(bridge)
    assert not database.columns("workers") & CONNECTION_COLUMNS
    rows = database.query("SELECT id, name, status FROM workers ORDER BY id")
    assert [tuple(row.values()) for row in rows] == [
        ("another", "revoked one", "revoked"), ("wrk_old", "of an older time", "active")]


def test_an_older_database_is_served_like_a_new_one(bridge, database, place):
    database.query(OLDER)
    database.query("INSERT INTO workers (id, name, token_hash, is_connected) "
                   "VALUES ('old_1', 'was connected once', 'x', 1)")
    place.start()
    bridge.start()
    try:
        with Rest(bridge.url).login() as rest:
            assert rest.status_of("old_1")["connected"] is False
            assert rest.post("/workers/old_1/token")["enforced"] is True
            assert rest.register()
    finally:
        bridge.terminate()
        place.terminate()


@pytest.mark.parametrize("left", sorted(CONNECTION_COLUMNS))
def test_a_database_that_lost_some_of_the_columns_before(bridge, database, left):
    database.query(OLDER)
    for column in CONNECTION_COLUMNS - {left}:
        database.query(f"ALTER TABLE workers DROP COLUMN {column}")
    migrate(bridge)
    assert not database.columns("workers") & CONNECTION_COLUMNS


def test_a_migration_that_was_changed_afterwards_stops_it(bridge, database):
    migrate(bridge)
    columns = database.columns("schema_migrations")
    (checksum,) = [c for c in columns if "sum" in c or "sha" in c]
    database.query(f"UPDATE schema_migrations SET {checksum} = REPEAT('0', 64) LIMIT 1")
    done = bridge.run("migrate")
    assert done.returncode != 0
    assert "0001" in done.stderr


def test_two_that_migrate_at_once_do_not_collide(bridge, database):
    results = []
    threads = [threading.Thread(target=lambda: results.append(bridge.run("migrate")))
               for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [r.returncode for r in results] == [0] * 4, [r.stderr for r in results]
    names = [tuple(row.values())[0] for row in
             database.query("SELECT * FROM schema_migrations")]
    assert len(names) == len(set(names))


def test_an_epoch_is_made_once(bridge, database):
    migrate(bridge)
    epoch = database.value("SELECT epoch FROM directory_state")
    assert len(epoch) == 32
    migrate(bridge)
    assert database.value("SELECT epoch FROM directory_state") == epoch


# ---- other verbs -----------------------------------------------------------------------------


def test_help_names_every_option_and_verb(bridge):
    shown = bridge.run("--help")
    assert shown.returncode == 0
    for word in ("migrate", "user add", "--check-config", "ROLLCALL_HTTP_PORT",
                 "ROLLCALL_DB_SOCKET", "ROLLCALL_BROKER_HOST", "ROLLCALL_JWT_SECRET"):
        assert word in shown.stdout


def test_the_version_is_the_repositorys(bridge):
    assert (ROOT / "VERSION").read_text().strip() in bridge.run("--version").stdout


def test_check_config_shows_values_but_no_secrets(bridge):
    shown = bridge.run("--check-config")
    assert shown.returncode == 0
    assert str(bridge.port) in shown.stdout
    for name, value in bridge.environment.items():
        if "PASSWORD" in name or "SECRET" in name:
            assert value not in shown.stdout + shown.stderr


@pytest.mark.parametrize("name, value", [
    ("ROLLCALL_HTTP_PORT", "x"), ("ROLLCALL_HTTP_PORT", "0"), ("ROLLCALL_HTTP_PORT", "65536"),
    ("ROLLCALL_DB_POOL", "-1"), ("ROLLCALL_JWT_SECRET", "short"), ("ROLLCALL_TOPIC_ROOT", "a/#"),
    ("ROLLCALL_LOG_LEVEL", "loud")])
def test_a_wrong_setting_is_named(bridge, name, value):
    shown = bridge.run("--check-config", **{name: value})
    assert shown.returncode != 0
    assert name in shown.stderr


@pytest.mark.parametrize("arguments", [["--no-such"], ["nonsense"], ["user"], ["user", "add"],
                                       ["user", "add", "x", "--role", "king"], ["migrate", "x"]])
def test_wrong_arguments_are_refused(bridge, arguments):
    shown = bridge.run(*arguments)
    assert shown.returncode != 0
    assert shown.stderr


def test_secrets_may_come_from_files(bridge, place, tmp_path):
    secret = tmp_path / "password"
    secret.write_text(bridge.environment["ROLLCALL_DB_PASSWORD"] + "\n")
    bridge.environment["ROLLCALL_DB_PASSWORD_FILE"] = str(secret)
    del bridge.environment["ROLLCALL_DB_PASSWORD"]
    migrate(bridge)


def test_a_port_that_is_taken_is_named(bridge, place):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", bridge.port))
        taken.listen()
        bridge.process.start()
        try:
            assert bridge.process.wait(10) != 0
        except subprocess.TimeoutExpired:
            bridge.kill9()
            raise
    assert str(bridge.port) in bridge.process.log_text()


def test_metrics_of_one_table_move_to_days(bridge, database):
    migrate(bridge)
    database.query("DROP TABLE metrics")
    database.query("""CREATE TABLE metrics (
        id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
        worker_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
        at DATETIME(3) NOT NULL, seq BIGINT NULL, received_at DATETIME(3) NOT NULL,
        memory DOUBLE NULL, cpu DOUBLE NULL, rate DOUBLE NULL, engine_status VARCHAR(32) NULL,
        extra JSON NULL,
        UNIQUE KEY metrics_by_worker (worker_id, at, seq), KEY metrics_by_receipt (received_at))
        ENGINE=InnoDB DEFAULT CHARSET=utf8mb4""")
    database.query("INSERT INTO metrics (worker_id, at, seq, received_at, memory, extra) VALUES "
                   "('a', '2025-01-01 12:00', 5, NOW(3), 1, '{\"queue\":7}'), "
                   "('a', '2025-01-01 12:00', NULL, NOW(3), 2, NULL), "
                   "('a', '2025-01-01 12:00', NULL, NOW(3), 3, NULL), "
                   "('b', UTC_TIMESTAMP(3), 1, NOW(3), 4, NULL)")
    database.query("DELETE FROM schema_migrations WHERE name LIKE '0018%%'")
    migrate(bridge)
    rows = database.query("SELECT worker_id, seq, memory, extra FROM metrics ORDER BY memory")
    assert [tuple(row.values()) for row in rows] == [
        ("a", 5, 1, '{"queue":7}'), ("a", None, 2, None), ("a", None, 3, None), ("b", 1, 4, None)]
    assert not database.tables() & {"metrics_before_days", "metrics_by_day"}


@pytest.mark.parametrize("left", ["CREATE TABLE metrics_by_day LIKE metrics",
                                  "CREATE TABLE metrics_before_days AS SELECT 1 AS id, worker_id,"
                                  " at, seq, received_at, memory, cpu, rate, engine_status, extra"
                                  " FROM metrics"])
def test_moving_metrics_goes_on_where_it_was_broken_off(bridge, database, left):
    migrate(bridge)
    database.query("INSERT INTO metrics (worker_id, at, ref, received_at) "
                   "VALUES ('a', UTC_TIMESTAMP(3), 5, NOW(3))")
    database.query(left)
    database.query("DELETE FROM schema_migrations WHERE name LIKE '0018%%'")
    migrate(bridge)
    assert [row["seq"] for row in database.query("SELECT seq FROM metrics")] == [5]
    assert not database.tables() & {"metrics_before_days", "metrics_by_day"}

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Tokens over REST: rotate, revoke, reinstate; enforced now, or said not to be yet."""

import time

import pytest

from harness.identity import Identity
from harness.wait import wait_until
from harness.worker import Refused


def admits(site, identity, protocol="tcp-5"):
    try:
        site.worker(identity, protocol, "probe").connect().disconnect()
    except Refused:
        return False
    return True


def test_a_rotation_gives_a_new_token_and_ends_the_old_one(site, rest):
    old = rest.register()
    answer = rest.post(f"/workers/{old.worker_id}/token")
    assert (answer["worker_id"], answer["enforced"]) == (old.worker_id, True)
    assert answer["token"].startswith("tk_") and answer["token"] != old.token
    assert answer["websocket_url"].endswith(f"/ws/{old.worker_id}")
    assert admits(site, Identity(old.worker_id, answer["token"]))
    assert not admits(site, old)


def test_a_rotation_closes_sessions_of_the_old_token(site, rest):
    worker = site.online("ws-5")
    start = time.monotonic()
    rest.post(f"/workers/{worker.worker_id}/token")
    assert worker.wire.wait_closed(1)
    assert time.monotonic() - start < 1
    rest.wait_connected(worker.worker_id, False)


@pytest.mark.parametrize("protocol", ["tcp-3.1.1", "ws-5"])
def test_a_revocation_closes_live_sessions_and_keeps_them_out(site, rest, protocol):
    worker = site.online(protocol)
    start = time.monotonic()
    answer = rest.post(f"/workers/{worker.worker_id}/revoke", {"reason": "laptop stolen"})
    assert (answer["worker_id"], answer["status"], answer["enforced"]) == \
        (worker.worker_id, "revoked", True)
    assert worker.receive("notice", 1)["code"] == "WORKER_REVOKED"
    assert worker.wire.wait_closed(1)
    assert time.monotonic() - start < 1
    assert not admits(site, Identity(worker.worker_id, worker.token))
    row = rest.wait_connected(worker.worker_id, False)
    assert (row["status"], row["disconnect_reason"]) == ("revoked", "revoked")


def test_a_reinstated_worker_may_use_its_token_again(site, rest):
    identity = rest.register()
    rest.post(f"/workers/{identity.worker_id}/revoke")
    assert not admits(site, identity)
    answer = rest.post(f"/workers/{identity.worker_id}/reinstate")
    assert (answer["status"], answer["enforced"]) == ("active", True)
    assert admits(site, identity)


def test_a_revoked_worker_gets_no_new_token(rest):
    identity = rest.register()
    rest.post(f"/workers/{identity.worker_id}/revoke")
    rest.fails("POST", f"/workers/{identity.worker_id}/token", 409, "WORKER_REVOKED", json={})


def test_revoking_twice_and_reinstating_twice_is_no_error(rest):
    identity = rest.register()
    for action, status in (("revoke", "revoked"), ("reinstate", "active")):
        for _ in range(2):
            assert rest.post(f"/workers/{identity.worker_id}/{action}")["status"] == status


def test_every_enforced_change_takes_a_greater_revision(site, rest):
    identity = rest.register()

    def revision():
        return site.database.value("SELECT revision FROM workers WHERE id = %s",
                                   identity.worker_id)
    seen = [revision()]
    for path in ("token", "revoke", "reinstate"):
        rest.post(f"/workers/{identity.worker_id}/{path}")
        seen.append(revision())
    assert seen == sorted(set(seen))


# ---- with the broker away --------------------------------------------------------------------


@pytest.fixture
def own(new_site):
    return new_site()


def test_what_cannot_be_enforced_yet_says_so_and_is_tried_until_it_is(own):
    worker, rest = own.online("tcp-5"), own.rest
    rotated, deleted = own.rest.register(), own.rest.register()
    own.broker.kill9()
    start = time.monotonic()
    answer = rest.post(f"/workers/{worker.worker_id}/revoke")
    assert answer["enforced"] is False and time.monotonic() - start < 2
    token = rest.post(f"/workers/{rotated.worker_id}/token")
    assert token["enforced"] is False
    assert rest.ok("DELETE", f"/workers/{deleted.worker_id}", 200)["enforced"] is False
    made = rest.post("/workers", {"name": "while it was away"}, 201)
    assert made["enforced"] is False
    assert rest.worker(worker.worker_id)["enforced"] is False

    own.broker.start()
    wait_until(lambda: rest.worker(worker.worker_id)["enforced"], 10)
    wait_until(lambda: rest.worker(made["worker_id"])["enforced"])
    wait_until(lambda: rest.worker(rotated.worker_id)["enforced"])
    assert not admits(own, Identity(worker.worker_id, worker.token))
    assert not admits(own, rotated)
    assert not admits(own, deleted)
    assert admits(own, Identity(rotated.worker_id, token["token"]))
    assert admits(own, Identity(made["worker_id"], made["token"]))


def test_a_change_that_met_a_dying_bridge_is_enforced_by_the_next(own):
    """The commit is what counts: whoever starts next brings the plugin in step."""
    identity = own.rest.register()
    own.broker.kill9()
    own.rest.post(f"/workers/{identity.worker_id}/revoke")
    own.bridge.kill9()
    own.broker.start()
    own.bridge.start()
    wait_until(lambda: own.rest.worker(identity.worker_id)["enforced"])
    wait_until(lambda: not admits(own, identity))


def test_the_only_worker_may_be_deleted_while_the_broker_is_away(own):
    """More than half of the directory: dropped because the database remembers the deletion."""
    identity = own.rest.register()
    assert admits(own, identity)
    own.broker.kill9()
    assert own.rest.ok("DELETE", f"/workers/{identity.worker_id}", 200)["enforced"] is False
    own.bridge.terminate()
    own.bridge.start(ready=False)
    own.broker.start()
    own.bridge.wait_ready()
    wait_until(lambda: not admits(own, identity), 10)
    assert own.rest.worker(own.rest.register().worker_id)["enforced"] is True


def test_an_emptied_database_does_not_lock_the_fleet_out(own):
    """Nobody deleted these: they stay, until somebody says that they may go."""
    identities = [own.rest.register() for _ in range(3)]
    own.bridge.terminate()
    own.database.query("DELETE FROM workers")
    own.bridge.start()
    wait_until(lambda: "lacks more than half" in own.bridge.process.log_text(), 10)
    assert all(admits(own, identity) for identity in identities)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_restored_database_does_not_let_revoked_workers_in_again(own, times):
    """The plugin remembers what the backup does not, however often that is put back; the bridge
    takes it back over."""
    rest, db = own.rest, own.database
    revoked, deleted, kept, rotated = [rest.register() for _ in range(4)]
    tables = [t for t in db.tables() if t != "schema_migrations"]
    backup = {t: db.query(f"SELECT * FROM `{t}`") for t in tables}
    rest.post(f"/workers/{revoked.worker_id}/revoke")
    rest.ok("DELETE", f"/workers/{deleted.worker_id}", 200)
    token = rest.post(f"/workers/{rotated.worker_id}/token")["token"]
    made = rest.register()

    def settled():
        rows = {row["id"]: row["status"] for row in rest.get("/workers")}
        return rows.get(revoked.worker_id) == "revoked" and deleted.worker_id not in rows \
            and made.worker_id in rows
    epochs = {db.value("SELECT epoch FROM directory_state")}
    for _ in range(times):
        own.bridge.terminate()
        restore(db, backup)
        own.bridge.start()
        wait_until(settled, 10)
        assert (admits(own, revoked), admits(own, deleted), admits(own, rotated)) == (False,) * 3
        assert admits(own, kept) and admits(own, made)
        assert admits(own, Identity(rotated.worker_id, token))
        epochs.add(db.value("SELECT epoch FROM directory_state"))
    assert len(epochs) == times + 1
    assert admits(own, rest.register())


def restore(db, backup):
    with db.server.connect(db.name) as connection, connection.cursor() as cursor:
        cursor.execute("SET foreign_key_checks = 0")
        for table, rows in backup.items():
            cursor.execute(f"DELETE FROM `{table}`")
            for row in rows:
                columns = ", ".join(f"`{c}`" for c in row)
                cursor.execute(f"INSERT INTO `{table}` ({columns}) VALUES "
                               f"({', '.join(['%s'] * len(row))})", list(row.values()))

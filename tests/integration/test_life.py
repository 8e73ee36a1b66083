# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""A worker through a whole life, compressed: every step as it is promised."""

import pytest

from harness.identity import Identity
from harness.site import Site
from harness.wait import wait_until
from harness.worker import PROTOCOLS, Refused

# Days became half seconds.
LIFE = {"ROLLCALL_TOKEN_LIFE": "14", "ROLLCALL_RENEWAL_WINDOW": "12",
        "ROLLCALL_RENEWAL_OVERLAP": "3", "ROLLCALL_RENEWAL_TIMEOUT": "2",
        "ROLLCALL_RENEWAL_RETRY": "1", "ROLLCALL_JOB_RENEWAL": "1",
        "ROLLCALL_JOB_TOKEN_EXPIRY": "1"}


@pytest.fixture(scope="module")
def own(new_directory, database_server):
    site = Site(new_directory("life"), database_server, LIFE)
    yield site
    site.close()


def admitted(site, worker_id, token, protocol="tcp-5"):
    try:
        site.worker(Identity(worker_id, token), protocol, "probe").connect().disconnect()
    except Refused:
        return False
    return True


def events_of(site, worker_id):
    return [row["event"] for row in site.database.query(
        "SELECT event FROM token_log WHERE worker_id = %s ORDER BY id", worker_id)]


def acknowledge(worker, message, **more):
    assert worker.publish("token/ack", {"renewal_id": message["renewal_id"], "success": True,
                                        **more}) == 0


@pytest.mark.timeout(180)
def test_a_whole_life(own):
    rest, protocol = own.rest, "ws-5"
    worker = own.online(protocol)  # issue
    worker_id, issued = worker.worker_id, worker.token

    def status():
        return rest.worker(worker_id)["status"]

    def events():
        return events_of(own, worker_id)

    # Renewal, over the live session.
    renewed = worker.receive("token", 8)
    assert admitted(own, worker_id, issued, protocol)
    acknowledge(worker, renewed)
    wait_until(lambda: "renewed" in events(), 5)
    assert status() == "active"
    assert admitted(own, worker_id, issued, protocol)
    wait_until(lambda: not admitted(own, worker_id, issued, protocol), 6)
    worker.wire.ping()

    # A renewal that the worker refuses, then one that it does not answer.
    refused = worker.receive("token", 15)
    acknowledge(worker, refused, success=False, error="out of space")
    wait_until(lambda: status() == "update_required", 5)
    assert rest.worker(worker_id)["renewal_failure_reason"] == "out of space"
    ignored = worker.receive("token", 5)  # again after the pause
    wait_until(lambda: "acknowledge" in rest.worker(worker_id)["renewal_failure_reason"], 6)
    assert admitted(own, worker_id, renewed["new_token"], protocol)

    # Recovery.
    taken = worker.receive("token", 5)
    assert len({m["renewal_id"] for m in (renewed, refused, ignored, taken)}) == 4
    acknowledge(worker, taken)
    wait_until(lambda: status() == "active", 5)
    assert rest.worker(worker_id)["renewal_failure_reason"] is None
    worker.wire.ping()
    assert rest.status_of(worker_id)["connected"] is True

    # Revocation and reinstatement: what it has saved is good again.
    rest.post(f"/workers/{worker_id}/revoke", {"reason": "lost"})
    assert worker.receive("notice", 2)["code"] == "WORKER_REVOKED"
    assert worker.wire.wait_closed(1)
    assert not admitted(own, worker_id, taken["new_token"], protocol)
    rest.post(f"/workers/{worker_id}/reinstate")
    saved = Identity(worker_id, taken["new_token"])
    worker = own.worker(saved, protocol).connect()

    # Expiry: it takes no new token any more.
    assert worker.receive("notice", 16)["code"] == "TOKEN_EXPIRED"
    assert worker.wire.wait_closed(1)
    row = rest.wait_connected(worker_id, False)
    assert row["disconnect_reason"] == "token_expired"
    wait_until(lambda: "token_expired" in events(), 5)
    assert not admitted(own, worker_id, taken["new_token"], protocol)
    wait_until(lambda: own.database.query(
        "SELECT 1 FROM token_log WHERE worker_id = %s AND code = 'TOKEN_EXPIRED'", worker_id), 5)

    # Only an operator can help now.
    rotated = rest.post(f"/workers/{worker_id}/token")
    assert status() == "active"
    own.worker(Identity(worker_id, rotated["token"]), protocol).connect()
    assert events().count("token_expired") == 1


def test_sessions_are_told_of_their_tokens_end_while_the_bridge_is_away(own):
    workers = [own.online(protocol) for protocol in PROTOCOLS]
    for worker in workers:
        own.database.query("UPDATE tokens SET expires_at = UTC_TIMESTAMP(3) + INTERVAL 5 SECOND"
                           " WHERE worker_id = %s AND role = 'current'", worker.worker_id)
        own.rest.post(f"/workers/{worker.worker_id}/reinstate")  # the plugin learns of it
    own.bridge.kill9()
    try:
        for worker in workers:
            assert worker.receive("notice", 12)["code"] == "TOKEN_EXPIRED"
            assert worker.wire.wait_closed(3)
    finally:
        own.bridge.start()
    for worker in workers:
        row = own.rest.wait_connected(worker.worker_id, False)
        assert row["disconnect_reason"] == "token_expired"
        wait_until(lambda w=worker: "token_expired" in events_of(own, w.worker_id), 5)

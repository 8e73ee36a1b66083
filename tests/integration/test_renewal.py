# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Renewal: a new token over the live session, and nobody locked out whatever goes wrong."""

import json

import pytest

from harness.bridge import Bridge
from harness.identity import Identity
from harness.rest import Rest
from harness.site import Site
from harness.wait import wait_until
from harness.worker import Refused

# A token lives for days, and is renewed in its last ten seconds; a renewal is waited for 3 s.
BY_HAND = {"ROLLCALL_RENEWAL_WINDOW": "10", "ROLLCALL_RENEWAL_OVERLAP": "3",
           "ROLLCALL_RENEWAL_TIMEOUT": "3", "ROLLCALL_RENEWAL_RETRY": "2",
           "ROLLCALL_JOB_RENEWAL": "1", "ROLLCALL_JOB_TOKEN_EXPIRY": "1"}


@pytest.fixture(scope="module")
def quiet(new_directory, database_server):
    site = Site(new_directory("renewal"), database_server, BY_HAND)
    yield site
    site.close()


@pytest.fixture
def own(quiet):
    yield quiet
    quiet.dismiss()


def admits(site, worker_id, token):
    try:
        site.worker(Identity(worker_id, token), "tcp-5", "probe").connect().disconnect()
    except Refused:
        return False
    return True


def renew(site, worker):
    """Starts a renewal; what the worker's session gets."""
    answer = site.rest.post(f"/workers/{worker.worker_id}/renew", status=202)
    message = worker.receive("token")
    assert (message["type"], message["renewal_id"]) == ("token_renewal", answer["renewal_id"])
    assert message["expires_at"] == answer["token_expires_at"]
    return message


def acknowledge(worker, message, success=True, **more):
    body = {"success": success, "renewal_id": message["renewal_id"], **more}
    assert worker.publish("token/ack", body) == 0


def roles(site, worker_id):
    rows = site.database.query("SELECT role, COUNT(*) AS n FROM tokens WHERE worker_id = %s"
                               " AND role <> 'ended' GROUP BY role", worker_id)
    return {row["role"]: row["n"] for row in rows}


def wait_status(site, worker_id, status):
    def reached():
        row = site.rest.worker(worker_id)
        return row if row["status"] == status else None
    return wait_until(reached, 10, f"{worker_id} is {status}")


def wait_renewed(site, worker_id, message):
    """Until it is so in the broker, too: what it replaces ends there a moment later."""
    def renewed():
        row = site.rest.worker(worker_id)
        return row["token_expires_at"] == message["expires_at"] and row["enforced"]
    wait_until(renewed, 10, "the new token is the current one")


def events_of(site, worker_id):
    return [row["event"] for row in site.database.query(
        "SELECT event FROM token_log WHERE worker_id = %s ORDER BY id", worker_id)]


def test_a_new_token_comes_over_the_session_and_works_at_once(own):
    worker = own.online()
    message = renew(own, worker)
    assert message["new_token"].startswith("tk_") and message["new_token"] != worker.token
    assert admits(own, worker.worker_id, worker.token)
    assert roles(own, worker.worker_id) == {"current": 1, "pending": 1}
    worker.wire.ping()


def test_an_acknowledged_token_replaces_the_old_one_which_works_a_while(own):
    worker = own.online()
    message = renew(own, worker)
    acknowledge(worker, message)
    wait_renewed(own, worker.worker_id, message)
    assert roles(own, worker.worker_id) == {"current": 1, "previous": 1}
    assert admits(own, worker.worker_id, worker.token)
    assert admits(own, worker.worker_id, message["new_token"])
    wait_until(lambda: not admits(own, worker.worker_id, worker.token), 8, "the overlap is over")
    assert admits(own, worker.worker_id, message["new_token"])
    # The session that began with the old token is what brought the new one.
    worker.wire.ping()
    assert own.rest.status_of(worker.worker_id)["connected"] is True
    assert [e for e in events_of(own, worker.worker_id) if "renew" in e] == \
        ["renewal_started", "renewed"]


def test_a_login_with_the_new_token_confirms_it(own):
    worker = own.online()
    message = renew(own, worker)
    own.worker(Identity(worker.worker_id, message["new_token"]), "ws-3.1.1").connect()
    wait_renewed(own, worker.worker_id, message)
    assert roles(own, worker.worker_id) == {"current": 1, "previous": 1}


def test_all_sessions_get_the_token_and_none_ends(own):
    first = own.online()
    second = own.online("tcp-3.1.1", Identity(first.worker_id, first.token), "b")
    message = renew(own, first)
    assert second.receive("token") == message
    acknowledge(second, message)
    wait_renewed(own, first.worker_id, message)
    acknowledge(first, message)  # once more, by the sibling
    wait_until(lambda: not admits(own, first.worker_id, first.token), 8)
    for session in (first, second):
        session.wire.ping()
    assert events_of(own, first.worker_id).count("renewed") == 1


def test_an_acknowledgement_counts_for_the_token_sent_last(own):
    worker = own.online()
    first, second = renew(own, worker), renew(own, worker)
    acknowledge(worker, first)
    acknowledge(worker, {"renewal_id": "rnw_unknown"})
    assert worker.publish("token/ack", {"success": True}) == 0
    assert worker.publish("token/ack", "rubbish") == 0
    acknowledge(worker, second)
    wait_renewed(own, worker.worker_id, second)
    assert events_of(own, worker.worker_id).count("renewed") == 1
    assert not admits(own, worker.worker_id, first["new_token"])


def test_a_worker_that_missed_the_second_of_two_gets_in_with_the_first(own):
    worker = own.online()
    first, second = renew(own, worker), renew(own, worker)
    worker.drop()
    assert admits(own, worker.worker_id, first["new_token"])
    wait_renewed(own, worker.worker_id, first)
    assert admits(own, worker.worker_id, second["new_token"])


def test_a_refused_token_is_a_failure_that_success_clears(own):
    worker = own.online()
    message = renew(own, worker)
    acknowledge(worker, message, False, error="the disk is full")
    row = wait_status(own, worker.worker_id, "update_required")
    assert row["renewal_failure_reason"] == "the disk is full"
    assert row["renewal_failure_at"].endswith("Z")
    # Still let in; and the token that was refused is good until another one is sent. (A login
    # with it would make it the current one.)
    assert admits(own, worker.worker_id, worker.token)
    assert roles(own, worker.worker_id) == {"current": 1, "pending": 1}
    another = renew(own, worker)
    wait_until(lambda: roles(own, worker.worker_id) == {"current": 1, "pending": 1}, 5)
    wait_until(lambda: own.rest.worker(worker.worker_id)["enforced"], 5)
    assert not admits(own, worker.worker_id, message["new_token"])
    acknowledge(worker, another)
    row = wait_status(own, worker.worker_id, "active")
    assert (row["renewal_failure_reason"], row["renewal_failure_at"]) == (None, None)


def test_a_refusal_without_a_renewal_id_means_the_last_one(own):
    worker = own.online()
    renew(own, worker)
    assert worker.publish("token/ack", {"success": False, "error": "no"}) == 0
    assert wait_status(own, worker.worker_id, "update_required")["renewal_failure_reason"] == "no"


def test_a_token_that_nobody_acknowledges_fails_and_stays_good(own):
    worker = own.online()
    message = renew(own, worker)
    row = wait_status(own, worker.worker_id, "update_required")
    assert "acknowledge" in row["renewal_failure_reason"]
    assert events_of(own, worker.worker_id)[-1] == "renewal_failed"
    assert admits(own, worker.worker_id, message["new_token"])
    wait_status(own, worker.worker_id, "active")


def test_a_late_acknowledgement_counts(own):
    worker = own.online()
    message = renew(own, worker)
    wait_status(own, worker.worker_id, "update_required")
    acknowledge(worker, message)
    wait_status(own, worker.worker_id, "active")
    wait_renewed(own, worker.worker_id, message)


def test_who_cannot_be_renewed(own):
    identity = own.rest.register()
    own.rest.fails("POST", f"/workers/{identity.worker_id}/renew", 409, "WORKER_NOT_CONNECTED")
    own.rest.fails("POST", "/workers/wrk_nobody/renew", 404, "WORKER_NOT_FOUND")
    own.rest.fails("POST", f"/workers/{identity.worker_id}/renew", 400, "INVALID_REQUEST",
                   json={"force": True})
    own.rest.post(f"/workers/{identity.worker_id}/revoke")
    own.rest.fails("POST", f"/workers/{identity.worker_id}/renew", 409, "WORKER_REVOKED")
    assert roles(own, identity.worker_id) == {"current": 1}


def test_no_other_worker_hears_of_it(own):
    worker, other = own.online(), own.online("tcp-5")
    renew(own, worker)
    other.wire.ping()
    assert other.wire.received_so_far() == []


@pytest.mark.parametrize("action", ["token", "revoke"])
def test_rotation_and_revocation_end_the_new_token_too(own, action):
    worker = own.online()
    message = renew(own, worker)
    own.rest.post(f"/workers/{worker.worker_id}/{action}")
    assert worker.wire.wait_closed(1)
    assert not admits(own, worker.worker_id, worker.token)
    assert not admits(own, worker.worker_id, message["new_token"])


def test_tokens_are_in_the_database_as_hashes_alone(own):
    worker = own.online()
    message = renew(own, worker)
    acknowledge(worker, message)
    wait_renewed(own, worker.worker_id, message)
    for table in own.database.tables():
        dump = json.dumps(own.database.query(f"SELECT * FROM `{table}`"), default=str)
        assert message["new_token"] not in dump, table
    assert message["new_token"] not in own.bridge.process.log_text()


# ---- with the bridge away --------------------------------------------------------------------


def test_an_acknowledgement_that_no_bridge_heard_counts(own):
    worker = own.online()
    message = renew(own, worker)
    own.bridge.kill9()
    acknowledge(worker, message)
    own.bridge.start()
    wait_renewed(own, worker.worker_id, message)


def test_a_login_that_no_bridge_heard_of_counts(own):
    worker = own.online()
    message = renew(own, worker)
    own.bridge.kill9()
    worker.drop()
    own.worker(Identity(worker.worker_id, message["new_token"]), "tcp-5").connect()
    own.bridge.start()
    wait_renewed(own, worker.worker_id, message)


def test_a_new_token_survives_the_broker(own):
    worker = own.online()
    message = renew(own, worker)
    acknowledge(worker, message)
    own.broker.kill9()
    own.broker.start()
    worker = own.worker(Identity(worker.worker_id, message["new_token"]), "tcp-5").connect()
    own.bridge.wait_ready()
    wait_renewed(own, worker.worker_id, message)


def test_two_bridges_renew_once(own, new_directory):
    other = Bridge(new_directory("second"), own.broker, own.database, "second", **BY_HAND)
    other.start()
    worker = own.online()
    message = renew(own, worker)
    acknowledge(worker, message)
    wait_renewed(own, worker.worker_id, message)
    other.terminate()
    assert events_of(own, worker.worker_id).count("renewed") == 1


def test_what_a_dead_bridge_left_to_push_another_one_pushes(own, new_directory):
    """It died between the commit and the push: the database knows, the plugin does not."""
    worker = own.online()
    own.database.query("UPDATE directory_state SET n = LAST_INSERT_ID(n + 1)")
    own.database.query("UPDATE workers SET status = 'revoked', revision ="
                       " (SELECT n FROM directory_state) WHERE id = %s", worker.worker_id)
    assert worker.receive("notice", 3)["code"] == "WORKER_REVOKED"
    assert worker.wire.wait_closed(1)


def test_a_worker_that_is_deleted_behind_the_bridges_back_is_shut_out(own):
    worker = own.online()
    own.database.query("UPDATE directory_state SET n = LAST_INSERT_ID(n + 1)")
    own.database.query("INSERT INTO worker_tombstones SELECT %s, n, UTC_TIMESTAMP(3)"
                       " FROM directory_state", worker.worker_id)
    own.database.query("DELETE FROM workers WHERE id = %s", worker.worker_id)
    assert worker.receive("notice", 3)["code"] == "WORKER_DELETED"


# ---- by itself -------------------------------------------------------------------------------


def end_in(site, worker_id, seconds):
    """Lets the worker's token end so soon, as the plugin will hear with its next push."""
    site.database.query("UPDATE tokens SET expires_at = UTC_TIMESTAMP(3) + INTERVAL %s SECOND"
                        " WHERE worker_id = %s AND role = 'current'", seconds, worker_id)


def test_a_token_in_its_last_days_is_renewed_by_itself(own):
    worker, fresh = own.online(), own.online()
    end_in(own, worker.worker_id, 8)
    message = worker.receive("token", 4)
    acknowledge(worker, message)
    wait_renewed(own, worker.worker_id, message)
    assert roles(own, fresh.worker_id) == {"current": 1}


def test_a_worker_that_was_away_is_sent_its_token_when_it_comes(own):
    identity = own.rest.register()
    end_in(own, identity.worker_id, 8)
    own.rest.post(f"/workers/{identity.worker_id}/reinstate")  # the roster learns the new end
    runs = own.database.value("SELECT runs FROM scheduled_jobs WHERE name = 'renewal'")
    wait_until(lambda: own.database.value("SELECT runs FROM scheduled_jobs WHERE"
                                          " name = 'renewal'") > runs + 1, 5)
    assert roles(own, identity.worker_id) == {"current": 1}
    worker = own.online(identity=identity)
    acknowledge(worker, worker.receive("token", 2))
    wait_until(lambda: roles(own, identity.worker_id).get("previous") == 1, 5)


def test_a_token_that_was_lost_on_the_way_is_followed_by_another(own):
    worker = own.online()
    end_in(own, worker.worker_id, 9)
    lost = worker.receive("token", 4)
    worker.drop()
    worker = own.online("tcp-5", Identity(worker.worker_id, worker.token))
    message = worker.receive("token", 8)
    assert message["renewal_id"] != lost["renewal_id"]
    acknowledge(worker, message)
    wait_renewed(own, worker.worker_id, message)


def test_two_bridges_send_one_token_to_a_worker_that_is_due(own, new_directory):
    other = Bridge(new_directory("pair"), own.broker, own.database, "pair", **BY_HAND)
    other.start()
    identities = [own.rest.register() for _ in range(5)]
    for identity in identities:
        end_in(own, identity.worker_id, 9)
        own.rest.post(f"/workers/{identity.worker_id}/reinstate")
    with Rest(other.url).login() as elsewhere:
        wait_until(lambda: all(elsewhere.worker(i.worker_id)["token_expires_at"] ==
                               own.rest.worker(i.worker_id)["token_expires_at"]
                               for i in identities), 5)
    workers = [own.online("tcp-5", identity) for identity in identities]
    for worker in workers:
        acknowledge(worker, worker.receive("token", 4))
    for worker in workers:
        wait_until(lambda w=worker: "renewed" in events_of(own, w.worker_id), 5)
        worker.wire.ping()
        assert [m for m in worker.wire.received_so_far() if m.topic.endswith("/token")] == []
        assert events_of(own, worker.worker_id).count("renewal_started") == 1
    other.terminate()

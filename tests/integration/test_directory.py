# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The plugin's directory: what is newer wins, what was deleted stays so, a sync is bounded."""

import json
import uuid

import pytest

from harness.identity import new_identity, new_token
from harness.observer import CONTROL, RESPONSE
from harness.worker import Refused


@pytest.fixture
def own(new_hall):
    """A directory of one's own, since a synchronisation replaces all of it."""
    return new_hall()


def entry(hall, identity, n, status="active", epoch=None):
    return hall.directory.entry(identity.worker_id, [hall.directory.hash_entry(identity.token)],
                                status, hall.directory.revision(n, epoch))


def held(hall):
    """What the directory holds: worker id to status, without tombstones."""
    found, after = {}, None
    while True:
        page = hall.observer.call("getDirectory", limit=2, **({"after": after} if after else {}))
        found.update({w["worker_id"]: w["status"] for w in page["workers"]
                      if w["status"] != "deleted"})
        after = page["next"]
        if after is None:
            return found


def admits(hall, identity):
    try:
        hall.worker(identity, "tcp-5").connect().disconnect()
    except Refused:
        return False
    return True


def begin(hall, snapshot_n, epoch=None):
    return hall.observer.call("beginSync", epoch=epoch or hall.directory.epoch,
                              snapshot_n=snapshot_n)


def end(hall, sync, count, **more):
    return hall.observer.call("endSync", sync_id=sync["sync_id"], count=count, **more)


# ---- revisions -------------------------------------------------------------------------------


def test_a_newer_revision_replaces_an_older_one(own):
    identity = new_identity()
    assert own.directory.put(entry(own, identity, 5))["applied"] == 1
    assert own.directory.put(entry(own, identity, 6, "revoked"))["applied"] == 1
    assert held(own) == {identity.worker_id: "revoked"}


def test_an_older_revision_changes_nothing(own):
    identity = new_identity()
    own.directory.put(entry(own, identity, 6, "revoked"))
    answer = own.directory.put(entry(own, identity, 5))
    assert (answer["applied"], answer["stale"]) == (0, 1)
    assert not admits(own, identity)


def test_the_same_revision_again_is_unchanged(own):
    identity = new_identity()
    own.directory.put(entry(own, identity, 5))
    answer = own.directory.put(entry(own, identity, 5))
    assert (answer["applied"], answer["unchanged"], answer["stale"]) == (0, 1, 0)


def test_a_tombstone_outlasts_an_older_revision(own):
    identity = new_identity()
    own.directory.put(entry(own, identity, 5))
    assert own.directory.delete(identity.worker_id, own.directory.revision(7))["applied"] == 1
    assert own.directory.put(entry(own, identity, 6))["stale"] == 1
    (tombstone,) = own.observer.call("getDirectory")["workers"]
    assert (tombstone["worker_id"], tombstone["status"]) == (identity.worker_id, "deleted")
    assert held(own) == {} and not admits(own, identity)


def test_a_worker_that_is_deleted_before_it_was_put_stays_deleted(own):
    identity = new_identity()
    own.directory.delete(identity.worker_id, own.directory.revision(7))
    assert own.directory.put(entry(own, identity, 6))["stale"] == 1


def test_another_epoch_is_not_taken_without_a_synchronisation(own):
    own.observer.expect_error("EPOCH_MISMATCH", "putWorkers", workers=[
        entry(own, new_identity(), 99, epoch="another")])
    own.observer.expect_error("EPOCH_MISMATCH", "deleteWorkers", workers=[
        {"worker_id": "wrk_a", "revision": own.directory.revision(99, "another")}])
    assert held(own) == {}


def test_the_directory_is_shown_with_its_revisions(own):
    identity = new_identity()
    own.directory.put(entry(own, identity, 17))
    page = own.observer.call("getDirectory")
    assert (page["epoch"], page["max_n"], page["count"]) == (own.directory.epoch, 17, 1)
    (worker,) = page["workers"]
    assert worker["revision"] == {"epoch": own.directory.epoch, "n": 17}
    (shown,) = worker["token_hashes"]
    sent = own.directory.hash_entry(identity.token)
    assert (shown["hash"], shown["role"]) == (sent["hash"], "current")


def test_nothing_but_numbers_is_shown_when_nobody_is_asked_for(own):
    own.directory.put(entry(own, new_identity(), 3))
    page = own.observer.call("getDirectory", limit=0)
    assert (page["count"], page["workers"]) == (1, [])


# ---- effects on sessions ---------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["tcp-5", "ws-3.1.1"])
def test_revoking_closes_live_sessions_at_once(hall, protocol):
    worker = hall.online(protocol)
    hall.directory.put(hall.directory.entry(
        worker.worker_id, [hall.directory.hash_entry(worker.token)], "revoked"))
    assert worker.receive("notice", 1)["code"] == "WORKER_REVOKED"
    assert worker.wire.wait_closed(1)
    assert hall.observer.wait_event(worker.worker_id, connected=False)["reason"] == "revoked"


def test_deleting_closes_live_sessions_and_leaves_nothing_retained(hall):
    worker = hall.online("tcp-5")
    hall.directory.delete(worker.worker_id)
    assert worker.receive("notice", 1)["code"] == "WORKER_DELETED"
    assert worker.wire.wait_closed(1)
    assert hall.observer.wait_event(worker.worker_id, connected=False)["reason"] == "deleted"
    late = hall.wire(hall.broker.ordinary_wire())
    late.subscribe(worker.topic("presence"))
    assert late.received_so_far() == []


def test_a_session_whose_token_was_replaced_is_closed_and_others_are_not(hall):
    worker = hall.online("tcp-5")
    token = new_token()
    both = [hall.directory.hash_entry(worker.token, role="previous"),
            hall.directory.hash_entry(token)]
    hall.directory.put(hall.directory.entry(worker.worker_id, both))
    newer = hall.online("tcp-5", (worker.worker_id, token), session="new")
    hall.directory.put(hall.directory.entry(worker.worker_id, both[1:]))
    assert worker.wire.wait_closed(1)
    assert newer.subscribe("commands") == 1
    assert hall.observer.connection(worker.worker_id)["session_count"] == 1


def test_an_unchanged_token_under_a_new_revision_disturbs_nobody(hall):
    worker = hall.online("tcp-5")
    hall.directory.put(hall.directory.entry(
        worker.worker_id, [hall.directory.hash_entry(worker.token, expires_in=60)],
        "update_required"))
    assert worker.subscribe("commands") == 1
    assert len(hall.observer.events_of(worker.worker_id)) == 1


# ---- synchronisation -------------------------------------------------------------------------


def test_a_sync_drops_those_who_were_not_mentioned(own):
    stay, go = [new_identity() for _ in range(3)], new_identity()
    own.directory.put(*[entry(own, i, 5) for i in [*stay, go]])
    session = own.online("tcp-5", go)
    sync = begin(own, 10)
    assert (sync["epoch"], sync["max_n"], sync["count"]) == (own.directory.epoch, 5, 4)
    own.directory.put(*[entry(own, i, 5) for i in stay], sync_id=sync["sync_id"])
    assert end(own, sync, 3)["dropped"] == 1
    assert set(held(own)) == {i.worker_id for i in stay}
    assert session.wire.wait_closed(1)


def test_a_sync_keeps_what_is_newer_than_its_snapshot(own):
    """A worker that was registered while the bridge was reading the others."""
    old, late = new_identity(), new_identity()
    own.directory.put(entry(own, old, 5))
    sync = begin(own, 5)
    own.directory.put(entry(own, late, 6))
    own.directory.put(entry(own, old, 5), sync_id=sync["sync_id"])
    assert end(own, sync, 1)["dropped"] == 0
    assert set(held(own)) == {old.worker_id, late.worker_id}


def test_a_sync_with_another_count_changes_nothing(own):
    identity = new_identity()
    own.directory.put(entry(own, identity, 5))
    sync = begin(own, 5)
    own.observer.expect_error("SYNC_MISMATCH", "endSync", sync_id=sync["sync_id"], count=1)
    own.observer.expect_error("SYNC_MISMATCH", "endSync", sync_id="unheard of", count=0)
    assert admits(own, identity)


def test_a_sync_that_would_drop_more_than_half_needs_force(own):
    identities = [new_identity() for _ in range(4)]
    own.directory.put(*[entry(own, i, 5) for i in identities])
    sync = begin(own, 5)
    own.directory.put(entry(own, identities[0], 5), sync_id=sync["sync_id"])
    own.observer.expect_error("SYNC_TOO_DESTRUCTIVE", "endSync", sync_id=sync["sync_id"], count=1)
    assert len(held(own)) == 4
    sync = begin(own, 5)
    own.directory.put(entry(own, identities[0], 5), sync_id=sync["sync_id"])
    assert end(own, sync, 1, force=True)["dropped"] == 3


def test_a_new_epoch_replaces_everything(own):
    """Its numbers begin anew, so that a smaller one is not an older one."""
    stay, go = [new_identity() for _ in range(2)], new_identity()
    own.directory.put(*[entry(own, i, 50) for i in [*stay, go]])
    epoch = uuid.uuid4().hex
    sync = begin(own, 3, epoch)
    assert sync["epoch"] == own.directory.epoch
    own.directory.put(entry(own, stay[0], 1, "revoked", epoch), entry(own, stay[1], 2, epoch=epoch),
                      sync_id=sync["sync_id"])
    assert end(own, sync, 2)["dropped"] == 1
    assert held(own) == {stay[0].worker_id: "revoked", stay[1].worker_id: "active"}
    assert own.observer.call("getDirectory", limit=0)["epoch"] == epoch
    own.observer.expect_error("EPOCH_MISMATCH", "putWorkers", workers=[entry(own, go, 99)])


def test_two_clients_cannot_synchronise_at_once(own):
    begin(own, 5)
    other = own.wire(own.broker.control_wire("another bridge"))
    other.publish(CONTROL, json.dumps({"commands": [
        {"command": "beginSync", "epoch": own.directory.epoch, "snapshot_n": 5}]}))
    answer = json.loads(other.receive(RESPONSE).payload)["responses"][0]
    assert answer["error"]["code"] == "CONFLICT"
    assert end(own, begin(own, 5), 0)["dropped"] == 0


# ---- durability ------------------------------------------------------------------------------


def test_what_was_answered_survives_a_kill(own):
    keep, revoked, deleted = new_identity(), new_identity(), new_identity()
    own.directory.put(*[entry(own, i, 5) for i in (keep, revoked, deleted)])
    own.directory.put(entry(own, revoked, 6, "revoked"))
    own.directory.delete(deleted.worker_id, own.directory.revision(7))
    own.broker.kill9()
    own.broker.start()
    own.observer.wait_ready()
    assert held(own) == {keep.worker_id: "active", revoked.worker_id: "revoked"}
    assert (admits(own, keep), admits(own, revoked), admits(own, deleted)) == (True, False, False)
    assert own.directory.put(entry(own, deleted, 6))["stale"] == 1

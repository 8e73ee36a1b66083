# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Which logins are let in, which are refused, and what is said about the refused ones."""

import pytest

from harness.broker import BRIDGE_PASSWORD, BRIDGE_USER, ORDINARY_PASSWORD, ORDINARY_USER
from harness.directory import HOUR_S
from harness.identity import new_identity, new_token
from harness.wait import wait_until
from harness.wire import Closed
from harness.worker import PROTOCOLS

# What CONNACK says to one who may not come in: "not authorised", or on Mosquitto 2.1 a word
# that fits better.
NOT_AUTHORISED = {4: 5, 5: 0x87}


@pytest.fixture(params=PROTOCOLS)
def protocol(request):
    return request.param


def refused(hall, protocol, client_id, username, password, **options):
    """Tries to log in; true if it was refused by a CONNACK that says so."""
    websocket, version = PROTOCOLS[protocol]
    wire = hall.wire(hall.broker.wire(websocket, version))
    code = wire.connect(client_id, username, password, **options)
    if hall.broker.version < (2, 1):
        assert code in (0, NOT_AUTHORISED[version])
    assert code == 0 or wire.wait_closed()
    return code != 0


def assert_refused(hall, protocol, code, worker_id, client_id, password, **options):
    assert refused(hall, protocol, client_id, worker_id, password, **options)
    row = hall.observer.wait_audit(worker_id, code)
    assert (row["client_id"], row["count"], row["node"]) == (client_id, 1, "test-node")
    assert row["address"].endswith("127.0.0.1") and row["at"].endswith("Z")
    # Only what a stranger typed himself: neither a token nor its hash.
    assert not set(row) - {"node", "at", "code", "worker_id", "client_id", "address", "count"}
    assert hall.observer.last_event(worker_id) is None


def test_a_wrong_token_is_refused(hall, protocol):
    identity = hall.enroll()
    assert_refused(hall, protocol, "INVALID_TOKEN", identity.worker_id, identity.worker_id,
                   new_token())


def test_another_workers_token_is_refused(hall, protocol):
    identity, other = hall.enroll(), hall.enroll()
    assert_refused(hall, protocol, "TOKEN_MISMATCH", identity.worker_id, identity.worker_id,
                   other.token)


def test_an_expired_token_is_refused(hall, protocol):
    identity = hall.enroll(expires_in=-1)
    assert_refused(hall, protocol, "TOKEN_EXPIRED", identity.worker_id, *identity)


def test_an_unknown_worker_is_refused(hall, protocol):
    stranger = new_identity()
    assert_refused(hall, protocol, "WORKER_NOT_FOUND", stranger.worker_id, *stranger)


def test_a_deleted_worker_is_refused(hall, protocol):
    identity = hall.enroll(worker_id=f"imported-{protocol.replace('.', '_')}")
    hall.directory.delete(identity.worker_id)
    assert_refused(hall, protocol, "WORKER_NOT_FOUND", identity.worker_id, *identity)


def test_a_revoked_worker_is_refused(hall, protocol):
    identity = hall.enroll(status="revoked")
    assert_refused(hall, protocol, "WORKER_REVOKED", identity.worker_id, *identity)


def test_a_session_that_would_persist_is_refused(hall, protocol):
    identity = hall.enroll()
    assert_refused(hall, protocol, "PERSISTENT_SESSION", identity.worker_id, *identity,
                   clean=False)


@pytest.mark.parametrize("keepalive", [0, 121, 65535])
def test_a_keepalive_that_is_none_is_refused(hall, protocol, keepalive):
    identity = hall.enroll()
    assert_refused(hall, protocol, "KEEPALIVE_REFUSED", identity.worker_id, *identity,
                   keepalive=keepalive)


@pytest.mark.parametrize("keepalive", [1, 120])
def test_the_bounds_of_the_keepalive_are_let_in(hall, keepalive):
    hall.online("tcp-5", keepalive=keepalive)


@pytest.mark.parametrize("suffix", ["x", ".", ".a b", "." + "x" * 33, ".a.b", ".ä", "/a"])
def test_a_client_id_of_another_form_is_refused(hall, protocol, suffix):
    identity = hall.enroll()
    client_id = identity.worker_id + suffix
    assert refused(hall, protocol, client_id, *identity)
    hall.observer.wait_audit(identity.worker_id, "CLIENT_ID_REFUSED")


@pytest.mark.parametrize("suffix", ["", ".b", ".0", "._-", "." + "x" * 32])
def test_a_client_id_of_the_workers_own_is_let_in(hall, suffix):
    hall.online("tcp-5", session=suffix[1:])


def test_another_workers_client_id_is_refused(hall, protocol):
    victim = hall.online(protocol)
    thief = hall.enroll()
    for client_id in (victim.worker_id, victim.worker_id + ".b"):
        assert refused(hall, protocol, client_id, *thief)
    row = hall.observer.wait_audit(thief.worker_id, "CLIENT_ID_REFUSED")
    assert row["client_id"] == victim.worker_id
    assert_undisturbed(hall, victim)


def assert_undisturbed(hall, worker):
    worker.wire.ping()
    events = hall.observer.events_of(worker.worker_id)
    assert [e["state"] for e in events] == ["online"]
    connection = hall.observer.connection(worker.worker_id)
    assert [s["client_id"] for s in connection["sessions"]] == [worker.client_id]


def test_an_ordinary_user_cannot_take_a_workers_client_id(hall, protocol):
    victim = hall.online(protocol)
    for client_id in (victim.worker_id, victim.worker_id + ".b"):
        assert refused(hall, protocol, client_id, ORDINARY_USER, ORDINARY_PASSWORD)
    assert_undisturbed(hall, victim)


def test_even_a_control_user_cannot_take_a_workers_client_id(hall):
    victim = hall.online("tcp-5")
    assert refused(hall, "tcp-5", victim.worker_id, BRIDGE_USER, BRIDGE_PASSWORD)
    assert_undisturbed(hall, victim)


def test_a_failed_login_with_a_live_sessions_client_id_does_not_disturb_it(hall, protocol):
    victim = hall.online(protocol)
    for _ in range(5):
        assert refused(hall, protocol, victim.client_id, victim.worker_id, new_token())
    assert refused(hall, protocol, victim.client_id, victim.worker_id, victim.token, clean=False)
    assert refused(hall, protocol, victim.client_id, victim.worker_id, victim.token, keepalive=0)
    assert_undisturbed(hall, victim)


def test_a_worker_cannot_log_in_without_its_client_id(hall):
    """MQTT lets the broker choose one; that would not be the worker's."""
    identity = hall.enroll()
    assert refused(hall, "tcp-5", "", *identity)
    hall.observer.wait_audit(identity.worker_id, "CLIENT_ID_REFUSED")


def test_a_worker_without_a_password_is_refused(hall):
    identity = hall.enroll()
    wire = hall.wire(hall.broker.wire())
    assert wire.connect(identity.worker_id, identity.worker_id) != 0
    hall.observer.wait_audit(identity.worker_id, "INVALID_TOKEN")


def test_one_without_a_user_name_is_refused(hall):
    wire = hall.wire(hall.broker.wire())
    assert wire.connect("anyone") != 0


def test_repeated_refusals_are_counted_in_one_row_a_minute(hall):
    identity = hall.enroll()
    for _ in range(5):
        assert refused(hall, "tcp-5", identity.worker_id, identity.worker_id, new_token())
    hall.observer.wait_audit(identity.worker_id, "INVALID_TOKEN")
    # Another code of the same worker is a row of its own, and comes after all of those.
    assert refused(hall, "tcp-5", identity.worker_id, *identity, keepalive=0)
    hall.observer.wait_audit(identity.worker_id, "KEEPALIVE_REFUSED")
    codes = [row["code"] for row in hall.observer.audit_of(identity.worker_id)]
    assert sorted(codes) == ["INVALID_TOKEN", "KEEPALIVE_REFUSED"]


def test_the_ninth_session_of_a_worker_is_refused(hall, protocol):
    identity = hall.enroll()
    for n in range(8):
        hall.worker(identity, "tcp-5", f"s{n}").connect()
    assert refused(hall, protocol, identity.worker_id + ".s8", *identity)
    hall.observer.wait_audit(identity.worker_id, "TOO_MANY_SESSIONS")
    # One of its own sessions may still be replaced: that does not make them more.
    hall.worker(identity, protocol, "s7").connect()
    wait_until(lambda: hall.observer.connection(identity.worker_id)["session_count"] == 8)


def test_each_of_a_workers_tokens_is_let_in(hall):
    directory, identity, others = hall.directory, hall.enroll(), [new_token(), new_token()]
    directory.put(directory.entry(identity.worker_id, [
        directory.hash_entry(identity.token),
        directory.hash_entry(others[0], role="pending"),
        directory.hash_entry(others[1], expires_in=None, role="previous")]))
    for n, token in enumerate([identity.token, *others]):
        hall.online("tcp-5", (identity.worker_id, token), session=str(n))


def test_a_worker_that_must_update_is_let_in(hall):
    hall.online("tcp-5", hall.enroll(status="update_required"))


def test_a_token_expires_while_the_broker_runs(hall):
    identity = hall.enroll(expires_in=1)
    hall.online("tcp-5", identity, session="early")

    def expired():
        return refused(hall, "tcp-5", identity.worker_id, *identity)
    wait_until(expired, 5)
    hall.observer.wait_audit(identity.worker_id, "TOKEN_EXPIRED")


@pytest.mark.parametrize("protocol", ["tcp-5", "ws-3.1.1"])
def test_a_live_session_ends_when_its_token_expires(hall, protocol):
    identity = hall.enroll(expires_in=2)
    worker = hall.online(protocol, identity)
    assert worker.receive("notice", 4)["code"] == "TOKEN_EXPIRED"
    assert worker.wire.wait_closed(1)
    event = hall.observer.wait_event(identity.worker_id, connected=False)
    assert event["reason"] == "token_expired"


def test_imported_ids_of_any_form_are_let_in(hall):
    for n, worker_id in enumerate(["7", "A_b-C", "x" * 64]):
        hall.online("tcp-5", hall.enroll(worker_id=worker_id, expires_in=HOUR_S + n))


def test_only_websockets_may_be_allowed(new_hall):
    hall = new_hall(transports="websockets")
    identity = hall.enroll()
    assert refused(hall, "tcp-5", identity.worker_id, *identity)
    hall.online("ws-5", identity)


def test_any_path_leads_to_the_broker(hall):
    identity = hall.enroll()
    for path in ("/", "/ws", "/mqtt", f"/ws/{identity.worker_id}?x=y", "/ws/wrk_someoneelse"):
        wire = hall.wire(hall.broker.wire(True, 5, path))
        assert wire.connect(identity.worker_id, *identity) == 0


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", b"\x10\x00", b"\x10\xff\xff\xff\xff",
                                  b"\x10\x0c\x00\x04MQTT\x05\x00\x00\x00\x00\x00", b"\0" * 100])
def test_what_is_no_login_disturbs_nobody(hall, data):
    worker = hall.online("tcp-5")
    stranger = hall.wire(hall.broker.wire())
    try:
        stranger.send_raw(data)
        stranger.wait_closed(1)
    except Closed:
        pass
    assert_undisturbed(hall, worker)

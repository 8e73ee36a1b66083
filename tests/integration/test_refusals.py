# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Every row of the table of refused logins, over both transports and both versions of MQTT: what the
client is told, what is audited, and that nobody else feels it."""

import re

import pytest

from harness.directory import HOUR_S
from harness.identity import new_identity, new_token
from harness.settings import ROOT
from harness.site import Hall
from harness.worker import PROTOCOLS

# Small enough to be reached, large enough not to be in the way of the other rows.
CONNECTS, SESSIONS = 6, 2

# What CONNACK says, whichever of the rows it was: "not authorised". (Mosquitto 2.1 has a word of
# its own for some of them.)
NOT_AUTHORISED = {4: 5, 5: 0x87}


@pytest.fixture(scope="module")
def table_hall(new_directory):
    hall = Hall(new_directory("table"), max_sessions_per_worker=SESSIONS,
                connects_per_minute=CONNECTS, auth_failures_per_minute=100000)
    yield hall
    hall.close()
    assert not hall.observer.faults


@pytest.fixture(scope="module")
def websockets_hall(new_directory):
    hall = Hall(new_directory("websockets"), transports="websockets")
    yield hall
    hall.close()


class Case:
    """One login that is to be refused: its identity, client id and options."""

    def __init__(self, identity, client_id=None, **options):
        self.identity, self.options = identity, options
        self.client_id = client_id or identity[0]


def with_other_token(hall):
    return Case((hall.enroll().worker_id, new_token()))


def with_token_of_another(hall):
    return Case((hall.enroll().worker_id, hall.enroll().token))


def with_client_id_of_another(hall):
    return Case(hall.enroll(), hall.enroll().worker_id)


def with_all_sessions_open(hall, protocol):
    identity = hall.enroll(expires_in=HOUR_S)
    for n in range(SESSIONS):
        hall.worker(identity, protocol, f"s{n}").connect()
    return Case(identity, identity.worker_id + ".more")


def after_many_logins(hall, protocol):
    identity = hall.enroll()
    for _ in range(CONNECTS):
        hall.worker(identity, protocol).connect()
    return Case(identity)


ROWS = {
    "WORKER_NOT_FOUND": lambda hall, _: Case(new_identity()),
    "WORKER_REVOKED": lambda hall, _: Case(hall.enroll(status="revoked")),
    "INVALID_TOKEN": lambda hall, _: with_other_token(hall),
    "TOKEN_MISMATCH": lambda hall, _: with_token_of_another(hall),
    "TOKEN_EXPIRED": lambda hall, _: Case(hall.enroll(expires_in=-1)),
    "CLIENT_ID_REFUSED": lambda hall, _: with_client_id_of_another(hall),
    "PERSISTENT_SESSION": lambda hall, _: Case(hall.enroll(), clean=False),
    "KEEPALIVE_REFUSED": lambda hall, _: Case(hall.enroll(), keepalive=0),
    "TOO_MANY_SESSIONS": with_all_sessions_open,
    "RATE_LIMITED": after_many_logins,
}


def refuse(hall, protocol, case):
    """The login fails by a CONNACK that tells no more than it must."""
    websocket, version = PROTOCOLS[protocol]
    wire = hall.wire(hall.broker.wire(websocket, version, f"/ws/{case.identity[0]}"))
    code = wire.connect(case.client_id, *case.identity, **case.options)
    assert code == NOT_AUTHORISED[version] or (code != 0 and hall.broker.version >= (2, 1))
    assert wire.wait_closed()


@pytest.mark.parametrize("code", ROWS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_refused_login_is_told_little_and_audited_whole(table_hall, protocol, code):
    hall = table_hall
    neighbour = hall.online(protocol)
    case = ROWS[code](hall, protocol)
    refuse(hall, protocol, case)
    row = hall.observer.wait_audit(case.identity[0], code)
    assert (row["client_id"], row["count"]) == (case.client_id, 1)
    assert row["address"].endswith("127.0.0.1")
    neighbour.wire.ping()
    assert hall.observer.connection(neighbour.worker_id)["session_count"] == 1
    hall.dismiss()


@pytest.mark.parametrize("protocol", [p for p, (ws, _) in PROTOCOLS.items() if not ws])
def test_a_transport_that_is_not_allowed(websockets_hall, protocol):
    """Over the other transport the same worker is let in: this row has one transport alone."""
    case = Case(websockets_hall.enroll())
    refuse(websockets_hall, protocol, case)
    websockets_hall.observer.wait_audit(case.identity[0], "TRANSPORT_REFUSED")
    websockets_hall.online("ws-5", case.identity)
    websockets_hall.dismiss()


def test_the_table_is_the_plugins():
    header = (ROOT / "plugin" / "admit.h").read_text()
    rows = re.findall(r"^\tX\((\w+)\)", header, re.M)
    assert set(rows) == {*ROWS, "TRANSPORT_REFUSED"}

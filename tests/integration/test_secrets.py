# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""That no secret is written down. Every session of these tests is searched when it ends, whichever
tests were in it (conftest.py); this shows that the search finds what it looks for, and makes sure
that a session has all kinds of secrets in it."""

import pytest

from harness import secrets
from harness.identity import new_token
from harness.people import PASSWORD, Person, key_of
from harness.wait import wait_until
from harness.worker import Refused


@pytest.mark.parametrize("place", ["bridge.log", "data/rollcall/token_log.ibd", "plugin/data.mdb"])
def test_a_secret_that_was_written_is_found(tmp_path, place):
    written, beside = tmp_path / "written", tmp_path / "beside"
    beside.mkdir()
    secret, other = new_token(), new_token()
    file = written / place
    file.parent.mkdir(parents=True)
    file.write_bytes(b"\0\xff before " + b"a secret"[:4])
    assert secrets.found_in(written, beside, {secret, other}) == []
    file.write_bytes(b"\0\xff before " + secret.encode() + b"\0after")
    assert secrets.found_in(written, beside, {secret, other}) == \
        [f"{place}: {secret[:8]}… ({len(secret)} characters)"]


def test_a_session_has_secrets_of_every_kind(site, rest):
    """And does with each of them what writes most: right, wrong, and in the wrong place."""
    person, identity, key = Person(rest), rest.register(), key_of(rest, "read")
    token = person.rest.session.headers["Authorization"].split()[1]
    rotated = rest.post(f"/workers/{identity.worker_id}/token")["token"]
    for secret in (PASSWORD, identity.token, key["key"], token, rotated,
                   site.bridge.environment["ROLLCALL_JWT_SECRET"],
                   site.bridge.environment["ROLLCALL_DB_PASSWORD"],
                   site.bridge.environment["ROLLCALL_BROKER_PASSWORD"]):
        assert secret in secrets.kept
    for wrong in (identity.token, rotated + "x", token):
        with pytest.raises(Refused):
            site.worker((identity.worker_id, wrong), "tcp-5").connect()
    with pytest.raises(Refused):  # the fields swapped
        site.worker((rotated[:64], identity.worker_id), "tcp-5").connect()
    for credential in (rotated, key["key"] + "x", token[:-2] + "xx", PASSWORD):
        answer = rest.request("GET", "/workers", headers={"Authorization": "Bearer " + credential})
        assert answer.status_code == 401
    wait_until(lambda: any(row["type"] == "login_refused" for row in
                           rest.get(f"/workers/{identity.worker_id}/events")))
    person.close()

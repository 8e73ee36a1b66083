# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The sample workers renew their tokens, and come back with what they have saved."""

import contextlib
import subprocess
import sys

import pytest

from harness.process import Process
from harness.settings import ROOT
from harness.wait import wait_until


@pytest.fixture(scope="module")
def c_worker(new_directory):
    program = new_directory("sample") / "worker"
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "json-c"], check=True,
                           capture_output=True, text=True).stdout.split()
    subprocess.run(["gcc", "-Wall", "-Wextra", "-Werror", ROOT / "examples" / "c" / "worker.c",
                    "-o", program, "-lpaho-mqtt3c", *flags], check=True)
    return [program]


@pytest.fixture
def python_worker():
    return [sys.executable, ROOT / "examples" / "python" / "worker.py"]


@contextlib.contextmanager
def running(site, command, identity, directory):
    """The worker at work, with the token that it was given at first."""
    worker = Process("worker", command, directory, {
        "ROLLCALL_WS_URL": f"ws://127.0.0.1:{site.broker.ws_port}",
        "ROLLCALL_WORKER_ID": identity.worker_id, "ROLLCALL_WORKER_TOKEN": identity.token})
    worker.start()
    try:
        site.rest.wait_connected(identity.worker_id, timeout=10)
        yield worker
    finally:
        worker.kill9()


@pytest.mark.parametrize("language", ["python", "c"])
def test_a_sample_worker_renews_its_token(site, request, new_directory, language):
    command = request.getfixturevalue(f"{language}_worker")
    rest, identity = site.rest, site.rest.register(f"{language} sample")
    directory = new_directory(f"{language}-worker")
    with running(site, command, identity, directory):
        renewed = rest.post(f"/workers/{identity.worker_id}/renew", status=202)
        wait_until(lambda: rest.worker(identity.worker_id)["token_expires_at"] ==
                   renewed["token_expires_at"], 10, "the worker has acknowledged")
        assert rest.status_of(identity.worker_id)["connected"] is True
    saved = directory / f"{identity.worker_id}.token"
    assert saved.stat().st_mode & 0o777 == 0o600
    assert saved.read_text().startswith("tk_")
    rest.wait_connected(identity.worker_id, False)
    # The old one does not work any more: it comes with what it has saved.
    site.database.query("UPDATE tokens SET role = 'ended' WHERE worker_id = %s AND"
                        " role = 'previous'", identity.worker_id)
    rest.post(f"/workers/{identity.worker_id}/reinstate")
    with running(site, command, identity, directory):
        pass
    # What it has saved was rotated away: it comes with what it is given.
    token = rest.post(f"/workers/{identity.worker_id}/token")["token"]
    rest.wait_connected(identity.worker_id, False)
    with running(site, command, identity._replace(token=token), directory):
        pass

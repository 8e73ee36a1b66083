# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""`make run`: one command, everything up; what dies is started again; nothing is left behind."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.installation import PARTS, Installation, is_running
from harness.ports import free_port
from harness.rest import Rest
from harness.settings import ROOT, VALGRIND, clean_environment
from harness.wait import wait_until
from harness.wire import Wire

pytestmark = pytest.mark.skipif(VALGRIND, reason="it starts its parts by itself")

READY = {"ROLLCALL_URL", "ROLLCALL_WS_URL", "ROLLCALL_MQTT_URL", "ROLLCALL_ADMIN_USER",
         "ROLLCALL_ADMIN_PASSWORD", "ROLLCALL_BROKER_PID", "ROLLCALL_BRIDGE_PID",
         "ROLLCALL_DB_PID", "ROLLCALL_DB_SOCKET"}


@pytest.fixture
def new_installation(new_directory):
    made = []

    def make(directory=None, **environment):
        made.append(Installation(directory or new_directory("run"), **environment))
        return made[-1]
    yield make
    for installation in made:
        if installation.process.alive:
            installation.stop()


@pytest.fixture(scope="module")
def shared(new_directory):
    installation = Installation(new_directory("run")).start()
    yield installation
    installation.stop()


def test_ready_env_tells_how_to_reach_everything(shared):
    assert shared.env.keys() >= READY
    assert stat.S_IMODE(shared.ready_file.stat().st_mode) == 0o600
    assert shared.env["ROLLCALL_URL"] == \
        f"http://127.0.0.1:{shared.environment['ROLLCALL_HTTP_PORT']}"
    assert shared.env["ROLLCALL_WS_URL"].startswith(
        f"ws://127.0.0.1:{shared.environment['ROLLCALL_WS_PORT']}")
    for pid in shared.pids().values():
        assert is_running(pid)
    assert stat.S_ISSOCK(os.stat(shared.env["ROLLCALL_DB_SOCKET"]).st_mode)
    assert shared.rest().get("/auth/me")["role"] == "admin"


def test_what_it_prints_helps(shared):
    said = shared.process.log_text()
    assert shared.env["ROLLCALL_URL"] in said
    assert shared.env["ROLLCALL_ADMIN_PASSWORD"] in said
    assert "worker.py" in said


def test_the_database_listens_on_its_socket_only(shared):
    sockets = {os.readlink(fd) for fd in Path(f"/proc/{shared.pid('database')}/fd").iterdir()}
    listening = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            state, inode = line.split()[3], line.split()[9]
            listening |= {f"socket:[{inode}]"} if state == "0A" else set()
    assert not sockets & listening


def test_the_python_worker_comes_and_is_killed(shared):
    rest = shared.rest()
    identity = rest.register("python sample")
    worker = subprocess.Popen(
        [sys.executable, str(ROOT / "examples" / "python" / "worker.py"), "--url",
         shared.env["ROLLCALL_WS_URL"], "--id", identity.worker_id, "--token", identity.token],
        stdout=subprocess.PIPE, text=True, env=clean_environment())
    try:
        assert "connected" in worker.stdout.readline()
        rest.wait_connected(identity.worker_id)
        answer = rest.post(f"/workers/{identity.worker_id}/start?wait=10")
        assert answer["success"] is True
        wait_until(lambda: rest.status_of(identity.worker_id)["engine_status"] == "running")
        rest.fails("POST", f"/workers/{identity.worker_id}/start", 409, "ENGINE_ALREADY_RUNNING",
                   json={})
        rest.post(f"/workers/{identity.worker_id}/stop?wait=10")
        wait_until(lambda: rest.status_of(identity.worker_id)["last_report"])
        worker.kill()
        row = rest.wait_connected(identity.worker_id, False)
        assert row["disconnect_reason"] == "connection_lost"
    finally:
        worker.kill()
        worker.wait()
        worker.stdout.close()


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_dies_is_started_again_within_a_second(shared, part):
    rest, before = shared.rest(), shared.pids()
    os.kill(before[part], signal.SIGKILL)
    killed = time.monotonic()
    wait_until(lambda: shared.pid(part) != before[part] and is_running(shared.pid(part)))
    assert time.monotonic() - killed < 1.2
    others = {p: pid for p, pid in before.items() if p != part}
    assert {p: pid for p, pid in shared.pids().items() if p != part} == others

    def serves():
        try:
            return rest.request("POST", "/workers", json={"name": "after"}).status_code == 201
        except OSError:
            return False
    wait_until(serves, 10)


def test_parts_that_die_at_once_are_all_started_again(shared):
    before = shared.pids()
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: all(shared.pid(p) != pid and is_running(shared.pid(p))
                           for p, pid in before.items()), 5)
    wait_until(lambda: ready(shared), 15)


def ready(installation):
    try:
        return installation.rest().request("GET", "/readyz").status_code == 200
    except OSError:
        return False


def connect(installation, identity):
    wire = Wire(int(installation.environment["ROLLCALL_MQTT_PORT"]))
    assert wire.connect(identity.worker_id, *identity) == 0
    return wire


def test_a_second_start_carries_on_with_the_same_data(new_installation):
    first = new_installation(ROLLCALL_ADMIN_PASSWORD="chosen by the operator")
    first.start()
    assert first.env["ROLLCALL_ADMIN_PASSWORD"] == "chosen by the operator"
    identity = first.rest().register("kept")
    worker = connect(first, identity)
    first.rest().wait_connected(identity.worker_id)
    pids, env = first.pids(), first.env
    assert first.stop() == 0
    assert [pid for pid in pids.values() if is_running(pid)] == []
    assert not first.ready_file.exists() or first.ready_file.read_text() == ""

    first.start()
    assert first.env["ROLLCALL_ADMIN_PASSWORD"] == env["ROLLCALL_ADMIN_PASSWORD"]
    row = first.rest().status_of(identity.worker_id)
    assert (row["name"], row["connected"]) == ("kept", False)
    assert row["disconnect_reason"] == "broker_shutdown"
    worker.drop()
    worker = connect(first, identity)
    first.rest().wait_connected(identity.worker_id)
    worker.drop()

    # The first password is kept until it is changed.
    first.rest().post("/auth/password", {"current_password": "chosen by the operator",
                                         "new_password": "of the administrator's choice"})
    wait_until(lambda: first.env["ROLLCALL_ADMIN_PASSWORD"] == "", 10, "ready.env forgets it")
    assert (first.run_dir / "secrets" / "admin_password").read_text() == ""
    assert first.stop(signal.SIGINT) in (0, 2, 130)


def test_nothing_survives_a_supervisor_that_was_killed(new_installation):
    installation = new_installation().start()
    pids = installation.pids()
    os.kill(installation.run_sh_pid(), signal.SIGKILL)
    wait_until(lambda: not any(is_running(pid) for pid in pids.values()), 10)
    installation.process.wait()


@pytest.mark.parametrize("variable", ["ROLLCALL_HTTP_PORT", "ROLLCALL_WS_PORT",
                                      "ROLLCALL_MQTT_PORT"])
def test_a_port_that_is_taken_is_named_with_its_variable(new_installation, variable):
    with socket.socket() as taken:
        port = free_port()
        taken.bind(("127.0.0.1", port))
        taken.listen()
        installation = new_installation(**{variable: str(port)})
        installation.process.start()
        assert installation.process.wait(60) != 0
    said = installation.process.log_text()
    assert variable in said and str(port) in said
    assert not installation.ready_file.exists()


def test_two_on_one_directory_do_not_happen(shared, new_installation):
    other = new_installation(shared.run_dir.parent)
    other.process.name = "second-make-run"
    other.process.log = shared.run_dir.parent / "second.log"
    other.process.start()
    assert other.process.wait(60) != 0
    assert str(shared.run_dir) in other.process.log_text()
    with Rest(shared.env["ROLLCALL_URL"]) as rest:
        assert rest.request("GET", "/readyz").status_code == 200


def test_secrets_are_for_their_owner_alone(shared):
    loose = [str(path) for path in shared.run_dir.rglob("*")
             if path.is_file() and ("secret" in str(path) or path.name in ("passwd", "ready.env"))
             and path.stat().st_mode & 0o077]
    assert loose == []

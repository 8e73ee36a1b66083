# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""What an engine should be doing: recorded with each start and stop, and, where that is wanted,
seen to when a worker comes back doing the opposite."""

import contextlib

import pytest
import requests

from harness import prometheus
from harness.bridge import Bridge
from harness.rest import Rest
from harness.wait import wait_until


def wish(rest, worker):
    return rest.status_of(worker.worker_id)["desired_engine_status"]


def order(rest, worker, verb, **body):
    answer = rest.ok("POST", f"/workers/{worker.worker_id}/{verb}", 202, json=body)
    assert worker.receive("commands")["command_id"] == answer["command_id"]
    return answer["command_id"]


# ---- recorded --------------------------------------------------------------------------------


def test_a_start_and_a_stop_say_what_is_wanted(site, rest):
    worker = site.online("tcp-5")
    assert wish(rest, worker) is None
    worker.say("stopped")
    for verb, wanted in (("start", "running"), ("stop", "stopped"), ("start", "running")):
        worker.say("draining")
        wait_until(lambda: rest.status_of(worker.worker_id)["engine_status"] == "draining")
        order(rest, worker, verb)
        assert wish(rest, worker) == wanted
        assert rest.status_of(worker.worker_id)["engine_status"] == "draining"


def test_the_general_form_says_the_same_and_other_commands_nothing(site, rest):
    worker = site.worker(rest.register(), "tcp-5")
    path = f"/workers/{worker.worker_id}/commands"
    rest.post(path, {"type": "report", "queue": True}, 202)
    assert wish(rest, worker) is None
    rest.post(path, {"type": "engine_stop", "queue": True}, 202)
    assert wish(rest, worker) == "stopped"


def test_asking_for_what_is_so_already_is_a_wish_too(site, rest):
    worker = site.online("tcp-5")
    order(rest, worker, "start")
    for status, verb, code, wanted in (("stopped", "stop", "ENGINE_ALREADY_STOPPED", "stopped"),
                                       ("running", "start", "ENGINE_ALREADY_RUNNING", "running")):
        worker.say(status)
        wait_until(lambda s=status: rest.status_of(worker.worker_id)["engine_status"] == s)
        for _ in range(2):
            rest.fails("POST", f"/workers/{worker.worker_id}/{verb}", 409, code, json={})
            assert wish(rest, worker) == wanted
    assert len(commands(site, worker)) == 1


def test_an_order_that_reached_nobody_leaves_no_wish(site, rest):
    worker = site.online("tcp-5")
    rest.fails("POST", f"/workers/{worker.worker_id}/commands", 409, "WORKER_NOT_CONNECTED",
               json={"type": "engine_stop", "target": f"{worker.worker_id}.gone"})
    wait_until(lambda: wish(rest, worker) is None, 3)


def test_every_bridge_knows_it_and_a_new_one_too(new_site, new_directory):
    site = new_site()
    second = Bridge(new_directory("second"), site.broker, site.database, "bridge-2").start()
    other = Rest(second.url).login()
    worker = site.online("tcp-5")
    other.wait_connected(worker.worker_id)
    for rest, verb, wanted in ((site.rest, "start", "running"), (other, "stop", "stopped")):
        order(rest, worker, verb)
        for each in (site.rest, other):
            wait_until(lambda r=each, w=wanted: wish(r, worker) == w, 3)
    second.kill9()
    second.start()
    assert wish(other, worker) == "stopped"
    other.session.close()
    second.terminate()


# ---- seen to ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def caring(new_directory, database_server):
    from harness.site import Site
    site = Site(new_directory("caring"), database_server, {"ROLLCALL_RECONCILE": "1"})
    yield site
    site.close()


def come_back(site, worker, status):
    worker.disconnect()
    site.rest.wait_connected(worker.worker_id, False)
    worker.connect()
    site.rest.wait_connected(worker.worker_id)
    worker.say(status)


def commands(site, worker):
    return [(c["type"], c["created_by"]) for c in
            site.rest.get(f"/workers/{worker.worker_id}/commands")]


@contextlib.contextmanager
def nothing_sent(site, worker):
    """The bridge has looked at all workers since: it found another one that is wrong."""
    before = commands(site, worker)
    witness = site.online("tcp-5")
    yield
    order(site.rest, witness, "start")
    come_back(site, witness, "stopped")
    witness.receive("commands")
    assert commands(site, worker) == before


def a_minute_later(site, worker):
    site.database.query("UPDATE workers SET reconciled_at = reconciled_at - INTERVAL 1 MINUTE"
                        " WHERE id = %s", worker.worker_id)


@pytest.mark.parametrize("verb, back", [("start", "stopped"), ("stop", "running")])
def test_who_comes_back_wrong_is_told_again(caring, verb, back):
    worker = caring.online("tcp-5")
    order(caring.rest, worker, verb, speed=7)
    come_back(caring, worker, back)
    command = worker.receive("commands")
    assert command["type"] == f"engine_{verb}"
    assert command["payload"] == {"speed": 7}
    assert commands(caring, worker) == [(f"engine_{verb}", None), (f"engine_{verb}", "admin")]
    figures = prometheus.parse(requests.get(caring.bridge.url + "/metrics", timeout=20).text)
    assert figures["rollcall_reconciled_total"].value() >= 1


def test_who_comes_back_right_or_changes_later_is_left_alone(caring):
    worker, other = caring.online("tcp-5"), caring.online("ws-5")
    order(caring.rest, worker, "start")
    order(caring.rest, other, "start")
    come_back(caring, worker, "running")
    with nothing_sent(caring, worker), nothing_sent(caring, other):
        other.say("stopped")  # it has been there all the time


def test_once_a_session_and_once_a_minute(caring):
    worker = caring.online("tcp-5")
    order(caring.rest, worker, "start")
    come_back(caring, worker, "stopped")
    first = worker.receive("commands")["command_id"]
    worker.answer(first, "done")
    worker.say("stopped")
    with nothing_sent(caring, worker):
        pass
    with nothing_sent(caring, worker):
        come_back(caring, worker, "stopped")
    a_minute_later(caring, worker)
    come_back(caring, worker, "stopped")
    assert worker.receive("commands")["command_id"] != first


def test_a_failure_ends_it_until_somebody_gives_the_order_anew(caring):
    worker = caring.online("tcp-5")
    order(caring.rest, worker, "start")
    come_back(caring, worker, "stopped")
    worker.answer(worker.receive("commands")["command_id"], "failed", error="broken")
    a_minute_later(caring, worker)
    with nothing_sent(caring, worker):
        come_back(caring, worker, "stopped")
    order(caring.rest, worker, "start")
    come_back(caring, worker, "stopped")
    worker.receive("commands")


def test_it_is_off_unless_asked_for(site, rest):
    worker = site.online("tcp-5")
    order(rest, worker, "start")
    come_back(site, worker, "stopped")
    wait_until(lambda: rest.status_of(worker.worker_id)["engine_status"] == "stopped")
    assert len(commands(site, worker)) == 1

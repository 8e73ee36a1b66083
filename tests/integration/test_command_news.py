# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Commands on the event stream: every state, at every bridge, whichever of them did it."""

import contextlib

import pytest

from harness.background import Background
from harness.bridge import Bridge
from harness.listener import Listener
from harness.rest import Rest


def path_of(worker, *more):
    return "/".join([f"/workers/{worker.worker_id}/commands", *more])


def order(rest, worker, **body):
    return rest.ok("POST", path_of(worker), 202, json={"type": "report", **body})["command_id"]


@pytest.fixture(scope="module")
def both(new_directory, database_server):
    """A site with a second bridge, and REST of both."""
    from harness.site import Site
    site = Site(new_directory("news"), database_server)
    second = Bridge(new_directory("second"), site.broker, site.database, "bridge-2").start()
    rest = Rest(second.url).login()
    yield site, [site.rest, rest]
    rest.session.close()
    second.terminate()
    site.close()


@contextlib.contextmanager
def listening(rests, worker):
    listeners = [Listener(rest, types="command", worker=worker.worker_id) for rest in rests]
    yield listeners
    for listener in listeners:
        listener.close()


def states(listener, command_id):
    """In order, each once."""
    seen = [e.data["state"] for e in listener.found("command", command_id=command_id)]
    return sorted(set(seen), key=seen.index)


@pytest.mark.parametrize("at", [0, 1])
def test_every_state_is_told_at_every_bridge(both, at):
    site, rests = both
    worker, rest = site.online("tcp-5"), rests[at]
    rest.wait_connected(worker.worker_id)
    with listening(rests, worker) as listeners:
        done = order(rest, worker)
        assert worker.receive("commands")["command_id"] == done
        # One after the other, for a bridge that hears of two at once tells the last alone.
        for listener in listeners:
            listener.wait("command", command_id=done, state="sent")
        worker.answer(done, "accepted")
        for listener in listeners:
            listener.wait("command", command_id=done, state="accepted")
        worker.answer(done, "done")
        cancelled = order(rest, worker)
        for listener in listeners:
            listener.wait("command", command_id=cancelled, state="sent")
        rest.ok("DELETE", path_of(worker, cancelled), 200)
        expired = order(rest, worker, ttl_seconds=1)
        kept = order(rest, worker, queue=True)
        rest.fails("POST", path_of(worker), 409, "WORKER_NOT_CONNECTED",
                   json={"type": "report", "target": f"{worker.worker_id}.gone"})
        for listener in listeners:
            for command_id, last in ((done, "done"), (cancelled, "cancelled"),
                                     (expired, "expired"), (kept, "sent")):
                listener.wait("command", command_id=command_id, state=last)
            assert states(listener, done) == ["queued", "sent", "accepted", "done"]
            assert states(listener, cancelled) == ["queued", "sent", "cancelled"]
            assert states(listener, expired) == ["queued", "sent", "expired"]
            failed = listener.wait("command", state="failed").data
            assert failed["error"] == "WORKER_NOT_CONNECTED"
            assert not listener.found("reset")


def test_batches_are_told_command_by_command(both):
    site, rests = both
    worker = site.worker(site.rest.register(tags=["told"]), "tcp-5")
    with listening(rests, worker) as listeners:
        batch_id = rests[0].post("/commands", {"filter": {"tag": "told"}, "type": "report",
                                               "queue": True}, 202)["batch_id"]
        for listener in listeners:
            listener.wait("command", state="queued")
        rests[0].ok("DELETE", f"/commands/{batch_id}", 200)
        for listener in listeners:
            listener.wait("command", state="cancelled")


def test_who_waits_at_one_bridge_hears_what_happened_at_the_other(both):
    site, rests = both
    worker = site.online("tcp-5")
    rests[1].wait_connected(worker.worker_id)
    request = Background(rests[0], path_of(worker) + "?wait=30", {"type": "report"})
    command_id = worker.receive("commands")["command_id"]
    rests[1].ok("DELETE", path_of(worker, command_id), 200)
    assert request.answer(200)["state"] == "cancelled"


def test_list_then_watch(both):
    site, rests = both
    worker = site.online("tcp-5")
    for rest in rests:
        rest.wait_connected(worker.worker_id)
    before = order(rests[0], worker)
    for rest in rests:
        response = rest.request("GET", path_of(worker))
        assert response.json()[-1]["command_id"] == before
        after = order(rests[1], worker)
        listener = Listener(rest, types="command", worker=worker.worker_id,
                            cursor=response.headers["X-Rollcall-Cursor"])
        listener.wait("command", command_id=after, state="sent")
        assert not listener.found("reset")
        listener.close()


def test_what_was_missed_while_the_broker_was_away_is_listed_again(new_site, new_directory):
    site = new_site()
    second = Bridge(new_directory("second"), site.broker, site.database, "bridge-2").start()
    other = Rest(second.url).login()
    worker = site.worker(site.rest.register(), "tcp-5")
    with listening([site.rest, other], worker) as listeners:
        first = order(site.rest, worker, queue=True)
        for listener in listeners:
            listener.wait("command", command_id=first, state="queued")
        site.broker.kill9()
        missed = order(site.rest, worker, queue=True)
        listeners[0].wait("command", command_id=missed, state="queued")
        site.broker.start()
        listeners[1].wait("reset", timeout=15)
    other.session.close()
    second.terminate()

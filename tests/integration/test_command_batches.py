# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""One command to many workers: whom it means, how fast it goes, what stops it."""

import time

import pytest

from harness.bridge import Bridge
from harness.rest import Rest
from harness.wait import wait_until

OPEN = ("pending", "queued", "sent", "accepted")


@pytest.fixture
def fleet(site, rest, request):
    """Six workers with a tag of their own, of which the first four are connected."""
    tag = f"batch.{abs(hash(request.node.name)) % 10**9}"
    workers = [site.worker(rest.register(f"{tag} {n}", tags=[tag, f"n:{n}"]), "tcp-5")
               for n in range(6)]
    for worker in workers[:4]:
        worker.connect()
    for worker in workers[:4]:
        rest.wait_connected(worker.worker_id)
    return tag, workers


def begin(rest, **body):
    answer = rest.post("/commands", {"type": "report", **body}, 202)
    assert (answer["success"], answer["state"]) == (True, "running")
    assert answer["batch_id"].startswith("bat_")
    return answer


def get(rest, batch_id):
    batch = rest.get(f"/commands/{batch_id}")
    assert sum(batch["counts"].values()) == batch["total"]
    return batch


def counts(rest, batch_id):
    return {state: n for state, n in get(rest, batch_id)["counts"].items() if n}


def wait_counts(rest, batch_id, timeout=5, **wanted):
    wait_until(lambda: counts(rest, batch_id) == wanted, timeout,
               f"{wanted} rather than {counts(rest, batch_id)}")


def wait_end(rest, batch_id, state="done", timeout=8):
    def ended():
        batch = get(rest, batch_id)
        return batch if batch["state"] != "running" else None
    batch = wait_until(ended, timeout, f"{batch_id} is {state}")
    assert batch["state"] == state and batch["ended_at"]
    return batch


def received(worker, timeout=5):
    return worker.receive("commands", timeout)["command_id"]


# ---- whom ------------------------------------------------------------------------------------


def test_everybody_gets_a_command_of_their_own(rest, fleet):
    tag, workers = fleet
    batch_id = begin(rest, filter={"tag": tag}, payload={"n": 1}, ttl_seconds=30)["batch_id"]
    for n, worker in enumerate(workers[:4]):
        message = worker.receive("commands")
        assert (message["type"], message["payload"]) == ("report", {"n": 1})
        if n:
            worker.answer(message["command_id"], "done" if n < 3 else "failed")
    wait_counts(rest, batch_id, sent=1, done=2, failed=3)
    batch = get(rest, batch_id)
    assert batch["state"] == "running" and batch["ended_at"] is None
    assert (batch["type"], batch["payload"], batch["filter"], batch["total"]) == \
        ("report", {"n": 1}, {"tag": tag}, 6)
    (command,) = rest.get(f"/workers/{workers[0].worker_id}/commands")
    assert (command["batch_id"], command["created_by"]) == (batch_id, "admin")
    (command,) = rest.get(f"/workers/{workers[5].worker_id}/commands")
    assert (command["state"], command["error"]) == ("failed", "WORKER_NOT_CONNECTED")
    workers[0].answer(rest.get(f"/workers/{workers[0].worker_id}/commands")[0]["command_id"],
                      "done")
    assert wait_end(rest, batch_id)["counts"]["done"] == 3


def test_the_filter_is_that_of_the_list(rest, fleet):
    tag, workers = fleet
    for extra, total in (({}, 6), ({"connected": True}, 4), ({"connected": False}, 2),
                         ({"name": f"{tag} 3"}, 1), ({"tag": [tag, "n:2"]}, 1),
                         ({"status": "revoked"}, 0), ({"status": ["active", "revoked"]}, 6),
                         ({"id": workers[0].worker_id}, 1),
                         ({"id": [w.worker_id for w in workers[2:5]]}, 3)):
        answer = rest.post("/commands", {"type": "report", "filter": {"tag": tag, **extra},
                                         "dry_run": True})
        assert (answer["dry_run"], answer["total"]) == (True, total), extra
        assert answer["connected"] + answer["disconnected"] == total
        assert answer["unknown"] == 0
    for worker in workers:
        assert rest.get(f"/workers/{worker.worker_id}/commands") == []


def test_nobody_is_done_at_once(rest):
    batch_id = begin(rest, filter={"tag": "nobody-has-this"})["batch_id"]
    assert wait_end(rest, batch_id)["total"] == 0


@pytest.mark.parametrize("body, field", [
    ({"type": "t"}, "filter"), ({"type": "t", "filter": []}, "filter"),
    ({"type": "t", "filter": {"tags": "x"}}, "tags"),
    ({"type": "t", "filter": {"tag": 7}}, "tag"), ({"type": "t", "filter": {"id": []}}, "id"),
    ({"type": "t", "filter": {"connected": "true"}}, "connected"),
    ({"type": "t", "filter": {"status": "lost"}}, "status"), ({"filter": {}}, "type"),
    ({"type": "t", "filter": {"tag": None}}, "tag"),
    ({"type": "t", "filter": {}, "target": "wrk_a"}, "target"),
    ({"type": "t", "filter": {}, "max_per_minute": 0}, "max_per_minute"),
    ({"type": "t", "filter": {}, "abort_if_failed_percent": 101}, "abort_if_failed_percent"),
    ({"type": "t", "filter": {}, "idempotency_key": "k"}, "idempotency_key")], ids=repr)
def test_a_wrong_order_is_named(rest, body, field):
    rest.fails("POST", "/commands", 400, "INVALID_REQUEST", field, json=body)


def test_a_batch_that_is_none(rest):
    for batch_id in ("bat_01ARZ3NDEKTSV4RRFFQ69G5FAV", "nonsense"):
        for method in ("GET", "DELETE"):
            rest.fails(method, f"/commands/{batch_id}", 404, "NOT_FOUND")


def test_those_that_are_away_get_it_later(rest, fleet):
    tag, workers = fleet
    batch_id = begin(rest, filter={"tag": tag}, queue=True)["batch_id"]
    for worker in workers[:4]:
        worker.answer(received(worker), "done")
    wait_counts(rest, batch_id, done=4, queued=2)
    for worker in workers[4:]:
        worker.connect()
        worker.answer(received(worker), "done")
    assert wait_end(rest, batch_id)["counts"]["done"] == 6
    for worker in workers:
        assert not [m for m in worker.wire.received_so_far() if m.topic.endswith("/commands")]


# ---- how fast --------------------------------------------------------------------------------


@pytest.mark.timing
def test_it_goes_no_faster_than_it_may(rest, fleet):
    tag, workers = fleet
    start = time.monotonic()
    batch_id = begin(rest, filter={"tag": tag, "connected": True}, max_per_minute=120)["batch_id"]
    for n, worker in enumerate(workers[:4]):
        worker.answer(received(worker), "done")
        assert time.monotonic() - start >= 0.5 * n
    assert wait_end(rest, batch_id)["counts"]["done"] == 4
    assert time.monotonic() - start < 5


# ---- what stops it ---------------------------------------------------------------------------


def test_too_many_failures_abort_it(rest, fleet):
    tag, workers = fleet
    batch_id = begin(rest, filter={"tag": tag, "connected": True}, max_per_minute=60,
                     abort_if_failed_percent=50)["batch_id"]
    workers[0].answer(received(workers[0]), "failed", error="no")
    batch = wait_end(rest, batch_id, "aborted")
    assert batch["counts"]["failed"] == 1 and batch["counts"]["pending"] >= 2
    rest.fails("DELETE", f"/commands/{batch_id}", 409, "BATCH_ENDED", "aborted")


def test_failures_that_are_few_enough_do_not(rest, fleet):
    tag, workers = fleet
    batch_id = begin(rest, filter={"tag": tag, "connected": True},
                     abort_if_failed_percent=50)["batch_id"]
    for n, worker in enumerate(workers[:4]):
        worker.answer(received(worker), "failed" if n == 3 else "done")
    assert wait_end(rest, batch_id)["counts"]["failed"] == 1


def test_it_can_be_ended(rest, fleet):
    tag, workers = fleet
    batch_id = begin(rest, filter={"tag": tag}, queue=True, max_per_minute=60)["batch_id"]
    first = received(workers[0])
    wait_counts(rest, batch_id, sent=1, pending=5)
    for _ in range(2):
        batch = rest.ok("DELETE", f"/commands/{batch_id}", 200)
        assert batch["state"] == "cancelled" and batch["ended_at"]
    pending = batch["counts"]["pending"]
    assert pending >= 4
    # What a session has got is the worker's business; nothing is sent again.
    workers[0].answer(first, "done")
    wait_until(lambda: get(rest, batch_id)["counts"]["done"] == 1)
    assert get(rest, batch_id)["counts"]["pending"] == pending


def test_what_waits_for_workers_that_are_away_ends_with_it(rest, fleet):
    tag, workers = fleet
    batch_id = begin(rest, filter={"tag": tag, "connected": False}, queue=True)["batch_id"]
    wait_counts(rest, batch_id, queued=2)
    assert rest.ok("DELETE", f"/commands/{batch_id}", 200)["counts"]["cancelled"] == 2
    for worker in workers[4:]:
        worker.connect()
        marker = rest.post(f"/workers/{worker.worker_id}/commands",
                           {"type": "marker", "queue": True}, 202)["command_id"]
        assert received(worker) == marker
        trail = rest.get(f"/workers/{worker.worker_id}/events", types="command_cancelled")
        assert [row["actor"] for row in trail] == ["admin"]


# ---- restarts --------------------------------------------------------------------------------


def test_another_bridge_goes_on_with_it(new_site, new_directory):
    """Everybody gets one command, no two, while both bridges die in turn."""
    site = new_site()
    second = Bridge(new_directory("second"), site.broker, site.database, "bridge-2").start()
    rests = [site.rest, Rest(second.url).login()]
    workers = [site.online("tcp-5", site.rest.register(tags=["moving"])) for _ in range(12)]
    wait_until(lambda: len(rests[1].get("/workers", tag="moving", connected="true")) == 12)
    batch_id = begin(rests[1], filter={"tag": "moving"}, max_per_minute=400, ttl_seconds=120,
                     queue=True)["batch_id"]
    first = received(workers[0])
    second.kill9()
    rest = rests[0]
    ids = [first] + [received(worker, 15) for worker in workers[1:6]]
    site.bridge.kill9()
    second.start()
    ids += [received(worker, 15) for worker in workers[6:]]
    for worker, command_id in zip(workers, ids):
        worker.answer(command_id, "done")
    rest = Rest(second.url).login()
    assert wait_end(rest, batch_id, timeout=15)["counts"]["done"] == 12
    rows = site.database.query("SELECT worker_id, COUNT(*) AS n FROM commands WHERE batch_id = %s"
                               " GROUP BY worker_id", batch_id)
    assert sorted(row["n"] for row in rows) == [1] * 12
    for each in (rest, rests[1]):
        each.session.close()
    second.terminate()

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The plugin's storage: a disk that is full, a broker that is killed at any moment."""

import itertools
import random
import threading

import pytest
import requests

from harness.broker import Broker
from harness.disk import SmallDisk
from harness.identity import new_token, new_worker_id
from harness.process import Ended
from harness.site import Site
from harness.wait import wait_until
from harness.wire import Closed
from harness.worker import Refused, Worker


CROWD = 40


def storage(hall):
    return hall.observer.call("getStats")["storage"]


def wait_storage(hall, state):
    return wait_until(lambda: (s := storage(hall))["state"] == state and s, 10,
                      f"storage is {state}")


def say_something(party, identity):
    worker = party.worker(identity, "tcp-5", "filler").connect()
    worker.publish("state", {"engine_status": "running", "filler": "x" * 7000})
    worker.disconnect()


def make_full(party, disk, crowd, message):
    """Fills the disk, and the storage until it refuses for good: what LMDB has freed it uses
    again, so it takes something new of everybody."""
    disk.fill()
    crowd = iter(crowd)

    def refuses():
        identity = next(crowd, None)
        if identity:
            say_something(party, identity)
        return (message() or "").startswith("storage: ")
    wait_until(refuses, 20, "storage refuses")


@pytest.fixture
def full(small_disk):
    """A hall whose disk is full; `hall.anybody` is a worker that may come and go."""
    hall, disk = small_disk
    hall.anybody = hall.enroll()
    make_full(hall, disk, hall.directory.enroll_many(CROWD), lambda: storage(hall)["message"])
    return hall, disk


# ---- a full disk -----------------------------------------------------------------------------


def test_a_full_disk_is_said_and_everything_else_goes_on(full):
    hall, disk = full
    told = storage(hall)
    assert told["code"] == "DISK_FULL"
    assert "No space left" in told["message"]
    assert told["since"] and told["pending"] > 0
    assert "No space left" in hall.broker.process.log_text()

    worker = hall.online("ws-5", hall.anybody)
    assert hall.observer.connection(worker.worker_id)["connected"] is True
    worker.say("running")
    assert hall.observer.connection(worker.worker_id)["reported_state"]
    worker.drop()
    hall.observer.wait_state(worker.worker_id, "offline")

    disk.free()
    healed = wait_storage(hall, "ok")
    assert healed["code"] is healed["message"] is healed["since"] is None
    wait_until(lambda: storage(hall)["pending"] == 0)
    hall.broker.kill9()
    hall.broker.start()
    hall.observer.wait_ready()
    connection = hall.observer.connection(worker.worker_id)
    assert (connection["state"], connection["reported_state"]) == \
        ("offline", {"engine_status": "running"})
    assert storage(hall)["state"] == "ok"


def test_a_change_that_cannot_be_stored_is_not_acknowledged(full):
    hall, disk = full
    directory, worker = hall.directory, hall.online("tcp-5", hall.anybody)
    revision = directory.revision()
    entry = directory.entry(worker.worker_id, [], "revoked", revision)
    hall.observer.expect_error("STORE_UNAVAILABLE", "putWorkers", workers=[entry])
    # A revocation is in force all the same.
    assert worker.receive("notice")["code"] == "WORKER_REVOKED"
    assert worker.wire.wait_closed(1)
    disk.free()
    wait_storage(hall, "ok")
    assert directory.put(entry)["unchanged"] == 1
    hall.broker.kill9()
    hall.broker.start()
    with pytest.raises(Refused):
        hall.worker(hall.anybody, "tcp-5").connect()


def test_what_was_acknowledged_survives_a_kill_on_a_full_disk(full):
    hall, disk = full
    hall.observer.close()
    hall.broker.kill9()
    disk.free()
    hall.broker.start()
    hall.worker(hall.anybody, "tcp-5").connect()


def test_generations_never_repeat_after_a_kill_on_a_full_disk(full):
    """Storage knows nothing of what happened last, so it must not count on from there."""
    hall, disk = full
    for _ in range(40):  # more than are reserved at a time
        hall.online("tcp-5", hall.anybody)
    given = hall.observer.last_event(hall.anybody.worker_id)["generation"]
    hall.broker.kill9()
    disk.free()
    hall.broker.start()
    hall.observer.wait_ready()
    hall.online("tcp-5", hall.anybody)
    assert hall.observer.last_event(hall.anybody.worker_id)["generation"] > given


def test_on_a_full_disk_a_first_start_fails_and_says_why(new_directory):
    directory = new_directory("full")
    (directory / "plugin").mkdir()
    disk = SmallDisk(directory / "plugin")
    broker = Broker(directory)
    disk.fill()
    try:
        with pytest.raises(Ended):
            broker.start()
        assert "No space left" in broker.process.log_text()
    finally:
        disk.unmount()


def test_a_full_disk_fills_no_log(full):
    hall, _ = full
    since = hall.broker.process.log_size()
    for _ in range(100):
        say_something(hall, hall.anybody)
    lines = hall.broker.process.log_text(since).splitlines()
    assert len([line for line in lines if "rollcall" in line]) < 5


def test_a_full_disk_shows_in_healthz_and_nothing_is_called_enforced(new_directory,
                                                                     database_server):
    directory = new_directory("site")
    (directory / "plugin").mkdir()
    disk = SmallDisk(directory / "plugin")
    site = Site(directory, database_server)

    def health():
        return requests.get(site.bridge.url + "/healthz", timeout=10).json()["parts"]["storage"]
    try:
        worker = site.online("ws-5")
        make_full(site, disk, [site.rest.register() for _ in range(CROWD)],
                  lambda: health()["message"])
        told = health()
        assert (told["ok"], told["state"], told["code"]) == (False, "degraded", "DISK_FULL")
        answer = site.rest.post(f"/workers/{worker.worker_id}/revoke")
        assert answer["enforced"] is False
        assert worker.receive("notice")["code"] == "WORKER_REVOKED"
        site.rest.wait_connected(worker.worker_id, False)
        disk.free()
        wait_until(lambda: health()["ok"], 10)
        wait_until(lambda: site.rest.worker(worker.worker_id)["enforced"], 20)
    finally:
        site.close()
        disk.unmount()


# ---- kill -9 under load ------------------------------------------------------------------------

ROUNDS = 4
STEADY, RESTLESS, CHANGED = 10, 10, 20


class Restless(threading.Thread):
    """Workers that come, say something and go, as fast as they can, until the broker is gone."""

    def __init__(self, broker, identities):
        super().__init__(daemon=True)
        self.broker, self.identities = broker, identities
        self.rounds = 0

    def run(self):
        for n in itertools.count():
            worker = Worker(self.broker, self.identities[n % len(self.identities)], "tcp-5")
            try:
                worker.connect()
                worker.publish("state", {"engine_status": f"round {n}"[:32]})
                if n % 3:
                    worker.disconnect()
                self.rounds = n
            except (Closed, OSError, Refused):
                return
            finally:
                if worker.wire:
                    worker.drop()


class Changes:
    """Directory changes without end; knows which were acknowledged."""

    def __init__(self, directory):
        self.directory = directory
        self.ids = [new_worker_id() for _ in range(CHANGED)]
        self.asked = {}  # number of the command: (worker id, n)
        self.acknowledged = {}  # worker id: n

    def ask(self, dice):
        worker_id, revision = dice.choice(self.ids), self.directory.revision()
        if dice.random() < 0.2:
            members = "deleteWorkers", [{"worker_id": worker_id, "revision": revision}]
        else:
            members = "putWorkers", [self.directory.entry(
                worker_id, [self.directory.hash_entry(new_token())],
                dice.choice(["active", "revoked"]), revision)]
        number = self.directory.observer.send_command(members[0], workers=members[1])
        self.asked[number] = worker_id, revision["n"]

    def collect(self):
        responses = self.directory.observer.responses
        for number in [n for n in list(self.asked) if n in responses]:
            worker_id, n = self.asked.pop(number)
            assert "error" not in responses.pop(number)
            self.acknowledged[worker_id] = max(n, self.acknowledged.get(worker_id, 0))

    def until_acknowledged(self, count, dice):
        """Keeps a few on their way until so many more were acknowledged."""
        done = len(self.asked) + count
        for _ in range(done):
            self.ask(dice)
        wait_until(lambda: self.collect() or len(self.asked) <= done - count, 20)


def stored_revisions(hall):
    revisions, after = {}, {}
    while after is not None:
        page = hall.observer.call("getDirectory", limit=1000, **after)
        revisions |= {w["worker_id"]: w["revision"]["n"] for w in page["workers"]}
        after = {"after": page["next"]} if page["next"] else None
    return revisions


def highest_generations(hall):
    with hall.observer.lock:
        return dict(hall.observer.generations), max(e["boot"] for e in hall.observer.events)


def test_kills_at_random_moments_lose_nothing_that_was_acknowledged(new_hall):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    hall = new_hall()
    changes = Changes(hall.directory)
    steady, restless = hall.directory.enroll_many(STEADY), hall.directory.enroll_many(RESTLESS)
    for _ in range(ROUNDS):
        workers = [hall.online("tcp-5", identity) for identity in steady]
        crowd = Restless(hall.broker, restless)
        crowd.start()
        changes.until_acknowledged(dice.randrange(1, 60), dice)
        hall.broker.kill9()
        crowd.join(10)
        assert crowd.rounds > 0
        changes.collect()
        changes.asked.clear()
        generations, boot = highest_generations(hall)

        hall.broker.start()
        hall.observer.wait_ready()
        stored = stored_revisions(hall)
        for worker_id, n in changes.acknowledged.items():
            assert stored.get(worker_id, 0) >= n
        assert hall.observer.call("getStats")["boot"] > boot
        for worker in workers:
            connection = hall.observer.connection(worker.worker_id)
            assert (connection["state"], connection["reason"]) == ("offline", "broker_restart")
        for identity in restless:
            assert hall.observer.connection(identity.worker_id)["connected"] is False
        for identity in [*steady[:4], *restless[:4]]:
            since = hall.observer.mark()
            hall.online("tcp-5", identity).disconnect()
            event = hall.observer.wait_event(identity.worker_id, state="online", since=since)
            assert event["generation"] > generations.get(identity.worker_id, 0)
            assert event["boot"] > boot

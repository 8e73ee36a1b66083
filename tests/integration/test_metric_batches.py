# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The plugin hands metrics to bridges in batches."""

import pytest

from harness.wait import wait_until
from harness.wire import PUBACK, PUBLISH, text

BATCHES = "rollcall/metrics/v1"


def frames(payload):
    """[(worker id, payload)]"""
    found = []
    while payload:
        head, _, rest = payload.partition(b"\n")
        worker_id, size = head.split(b" ")
        found.append((worker_id.decode(), rest[:int(size)]))
        payload = rest[int(size):]
    return found


@pytest.fixture
def taker(hall):
    """A control user who takes batches, beside everything of the workers."""
    wire = hall.wire(hall.broker.control_wire("taker"))
    for topic in (f"$share/g/{BATCHES}", "workers/#"):
        assert wire.subscribe(topic, qos=0) == 0
    return wire


def received(wire, count):
    """What came in batches, until so many have; and whatever else came of workers."""
    batched, single = [], []

    def enough():
        for message in wire.received_so_far():
            if message.topic == BATCHES:
                batched.extend(frames(message.payload))
            else:
                single.append(message)
        return len(batched) >= count
    wait_until(enough, 5, f"{count} messages came in batches")
    return batched, single


def test_each_message_comes_once_and_as_it_was(hall, taker):
    workers = [hall.online(p) for p in ("ws-5", "tcp-3.1.1", "ws-3.1.1")]
    said = []
    for n in range(50):
        for worker in workers:
            payload = b"" if n == 7 else b'{"n":%d}\n\xff' % n
            worker.wire.publish(worker.topic("metrics"), payload, qos=n % 2)
            said.append((worker.worker_id, payload))
    batched, single = received(taker, len(said))
    assert sorted(batched) == sorted(said)
    for worker in workers:  # each one's in its order
        assert [m for m in batched if m[0] == worker.worker_id] \
            == [m for m in said if m[0] == worker.worker_id]
    assert not [m for m in single if m.topic.endswith("/metrics")]


def test_others_get_them_one_by_one(hall, taker):
    other = hall.wire(hall.broker.control_wire("other"))
    other.subscribe("workers/+/metrics")
    worker = hall.online("ws-5")
    worker.report(memory=1)
    assert other.receive(worker.topic("metrics")).payload == b'{"memory": 1}'
    assert received(taker, 1)[0] == [(worker.worker_id, b'{"memory": 1}')]


def test_the_other_topics_come_to_a_taker_as_ever(hall, taker):
    worker = hall.online("ws-5")
    worker.say("running")
    assert taker.receive(worker.topic("state")).payload == b'{"engine_status": "running"}'


def test_a_message_too_large_to_be_read_is_left_out(hall, taker):
    worker = hall.online("tcp-5")
    worker.wire.publish(worker.topic("metrics"), b"x" * 300_000)
    worker.wire.publish(worker.topic("metrics"), b"y" * 200_000)
    worker.wire.publish(worker.topic("metrics"), b"z")
    batched, _ = received(taker, 2)
    assert [(len(payload), payload[:1]) for _, payload in batched] == [(200_000, b"y"), (1, b"z")]


def test_a_worker_is_not_told_that_nobody_listens(site):
    """MQTT 5 has a reason for that (0x10), and a worker's author would wonder."""
    worker = site.online("tcp-5")
    worker.wire.send_packet(PUBLISH, text(worker.topic("metrics")) + b"\x12\x34\0{}", 2)
    body = worker.wire.expect(PUBACK)
    assert body[:2] == b"\x12\x34"
    assert len(body) == 2 or body[2] == 0

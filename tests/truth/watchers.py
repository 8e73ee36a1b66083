# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Those who are told: over MQTT in batches, and by each worker's own topic.

Every event carries the time at which the plugin decided it, so it is held against the model at
that very moment, however late it is heard.
"""

import datetime
import json
import time

from field import Client
from harness.wire import CONNACK, CONNECT, PINGREQ, SUBACK, SUBSCRIBE
from stream import connect_body, subscribe_body
from world import EVENT_SLACK_S, HISTORY_S

KEEPALIVE_S = 30
RETRY_S = 0.1
BATCHES, HEARTBEATS = "rollcall/v1/presence", "rollcall/v1/heartbeat"
OBJECTS = "workers/+/presence"


def unix_s(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def check_event(world, who, worker, event):
    """Whether it is consistent, and true at its own time. The plugin decides at once, so nothing
    is allowed for but its clock's steps."""
    at = world.strain.to_monotonic(unix_s(event["at"]))
    worker.tell(f"{who}: {event['state']} sessions={event['sessions']} "
                f"generation={event['generation']} reason={event['reason']} "
                f"seq={event['boot']}.{event['seq']}, decided {at - world.started:.3f}")
    world.counts["events"] += 1
    x, y = at - EVENT_SLACK_S, at + EVENT_SLACK_S
    if event["connected"] != (event["state"] == "online") \
            or event["connected"] != (event["sessions"] > 0) \
            or event["connected"] != (event["reason"] is None):
        world.fault(f"{who}: contradicts itself: {event}", worker)
    if not (worker.may_be_on if event["connected"] else worker.may_be_off)(x, y):
        world.fault(f"{who}: {event['state']} at a moment when it was not so: {event}", worker)
    if x < time.monotonic() - HISTORY_S / 2:
        return  # the model forgets sessions that have ended
    most = len(worker.client_ids_maybe(x, y))
    least = len(worker.client_ids_surely(x, y))
    if not least <= event["sessions"] <= most:
        world.fault(f"{who}: {event['sessions']} sessions where there were {least} to {most}: "
                    f"{event}", worker)


class Ear(Client):
    """One life of a watcher's connection."""

    def __init__(self, watcher, field, port):
        self.watcher = watcher
        super().__init__(field, port, watcher.websocket, watcher.version, "/ws/watcher")

    def on_open(self):
        w = self.watcher
        self.send(CONNECT, connect_body(self.version, f"truth-{w.name}", w.user, w.password,
                                        KEEPALIVE_S))

    def on_packet(self, kind, flags, body):
        if kind == CONNACK:
            if body[1] != 0:
                self.watcher.world.fault(f"watcher {self.watcher.name} was refused: {body[1]}")
            self.send(SUBSCRIBE, subscribe_body(self.version, 1, self.watcher.topics), 2)
            self._keep_alive(time.monotonic())
        elif kind == SUBACK:
            self.watcher.subscribed()

    def _keep_alive(self, now):
        if self.sock is not None:
            self.send(PINGREQ)
            self.field.at(now + KEEPALIVE_S / 3, self._keep_alive)

    def on_message(self, topic, payload, retained):
        self.watcher.hear(topic, json.loads(payload) if payload else None, retained)

    def on_end(self, why):
        if self.watcher.ear is self:
            self.watcher.ear = None


class Watcher:
    """Comes back by itself. What it heard in one life must be without gaps."""

    def __init__(self, name, world, field, broker, account, topics, protocol=(False, 5)):
        self.name, self.world, self.field, self.broker = name, world, field, broker
        self.user, self.password = account
        self.topics = topics
        self.websocket, self.version = protocol
        self.ear = None
        self.wanted = True
        self.listening = False
        self.heard = 0
        self.generations = {}  # worker id -> the last heard of, in all lives
        self.begin()

    def begin(self):
        """A new connection: what came meanwhile was missed, which it knows."""
        self.position = None  # (boot, seq) of the last event
        self.since = None  # the position at which it began to hear everything
        self.order = {}  # worker id -> its (boot, seq)s heard in this life
        self.view = {}  # worker id -> its last event heard in this life
        self.listening = False

    def keep_connected(self, _now=0.0):
        """Called in the field's thread from time to time."""
        if self.ear is None and self.wanted:
            self.begin()
            try:
                self.ear = Ear(self, self.field, self.broker.ws_port if self.websocket
                               else self.broker.mqtt_port)
            except ConnectionRefusedError:
                pass
        self.field.at(time.monotonic() + RETRY_S, self.keep_connected)

    def drop(self):
        if self.ear is not None:
            self.ear.close()
            self.ear = None

    def subscribed(self):
        self.listening = True

    def hear(self, topic, data, retained):
        self.heard += 1
        if topic == BATCHES:
            for event in data["events"]:
                self.hear_event(event)
        elif topic == HEARTBEATS:
            self.hear_heartbeat(data)
        elif topic.endswith("/presence"):
            self.hear_object(topic.split("/")[1], data, retained)

    def wrong(self, text, event=None):
        worker = self.world.workers.get(event["worker_id"]) if event else None
        self.world.fault(f"watcher {self.name}: {text}", worker)

    # ---- the stream ------------------------------------------------------------------------

    def hear_event(self, event):
        position = (event["boot"], event["seq"])
        if self.position and (event["boot"] != self.position[0]
                              or event["seq"] != self.position[1] + 1):
            self.wrong(f"{self.position} is followed by {position}", event)
        if self.position is None:
            self.since = (position[0], position[1] - 1)
        self.position = position
        self.note(event)
        worker = self.world.workers.get(event["worker_id"])
        if worker is not None:
            self.check(worker, event)

    def hear_heartbeat(self, beat):
        position = (beat["boot"], beat["seq"])
        if self.position is not None and position != self.position and self.topics[0] == BATCHES:
            self.wrong(f"heartbeat {position} after event {self.position}")
        if self.position is None:
            self.position = self.since = position
        self.field.note_heartbeat(self.world.strain.to_monotonic(unix_s(beat["at"])))

    def note(self, event):
        self.view[event["worker_id"]] = event
        self.order.setdefault(event["worker_id"], []).append((event["boot"], event["seq"]))

    # ---- one object --------------------------------------------------------------------------

    def hear_object(self, worker_id, event, retained):
        if event is None:
            self.view.pop(worker_id, None)
            return
        before = self.view.get(worker_id)
        if event["worker_id"] != worker_id:
            self.wrong(f"{event} on the topic of {worker_id}", event)
        if before and (event["boot"], event["seq"]) < (before["boot"], before["seq"]):
            self.wrong(f"{event} after {before}", event)
        if before and event["generation"] < before["generation"]:
            self.wrong(f"generation {before['generation']} is followed by {event}", event)
        if retained:
            self.view[worker_id] = event
        else:
            self.note(event)

    def check(self, worker, event):
        check_event(self.world, self.name, worker, event)
        before = self.generations.get(worker.id, -1)
        if event["generation"] < before:
            self.wrong(f"generation {before} is followed by {event}", event)
        self.generations[worker.id] = event["generation"]


class ObjectWatcher(Watcher):
    """Follows each worker's own topic, with heartbeats to know where it stands."""

    def hear_event(self, event):
        raise NotImplementedError

    def hear_heartbeat(self, beat):
        if self.since is None:
            self.since = (beat["boot"], beat["seq"])
        self.position = (beat["boot"], beat["seq"])


def compare(world, stream, objects):
    """Both have heard the same of every worker since both listen, and each object's last event
    is the one that is retained."""
    if stream.since is None or objects.since is None:
        return
    since = max(stream.since, objects.since)
    for worker_id in stream.order.keys() | objects.order.keys():
        told = [p for p in stream.order.get(worker_id, []) if p > since]
        kept = [p for p in objects.order.get(worker_id, []) if p > since]
        if told != kept:
            world.fault(f"{worker_id}: the stream had {told[-8:]}, its own topic {kept[-8:]}",
                        world.workers.get(worker_id))
    for worker_id, event in stream.view.items():
        kept = objects.view.get(worker_id)
        # Bridges alone are told from where a client came.
        event = {name: value for name, value in event.items() if name != "address"}
        if event["reason"] == "deleted":
            if kept is not None:
                world.fault(f"{worker_id} is deleted and has a retained message: {kept}")
        elif kept != event:
            world.fault(f"{worker_id}: the stream's last is {event}, retained is {kept}",
                        world.workers.get(worker_id))

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""A control user's client: hears all that the plugin publishes, and gives it commands.

It checks by itself what must hold for every event whatever the test is about; `faults` lists
what did not.
"""

import itertools
import json
import threading
import time
import uuid

import paho.mqtt.client as mqtt

from .broker import BRIDGE_PASSWORD, BRIDGE_USER
from .secrets import note_answer
from .settings import SLOWNESS
from .wait import wait_until

CONTROL = "$CONTROL/rollcall/v1"
RESPONSE = CONTROL + "/response"


class ControlError(Exception):
    def __init__(self, error):
        super().__init__(f"{error['code']}: {error['message']}")
        self.code, self.message = error["code"], error["message"]


def paho_client(client_id, transport="tcp", version=5):
    """A paho client without a session behind it, whichever paho is installed."""
    options = {"client_id": client_id, "transport": transport}
    if version == 5:
        options["protocol"] = mqtt.MQTTv5
    else:
        options.update(protocol=mqtt.MQTTv311, clean_session=True)
    if hasattr(mqtt, "CallbackAPIVersion"):
        options["callback_api_version"] = mqtt.CallbackAPIVersion.VERSION2
    return mqtt.Client(**options)


class Observer:
    def __init__(self, broker, topics=("rollcall/v1/#", "workers/+/presence")):
        self.topics = topics
        self.lock = threading.Lock()
        self.events, self.audit, self.heartbeats, self.retained = [], [], [], {}
        self.faults, self.messages = [], 0
        self.position, self.generations = None, {}
        self.responses, self.unmatched = {}, []
        self.streams = {}  # all answers to what call_pages() asked
        self.numbers = itertools.count(1)
        self.ready = threading.Event()
        self.client = paho_client(f"observer-{uuid.uuid4().hex[:12]}")
        self.client.username_pw_set(BRIDGE_USER, BRIDGE_PASSWORD)
        self.client.reconnect_delay_set(1, 1)
        self.client.on_connect = self._on_connect
        self.client.on_disconnect = lambda *_: self.ready.clear()
        self.client.on_subscribe = lambda *_: self.ready.set()
        self.client.on_message = self._on_message
        self.client.connect("127.0.0.1", broker.mqtt_port, keepalive=30)
        self.client.loop_start()
        self.wait_ready()

    def wait_ready(self, timeout=10):
        assert self.ready.wait(timeout * SLOWNESS), "the observer could not subscribe"
        return self

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()

    # ---- what it hears -----------------------------------------------------------------

    def _on_connect(self, client, *_):
        # What happened while it was away is missing from its view, which is no fault.
        self.position = None
        client.subscribe([(topic, 1) for topic in self.topics])

    def _on_message(self, _client, _userdata, message):
        with self.lock:
            self.messages += 1
            data = json.loads(message.payload) if message.payload else None
            if message.topic == "rollcall/v1/presence":
                self._take_batch(data)
            elif message.topic == "rollcall/v1/audit":
                self.audit.append(data)
                note_answer(message.payload.decode() + "\n")
            elif message.topic == "rollcall/v1/heartbeat":
                self._take_heartbeat(data)
            elif message.topic == RESPONSE:
                self._take_responses(data)
            else:
                self.retained[message.topic] = data

    def _take_batch(self, batch):
        if not 1 <= len(batch["events"]) <= 500:
            self.faults.append(f"a batch of {len(batch['events'])}")
        for event in batch["events"]:
            self._check(event)
            self.events.append({**event, "heard": time.monotonic()})

    def _check(self, event):
        boot, seq = position = event["boot"], event["seq"]
        if self.position and boot == self.position[0] and seq != self.position[1] + 1:
            self.faults.append(f"seq {self.position} is followed by {position}")
        if self.position and boot < self.position[0]:
            self.faults.append(f"boot {self.position} is followed by {position}")
        self.position = position
        before = self.generations.get(event["worker_id"], -1)
        if event["generation"] < before:
            self.faults.append(f"generation {before} is followed by {event}")
        self.generations[event["worker_id"]] = event["generation"]
        if event["connected"] != (event["state"] == "online") or \
                event["connected"] != (event["sessions"] > 0) or \
                event["connected"] != (event["reason"] is None):
            self.faults.append(f"contradicts itself: {event}")

    def _take_heartbeat(self, beat):
        if self.position and (beat["boot"], beat["seq"]) != self.position:
            self.faults.append(f"heartbeat {beat} after event {self.position}")
        self.position = self.position or (beat["boot"], beat["seq"])
        self.heartbeats.append({**beat, "heard": time.monotonic()})

    def events_of(self, worker_id, since=0):
        with self.lock:
            return [e for e in self.events[since:] if e["worker_id"] == worker_id]

    def mark(self):
        """A position in the list of events, for events_of()'s `since`."""
        with self.lock:
            return len(self.events)

    def last_event(self, worker_id):
        events = self.events_of(worker_id)
        return events[-1] if events else None

    def wait_event(self, worker_id, timeout=5, since=0, **wanted):
        """The first event of the worker that has all the given members."""
        def found():
            return next((e for e in self.events_of(worker_id, since)
                         if all(e[k] == v for k, v in wanted.items())), None)
        return wait_until(found, timeout, f"an event of {worker_id} with {wanted}; "
                          f"there were {self.events_of(worker_id)}")

    def wait_state(self, worker_id, state, timeout=5):
        """Waits until the worker's last event says so, and returns it."""
        def reached():
            event = self.last_event(worker_id)
            return event if event and event["state"] == state else None
        return wait_until(reached, timeout, f"{worker_id} is {state}")

    def wait_audit(self, worker_id, code, timeout=5):
        def found():
            with self.lock:
                return next((row for row in self.audit
                             if (row["worker_id"], row["code"]) == (worker_id, code)), None)
        return wait_until(found, timeout, f"audit row {code} of {worker_id}")

    def audit_of(self, worker_id):
        with self.lock:
            return [row for row in self.audit if row["worker_id"] == worker_id]

    # ---- what it says ------------------------------------------------------------------

    def _take_responses(self, data):
        for response in data["responses"]:
            number = response.get("correlationData")
            if number is None:
                self.unmatched.append(response)
            elif number in self.streams:
                self.streams[number].append(response)
            else:
                self.responses[number] = response

    def publish_control(self, payload):
        self.client.publish(CONTROL, payload, qos=1)

    def send_command(self, command, /, **members):
        """Returns the number under which wait_response() finds the answer."""
        number = str(next(self.numbers))
        self._publish_command(number, command, members)
        return number

    def _publish_command(self, number, command, members):
        self.publish_control(json.dumps({"commands": [
            {"command": command, "correlationData": number, **members}]}))

    def wait_response(self, number, timeout=5):
        response = wait_until(lambda: self.responses.pop(number, None), timeout,
                              f"response {number}")
        if "error" in response:
            raise ControlError(response["error"])
        return response["data"]

    def call(self, command, /, timeout=5, **members):
        return self.wait_response(self.send_command(command, **members), timeout)

    def call_pages(self, command, /, timeout=10, **members):
        """All answers to a command that answers in pages, in order."""
        number, answers = str(next(self.numbers)), []
        self.streams[number] = []
        self._publish_command(number, command, members)
        while not answers or answers[-1].get("more"):
            answers.append(wait_until(lambda: self.streams[number][len(answers):], timeout,
                                      f"answer {len(answers)} to {command}")[0])
            if "error" in answers[-1]:
                raise ControlError(answers[-1]["error"])
        del self.streams[number]
        return answers

    def connection(self, worker_id):
        return self.call("getConnection", worker_id=worker_id)["connection"]

    def expect_error(self, code, command, /, **members):
        try:
            data = self.call(command, **members)
        except ControlError as e:
            assert e.code == code, f"{command}: {e} instead of {code}"
            return e
        raise AssertionError(f"{command} succeeded with {data} instead of {code}")

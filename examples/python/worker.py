#!/usr/bin/python3
# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""A worker: connects, reports metrics, obeys engine_start and engine_stop (paho-mqtt 1.6 or later).

A renewed token is kept in WORKER_ID.token, which precedes the one that was given."""
import argparse
import collections
import contextlib
import datetime
import json
import os
import random
import resource
import signal
import threading
import time
import urllib.parse as urls

import paho.mqtt.client as mqtt

ENGINE_AFTER = {"engine_start": "running", "engine_stop": "stopped"}
KEEPALIVE_S, REPORT_EVERY_S, BACKOFF_MAX_S = 20, 5, 30
OPTIONS = ("url", "ROLLCALL_WS_URL"), ("id", "ROLLCALL_WORKER_ID"), ("token", "ROLLCALL_WORKER_TOKEN")


def now():
    return datetime.datetime.now(datetime.timezone.utc)


def saved_token(path):
    with contextlib.suppress(FileNotFoundError), open(path, encoding="ascii") as file:
        return file.read().strip()
    return None


def save_token(path, token):
    """Whole or not at all, and on the disk when this returns."""
    with open(os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(token + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(path + ".new", path)


class Worker:
    def __init__(self, url, worker_id, token):
        self.token_file = worker_id + ".token"
        self.tokens = list(filter(None, [saved_token(self.token_file), token]))  # the first is used
        self.url, self.id, self.topic = urls.urlsplit(url), worker_id, f"workers/{worker_id}/"
        self.engine, self.seq, self.attempt, self.next_report = "stopped", 0, 0, 0
        self.seen = collections.deque(maxlen=1000)  # command ids
        self.results = []  # what the bridge has not acknowledged as stored
        self.stopping = threading.Event()
        version = [mqtt.CallbackAPIVersion.VERSION2] if hasattr(mqtt, "CallbackAPIVersion") else []
        self.client = mqtt.Client(*version, client_id=worker_id, clean_session=True, transport="websockets")
        self.client.username_pw_set(worker_id, self.tokens[0])
        self.client.will_set(self.topic + "will", json.dumps({"reason": "the worker vanished"}), qos=1)
        self.client.ws_set_options(path=self.url.path.rstrip("/") or f"/ws/{worker_id}")
        self.client.on_connect, self.client.on_message = self.on_connect, self.on_message

    def publish(self, topic, message):
        self.client.publish(self.topic + topic, json.dumps(message), qos=1)

    def on_connect(self, client, userdata, flags, code, *properties):
        if code != 0:
            self.use_token(self.tokens[-1])  # perhaps an operator has given a new one
            return print(f"refused: {code}", flush=True)
        self.attempt = 0
        self.publish("state", {"engine_status": self.engine})
        for result in self.results:
            self.publish("results", result)
        print(f"connected to {self.url.netloc} as {self.id}", flush=True)

    # Nothing is subscribed to: a session gets what is meant for it.
    def on_message(self, client, userdata, message):
        name, body = message.topic[len(self.topic):], json.loads(message.payload)
        if name == "commands" and "command_id" in body:
            self.obey(body)
        elif name == "results/ack":
            for command_id in body["command_ids"] + [r["command_id"] for r in body.get("rejected", [])]:
                stored = [r for r in self.results if r["command_id"] == command_id][:1]
                self.results = [r for r in self.results if r not in stored]
        elif name == "token":
            self.renew(body)
        elif name != "metrics/ack":
            print(f"{name}: {body}", flush=True)

    def use_token(self, token):
        self.tokens = [token] + [other for other in self.tokens if other != token]
        self.client.username_pw_set(self.id, token)

    # Saved first: once it is acknowledged the old one ends. The session goes on.
    def renew(self, message):
        answer = {"success": True, "renewal_id": message["renewal_id"]}
        try:
            save_token(self.token_file, message["new_token"])
            self.use_token(message["new_token"])
            print(f"token renewed until {message['expires_at']}", flush=True)
        except OSError as error:
            answer.update(success=False, error=str(error))
        self.publish("token/ack", answer)

    def obey(self, command):
        command_id, kind, expires = command["command_id"], command["type"], command.get("expires_at")
        late = expires and datetime.datetime.fromisoformat(expires.replace("Z", "+00:00")) < now()
        if late or command_id in self.seen:
            return
        self.seen.append(command_id)
        print(f"{kind} ({command_id})", flush=True)
        if kind not in ENGINE_AFTER:
            return self.answer(command_id, "failed", error=f"unknown command {kind}")
        self.answer(command_id, "accepted")
        self.engine = ENGINE_AFTER[kind]
        self.publish("state", {"engine_status": self.engine})
        self.answer(command_id, "done", result={"engine_status": self.engine})

    def answer(self, command_id, status, **more):
        self.results.append({"command_id": command_id, "status": status, **more})
        self.publish("results", self.results[-1])

    def report(self):
        self.seq += 1
        used = resource.getrusage(resource.RUSAGE_SELF)
        self.publish("metrics", {
            "memory": used.ru_maxrss * 1024, "cpu": used.ru_utime + used.ru_stime,
            "rate": random.uniform(90, 110) if self.engine == "running" else 0,
            "engine_status": self.engine, "seq": self.seq, "at": now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")})

    def session(self):
        self.client.connect(self.url.hostname, self.url.port or 80, KEEPALIVE_S)
        while not self.stopping.is_set() and self.client.loop(0.2) == mqtt.MQTT_ERR_SUCCESS:
            if self.client.is_connected() and time.monotonic() >= self.next_report:
                self.next_report = time.monotonic() + REPORT_EVERY_S
                self.report()

    def run(self):
        while not self.stopping.is_set():
            try:
                self.session()
            except (OSError, mqtt.WebsocketConnectionError) as error:
                print(error, flush=True)
            pause = min(BACKOFF_MAX_S, 2 ** self.attempt) * random.uniform(0.5, 1)  # not the fleet at once
            self.attempt = min(self.attempt + 1, 10)
            if not self.stopping.wait(pause):
                print(f"connecting again after {pause:.1f} s", flush=True)
        self.client.disconnect()


parser = argparse.ArgumentParser(description=__doc__)
for name, variable in OPTIONS:
    value = os.environ.get(variable)
    parser.add_argument("--" + name, default=value, required=not value, help=f"or {variable}")
given = parser.parse_args()
worker = Worker(given.url, given.id, given.token)
for number in signal.SIGTERM, signal.SIGINT:
    signal.signal(number, lambda *_: worker.stopping.set())
worker.run()

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""A real Mosquitto with the plugin, configured by the file that is shipped."""

import getpass
import os
import re
import signal
import subprocess

from .ports import free_port
from .process import Process
from .settings import BROKER_PRELOAD, ROOT, Built, clean_environment, program
from .wait import wait_until
from .wire import Closed, Wire

BRIDGE_USER, BRIDGE_PASSWORD = "rollcall-bridge", "broker secret"
ORDINARY_USER, ORDINARY_PASSWORD = "alice", "wonderland"
SHIPPED = ROOT / "deploy" / "mosquitto"

# All that an access file can grant: what is denied in spite of it, the plugin denied.
ORDINARY_ACL = f"user {ORDINARY_USER}\ntopic readwrite #\ntopic readwrite $CONTROL/#\n" \
    "topic read $SYS/#\n"

NODE = "test-node"


def broker_version(mosquitto):
    shown = subprocess.run([mosquitto, "-h"], stdout=subprocess.PIPE, check=False).stdout.decode()
    return tuple(int(n) for n in re.search(r"version (\d+)\.(\d+)\.(\d+)", shown).groups())


class Broker:
    def __init__(self, directory, lines=(), **plugin_options):
        """`lines`: more of its configuration; `plugin_options`: without their prefix."""
        self.directory = directory
        self.lines = lines
        self.mosquitto = program("ROLLCALL_MOSQUITTO", "mosquitto")
        self.version = broker_version(self.mosquitto)
        self.mqtt_port, self.ws_port = free_port(), free_port()
        self.process = Process("broker", [self.mosquitto, "-c", directory / "mosquitto.conf"],
                               directory, self._environment(), memcheck=True)
        # Tests are impatient: workers come and go as no real fleet does.
        self.options = {"reconnect_grace_ms": 300, "auth_failures_per_minute": 100000,
                        "connects_per_minute": 100000, "publishes_per_second": 100000,
                        **plugin_options}
        for folder in ("plugin", "persistence"):
            (directory / folder).mkdir(exist_ok=True)
        self._write_accounts()
        self.write_config()

    @staticmethod
    def _environment():
        # Mosquitto gives back little of its memory at its end; the plugin's is valgrind's to judge.
        return {"LD_PRELOAD": BROKER_PRELOAD,
                "ASAN_OPTIONS": "detect_leaks=0"} if BROKER_PRELOAD else {}

    def _write_accounts(self):
        path = self.directory / "passwd"
        path.write_text(f"{BRIDGE_USER}:{BRIDGE_PASSWORD}\n{ORDINARY_USER}:{ORDINARY_PASSWORD}\n")
        path.chmod(0o600)
        subprocess.run([program(None, "mosquitto_passwd"), "-U", str(path)], check=True,
                       env=clean_environment())
        acl = self.directory / "acl"
        acl.write_text((SHIPPED / "rollcall.acl").read_text() + ORDINARY_ACL)
        acl.chmod(0o600)

    def write_config(self):
        values = {
            "USER": getpass.getuser(), "PASSWORD_FILE": self.directory / "passwd",
            "ACL_FILE": self.directory / "acl", "PLUGIN": Built.plugin,
            "STORAGE_PATH": self.directory / "plugin", "NODE_ID": NODE,
            "MQTT_PORT": self.mqtt_port, "MQTT_BIND": "127.0.0.1",
            "WS_PORT": self.ws_port, "WS_BIND": "127.0.0.1",
            "PERSISTENCE_PATH": self.directory / "persistence"}
        shipped = (SHIPPED / "rollcall.conf").read_text()
        lines = [re.sub("@([A-Z_]+)@", lambda m: str(values[m[1]]), line)
                 for line in shipped.splitlines() if not line.startswith("#")]
        # Options of a plugin must stand right behind it.
        plugin = lines.index(f"plugin {Built.plugin}") + 1
        lines[plugin:plugin] = [f"plugin_opt_{n} {v}" for n, v in self.options.items()]
        lines += ["log_type information", *self.lines]
        (self.directory / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    @property
    def tells_how_sessions_end(self):
        """Mosquitto 2.0 gives a plugin no reason, 2.1 does."""
        return self.version >= (2, 1)

    def start(self):
        self.process.start()
        wait_until(self.answers, 20, "the broker answers")
        return self

    def answers(self):
        self.process.must_be_alive()
        try:
            for websocket in (False, True):
                self.wire(websocket).drop()
        except (OSError, Closed):
            return False
        return True

    def wire(self, websocket=False, version=5, path="/ws/any"):
        return Wire(self.ws_port if websocket else self.mqtt_port, websocket, version, path)

    def control_wire(self, client_id="control", version=5):
        """A raw client that is one of the plugin's control_users."""
        wire = self.wire(version=version)
        assert wire.connect(client_id, BRIDGE_USER, BRIDGE_PASSWORD) == 0
        return wire

    def ordinary_wire(self, client_id="alice-1", websocket=False, version=5):
        wire = self.wire(websocket, version)
        assert wire.connect(client_id, ORDINARY_USER, ORDINARY_PASSWORD) == 0
        return wire

    def terminate(self):
        return self.process.terminate()

    def kill9(self):
        self.process.kill9()

    def restart(self):
        self.terminate()
        return self.start()

    def sighup(self):
        """Asks it to read its configuration again, and waits until it has begun to."""
        since = self.process.log_size()
        os.kill(self.process.pid, signal.SIGHUP)
        wait_until(lambda: "Reloading config" in self.process.log_text(since), 5,
                   "the broker reloads")

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""`make run` as a user starts it, on a directory and ports of its own."""

import os
import signal

from .ports import free_port
from .process import Process
from .rest import Rest
from .settings import ROOT
from .wait import wait_until

PARTS = {"broker": "ROLLCALL_BROKER_PID", "bridge": "ROLLCALL_BRIDGE_PID",
         "database": "ROLLCALL_DB_PID"}


class Installation:
    def __init__(self, directory, **environment):
        self.run_dir = directory / "run"
        self.rests = []
        self.ready_file = self.run_dir / "ready.env"
        self.environment = {
            "ROLLCALL_RUN_DIR": str(self.run_dir), "ROLLCALL_HTTP_PORT": str(free_port()),
            "ROLLCALL_WS_PORT": str(free_port()), "ROLLCALL_MQTT_PORT": str(free_port()),
            **{k: v for k, v in os.environ.items()
               if k in ("ROLLCALL_MOSQUITTO", "ROLLCALL_MARIADBD")}, **environment}
        self.process = Process("make-run", ["make", "--no-print-directory", "-C", ROOT, "run"],
                               directory, self.environment)

    def start(self):
        self.process.start()
        return self.wait_ready()

    def wait_ready(self):
        wait_until(self._is_ready, 60, "ready.env is there")
        return self

    def _is_ready(self):
        self.process.must_be_alive()
        return self.ready_file.exists()

    @property
    def env(self):
        """ready.env, taken apart."""
        return dict(line.split("=", 1) for line in self.ready_file.read_text().splitlines())

    def pid(self, part):
        return int(self.env[PARTS[part]])

    def pids(self):
        return {part: self.pid(part) for part in PARTS}

    def rest(self):
        """The administrator, signed in anew."""
        env = self.env
        self.rests.append(Rest(env["ROLLCALL_URL"]))
        return self.rests[-1].login(env["ROLLCALL_ADMIN_USER"], env["ROLLCALL_ADMIN_PASSWORD"])

    def run_sh_pid(self):
        """make's child, to which Ctrl-C goes as well: it has the terminal's process group."""
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            children = f.read().split()
        return int(children[0]) if children else None

    def stop(self, number=signal.SIGTERM):
        """As a supervisor does that knows run.sh alone; returns make's exit status."""
        for rest in self.rests:
            rest.session.close()
        if self.process.alive:
            child = self.run_sh_pid()
            os.kill(child or self.process.pid, number)
        return self.process.wait(30)


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False

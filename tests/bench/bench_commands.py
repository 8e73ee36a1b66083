# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""POST /workers/{id}/start?wait=: from asking to the worker's answer, recorded in the database; one
at a time, and 32 under way."""

import contextlib

import subjects
from figures import figure, in_turn, rounds
from load import Load
from proc import CpuSpan

WORKERS = 1000
SECONDS = 4
# MariaDB's own defaults.
DATABASE = ("--innodb-log-file-size=96M", "--innodb-buffer-pool-size=128M")


class Commands:
    def __init__(self, installation, at_once):
        self.installation, self.at_once = installation, at_once
        self.name = str(at_once)

    def measure(self):
        site = self.installation.site
        parts = {"broker": self.installation.pid, "bridge": site.bridge.process.pid,
                 "mariadb": self.installation.server.process.pid}
        spans = {name: CpuSpan(pid) for name, pid in parts.items()}
        load = Load(self.installation.port("ws"), count=WORKERS, version=5, echo=True,
                    subscribe="workers/%s/commands", result_topic="workers/%s/results",
                    commands="http", command_time=SECONDS, command_concurrency=self.at_once,
                    http_port=site.bridge.port, http_path="/workers/%s/start?wait=5",
                    http_header="Authorization: "
                                + site.rest.session.headers["Authorization"],
                    settle=1, **self.installation.login)
        load.on("commands", lambda: [s.begin() for s in spans.values()])
        load.on("commanded", lambda: [s.end() for s in spans.values()])
        report = load.run()
        assert report["connected"] == WORKERS, report["first_fault"]
        answered = report["command_answered"]
        assert report["faults"]["command"] == 0, report["first_fault"]
        assert report["faults"]["command_timeout"] == 0, report["first_fault"]
        done = max(1, report["commands_answered_per_s"] * SECONDS)
        seen = {"per_s": report["commands_answered_per_s"], "p50_ms": answered["p50_ms"],
                "p99_ms": answered["p99_ms"], "delivered_p50_ms":
                report["command_delivered"]["p50_ms"],
                "fleet_cpu_pct": report["command_own_cpu_pct"]}
        for name, span in spans.items():
            seen[f"{name}_cpu_us"] = (span.us + span.others_us) / done
        return seen


def run(scratch):
    with contextlib.ExitStack() as stack:
        installation = subjects.Installation(scratch, subjects.Crowd(scratch, WORKERS),
                                             database_options=DATABASE)
        stack.callback(installation.close)
        tested = [Commands(installation, n) for n in (1, 32)]
        seen = in_turn(tested, lambda s: s.measure(), rounds(3))
    one, many = seen["1"], seen["32"]
    figure("commands", "rollcall+bridge", one.pop("p50_ms"), "ms", transport="ws",
           what="start to the worker's recorded answer, one at a time", at_most=0.7, of="value",
           **one)
    figure("commands", "rollcall+bridge", many.pop("per_s"), "commands/s", transport="ws",
           what="32 under way", at_least=8000, of="value", **many)

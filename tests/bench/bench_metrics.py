# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Reports of 1,000 workers over WebSocket, one in each message, acknowledged after their commit:
how many a second, beside what a plain bulk-insert program reaches on the same server, and how
long one takes at half the load that is aimed at."""

import json
import subprocess

import subjects
from figures import figure, in_turn, rounds
from harness.settings import ROOT, clean_environment
from load import Load
from proc import CpuSpan

WORKERS = 1000
SECONDS = 5
BULK_SECONDS = 2
INFLIGHT = 20
AIM_PER_S = 40_000
# MariaDB's own defaults.
DATABASE = ("--innodb-log-file-size=96M", "--innodb-buffer-pool-size=128M")
BULK_INSERT = ROOT / "build" / "release" / "tests" / "bench" / "bulk_insert"


class BulkInsert:
    name = "bulk_insert"

    def __init__(self, database):
        self.database = database

    def measure(self):
        done = subprocess.run(
            [BULK_INSERT, self.database.server.socket, self.database.name, self.database.user,
             str(BULK_SECONDS)], stdout=subprocess.PIPE, check=True,
            env={**clean_environment(), "BULK_INSERT_PASSWORD": self.database.password})
        return {"per_s": json.loads(done.stdout)["rows_per_s"]}


class Pipeline:
    """All of it under load. `rate`: reports a second; 0: each answer is followed by a report."""

    def __init__(self, installation, rate, qos=1):
        self.installation, self.rate, self.qos = installation, rate, qos
        self.name = f"qos{qos}"

    def measure(self):
        parts = {"broker": self.installation.pid,
                 "bridge": self.installation.site.bridge.process.pid,
                 "mariadb": self.installation.server.process.pid}
        spans = {name: CpuSpan(pid) for name, pid in parts.items()}
        load = Load(self.installation.port("ws"), count=WORKERS, version=5, reports=True,
                    publish_time=SECONDS, publish_rate=self.rate, publish_qos=self.qos,
                    inflight=INFLIGHT if not self.rate else 1000, **self.installation.login)
        load.on("publish", lambda: [s.begin() for s in spans.values()])
        load.on("published", lambda: [s.end() for s in spans.values()])
        report = load.run()
        assert report["connected"] == WORKERS, report["first_fault"]
        assert report["report_rejections"] == 0
        done = max(1, report["acknowledged_per_s"] * SECONDS)
        seen = {"per_s": report["acknowledged_per_s"], "p50_ms": report["publish"]["p50_ms"],
                "p99_ms": report["publish"]["p99_ms"],
                "fleet_cpu_us": report["publish_own_cpu_pct"] / 100 * SECONDS * 1e6 / done}
        for name, span in spans.items():
            seen[f"{name}_cpu_us"] = (span.us + span.others_us) / done
        return seen


def run(scratch):
    crowd = subjects.Crowd(scratch, WORKERS)
    installation = subjects.Installation(scratch, crowd, database_options=DATABASE)
    try:
        bulk = BulkInsert(installation.site.database)
        tested = [bulk, *(Pipeline(installation, 0, qos) for qos in (1, 0))]
        seen = in_turn(tested, lambda s: s.measure(), rounds(3))
        aim = min(AIM_PER_S, seen["bulk_insert"]["per_s"] / 3)
        for pipeline in tested[1:]:
            row = seen[pipeline.name]
            figure("metrics", "rollcall", row.pop("per_s"), "reports/s", transport="ws",
                   what=f"QoS {pipeline.qos}", baseline="bulk_insert",
                   baseline_value=seen["bulk_insert"]["per_s"], at_least=round(aim), of="value",
                   inflight=INFLIGHT, **row)
        half = in_turn([Pipeline(installation, aim / 2)], lambda s: s.measure(), rounds(3))["qos1"]
        figure("metrics", "rollcall", half.pop("p99_ms"), "ms", transport="ws",
               what="report to acknowledgement, p99, at half the load", at_most=1000, of="value",
               reports_per_s=half.pop("per_s"), **half)
    finally:
        installation.close()

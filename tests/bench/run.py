#!/usr/bin/env python3
# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""run.py [BENCH…] - runs benches (all by default) and prints one JSON line per figure.

A bench is a file bench_NAME.py here with a function run(scratch). Everything is started by the
bench itself, on loopback and in a temporary directory. Environment:

  ROLLCALL_MOSQUITTO, ROLLCALL_TEST_PLUGIN   the broker, and the plugin that was built for it
  BENCH_BROKERS   "installed trixie forky": runs once for each; those of other Debian suites are
                  made ready by tests/brokers/prepare.sh (in ROLLCALL_TEST_TREES, needs root)
  BENCH_ROUNDS    how often each subject has its turn
"""

import importlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "tests" / "integration"))


def names():
    return sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))


def run_here(chosen):
    from figures import describe_run
    from harness.broker import broker_version
    from harness.fleet import raise_open_files
    from harness.process import Process
    from harness.settings import Built, program

    describe_run(broker=".".join(map(str, broker_version(program("ROLLCALL_MOSQUITTO",
                                                                 "mosquitto")))))
    print(f"bench: {raise_open_files()} open files at most", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="rollcall-bench-") as path:
        Built.keep(path)
        try:
            for name in chosen:
                print(f"bench: {time.strftime('%T')} {name}", file=sys.stderr)
                importlib.import_module(f"bench_{name}").run(Path(path))
        finally:
            for process in Process.everyone:
                process.kill9()


def run_on(broker, chosen):
    """The same with the Mosquitto of another Debian suite."""
    environment = dict(os.environ)
    environment.pop("BENCH_BROKERS")
    if broker != "installed":
        trees = os.environ.get("ROLLCALL_TEST_TREES", "build/brokers")
        subprocess.run([ROOT / "tests" / "brokers" / "prepare.sh", broker, f"{trees}/{broker}"],
                       check=True, cwd=ROOT, stdout=sys.stderr)
        environment |= {"ROLLCALL_MOSQUITTO": f"{ROOT}/build/{broker}/mosquitto",
                        "ROLLCALL_TEST_PLUGIN": f"build/{broker}/mosquitto_rollcall.so"}
    subprocess.run([sys.executable, __file__, *chosen], check=True, cwd=ROOT, env=environment)


def main():
    chosen = sys.argv[1:] or names()
    unknown = set(chosen) - set(names())
    if unknown:
        sys.exit(f"bench: there is no {' '.join(sorted(unknown))}; there are {' '.join(names())}")
    brokers = os.environ.get("BENCH_BROKERS", "").split()
    if brokers:
        for broker in brokers:
            run_on(broker, chosen)
    else:
        run_here(chosen)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""A program under test: started, logged, signalled and reaped by its own process id."""

import atexit
import re
import signal
import subprocess
from pathlib import Path

from .secrets import keep
from .settings import SLOWNESS, SUPPORT, VALGRIND, clean_environment, program
from .wait import wait_until

SANITIZER_REPORT = re.compile(r"(Address|Leak|Thread|UndefinedBehavior)Sanitizer:|: runtime error: ")
MEMCHECK_STATUS = 99  # what valgrind makes a program's exit status when it found errors


class Ended(Exception):
    """A program that should run does not; waiting on makes no sense."""


class Process:
    """One program, which may be started several times; all runs write to one log."""

    everyone = []

    def __init__(self, name, command, directory, environment=None, memcheck=False):
        self.name = name
        self.command = [str(word) for word in command]
        self.directory = directory
        self.environment = environment or {}
        for variable, value in self.environment.items():
            if variable.endswith(("_PASSWORD", "_SECRET")):
                keep(value)
        self.memcheck = memcheck and VALGRIND
        self.log = directory / f"{name}.log"
        self.memcheck_logs = []
        self.popen = None
        Process.everyone.append(self)

    def start(self):
        assert not self.alive, f"{self.name} is running already"
        # SIGINT is ignored where the tests run in the background, and a shell cannot undo that.
        # The kernel kills it when this process dies without having been able to clean up.
        command = (["env", "--default-signal=INT", "setpriv", "--pdeathsig", "KILL", "--"]
                   + self._under_valgrind() + self.command)
        with open(self.log, "ab") as out:
            self.popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                cwd=self.directory, env={**clean_environment(), **self.environment})
        return self

    def _under_valgrind(self):
        if not self.memcheck:
            return []
        log = self.directory / f"{self.name}.memcheck.{len(self.memcheck_logs)}"
        self.memcheck_logs.append(log)
        return [program(None, "valgrind"), "--quiet", "--leak-check=full", "--num-callers=30",
                "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite",
                f"--error-exitcode={MEMCHECK_STATUS}", f"--log-file={log}",
                f"--suppressions={SUPPORT / 'memcheck.supp'}", "--"]

    @property
    def pid(self):
        return self.popen.pid

    @property
    def alive(self):
        return self.popen is not None and self.popen.poll() is None

    def must_be_alive(self):
        if not self.alive:
            raise Ended(f"{self.name} ended:\n{self.log_text()[-3000:]}")

    def signal(self, number):
        if self.alive:
            self.popen.send_signal(number)

    def freeze(self):
        """Stops it until SIGCONT. A thread that is at work goes on until it is next interrupted,
        so this waits until none of them runs."""
        self.signal(signal.SIGSTOP)
        wait_until(lambda: self._thread_states() == {"T"}, 5, f"{self.name} stands still")

    def _thread_states(self):
        return {stat.read_text().rpartition(")")[2].split()[0]
                for stat in Path(f"/proc/{self.pid}/task").glob("*/stat")}

    def wait(self, timeout=10):
        return self.popen.wait(timeout * SLOWNESS)

    def terminate(self, timeout=10):
        """SIGTERM; returns the exit status. One that does not end is killed, and that is an
        error."""
        if self.popen is None:
            return None
        self.signal(signal.SIGTERM)
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise AssertionError(f"{self.name} did not end within {timeout} s of SIGTERM")

    def kill9(self):
        if self.popen is not None:
            self.signal(signal.SIGKILL)
            self.popen.wait()

    def log_size(self):
        return self.log.stat().st_size if self.log.exists() else 0

    def log_text(self, since=0):
        if not self.log.exists():
            return ""
        with open(self.log, "rb") as f:
            f.seek(since)
            return f.read().decode("utf-8", "replace")

    def memcheck_errors(self):
        """What valgrind said about the runs so far; empty when all was well."""
        return "".join(log.read_text(errors="replace") for log in self.memcheck_logs
                       if log.exists())


def sanitizer_reports():
    """Lines of the programs' logs with which a sanitizer begins a report."""
    return [f"{p.directory.name}/{p.name}: {line}" for p in Process.everyone
            for line in p.log_text().splitlines() if SANITIZER_REPORT.search(line)]


def _kill_everyone():
    for process in Process.everyone:
        process.kill9()


atexit.register(_kill_everyone)

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The load harness (tests/bench/fleet) as an object: started, listened to, read at the end."""

import json
import subprocess
import threading

from harness.settings import ROOT, clean_environment

FLEET = ROOT / "build" / "release" / "tests" / "bench" / "fleet" / "fleet"


class Load:
    """One run. `options` become its arguments: tcp=True is --tcp, watch="a" is --watch a."""

    def __init__(self, port, **options):
        self.command = [str(FLEET), "--port", str(port)]
        for name, value in options.items():
            flag = "--" + name.replace("_", "-")
            if value is True:
                self.command.append(flag)
            elif value not in (None, False):
                self.command += [flag, str(value)]
        self.times, self.hooks = {}, {}
        self.happened = threading.Condition()
        self.popen = None

    def on(self, event, hook):
        """Calls hook() in the moment of the event, from another thread."""
        self.hooks[event] = hook
        return self

    def start(self):
        self.popen = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", *self.command], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_environment())
        self.errors = []
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()
        return self

    def _listen(self):
        for line in self.popen.stderr:
            words = line.split()
            if len(words) < 3 or words[0] != "E":
                self.errors.append(line)
                continue
            if words[2] in self.hooks:
                self.hooks[words[2]]()
            with self.happened:
                self.times[words[2]] = float(words[1])
                self.happened.notify_all()
        with self.happened:
            self.happened.notify_all()

    def wait(self, event, timeout):
        """The time (seconds since 1970) at which it happened."""
        with self.happened:
            self.happened.wait_for(lambda: event in self.times or self.popen.poll() is not None,
                                   timeout)
            if event not in self.times:
                raise AssertionError(f"the fleet did not reach {event}: {self._why()}")
            return self.times[event]

    def _why(self):
        return "".join(self.errors)[-500:] or "time is over"

    def finish(self, stop=False, timeout=300):
        """Its report. With `stop` it is asked to end early."""
        if stop:
            self.popen.terminate()
        out = self.popen.stdout.read()
        status = self.popen.wait(timeout)
        self.listener.join(5)
        if not out:
            raise AssertionError(f"the fleet ended with status {status}: {self._why()}")
        report = json.loads(out)
        if report["first_fault"] and not any(report["faults"].get(f) for f in ("lost",)):
            self.errors.append(report["first_fault"])
        return report

    def run(self, timeout=300):
        return self.start().finish(timeout=timeout)

    def close(self):
        if self.popen is not None and self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()

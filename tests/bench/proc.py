# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""What the kernel knows of a process: processor time and resident memory."""

from pathlib import Path


def cpu_us(pid):
    """Microseconds on a processor: of its first thread, and of all others together."""
    first = others = 0.0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            us = int((task / "schedstat").read_text().split()[0]) / 1000
        except OSError:
            continue  # a thread that ended meanwhile
        if task.name == str(pid):
            first = us
        else:
            others += us
    return first, others


def memory(pid):
    """Resident bytes: all, and those of them that no file backs."""
    values = {}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name in ("VmRSS", "RssAnon"):
            values[name] = int(value.split()[0]) * 1024
    return values["VmRSS"], values["RssAnon"]


class CpuSpan:
    """Processor time of a process between two moments."""

    def __init__(self, pid):
        self.pid = pid
        self.before = self.after = (0.0, 0.0)

    def begin(self):
        self.before = cpu_us(self.pid)

    def end(self):
        self.after = cpu_us(self.pid)

    @property
    def us(self):
        return self.after[0] - self.before[0]

    @property
    def others_us(self):
        return self.after[1] - self.before[1]

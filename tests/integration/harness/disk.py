# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""A disk of a few MiB that a test may fill: a tmpfs, which takes root and the right to mount."""

import atexit
import errno
import os
import subprocess

import pytest

SIZE_MIB = 4


class SmallDisk:
    def __init__(self, path):
        self.path = path
        self.ballast = path / "ballast"
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m,mode=700", "tmpfs", str(path)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if mounted.returncode != 0:
            pytest.skip("no tmpfs can be mounted here: " + mounted.stdout.decode().strip())
        atexit.register(self.unmount)

    def fill(self):
        """To the last byte."""
        with open(self.ballast, "ab", buffering=0) as f:
            for size in (65536, 1):
                try:
                    while True:
                        f.write(b"x" * size)
                except OSError as e:
                    assert e.errno == errno.ENOSPC

    def free(self):
        self.ballast.unlink()

    def unmount(self):
        if os.path.ismount(self.path):
            subprocess.run(["umount", "-l", str(self.path)], check=True)

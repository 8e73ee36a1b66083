# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Where things are, and what the environment asks of the tests."""

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
SUPPORT = ROOT / "tests" / "support"

VALGRIND = os.environ.get("ROLLCALL_TEST_VALGRIND", "") not in ("", "0")

# Memcheck makes a program 20 to 50 times slower, ThreadSanitizer ten times; what is measured in
# seconds stays comparable.
SLOWNESS = 8 if VALGRIND else int(os.environ.get("ROLLCALL_TEST_SLOWNESS", "1"))


def _built(variable, default):
    """A built file: the one the variable names, relative to the repository."""
    return ROOT / os.environ.get(variable, default)


# A library that the broker must load before all others, for the sanitizer of the plugin.
BROKER_PRELOAD = os.environ.get("ROLLCALL_TEST_BROKER_PRELOAD", "")


class Built:
    """What is tested. Copied once, so that a build that runs meanwhile swaps nothing."""

    plugin = _built("ROLLCALL_TEST_PLUGIN", "build/release/mosquitto_rollcall.so")
    bridge = _built("ROLLCALL_TEST_BRIDGE", "build/release/rollcall-bridge")

    @classmethod
    def keep(cls, directory):
        cls.plugin = Path(shutil.copy2(cls.plugin, directory))
        cls.bridge = Path(shutil.copy2(cls.bridge, directory))


def program(variable, name):
    """A program of the system, or the one that the variable names instead."""
    wanted = (os.environ.get(variable, "") if variable else "") or name
    path = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    found = shutil.which(wanted, path=path)
    if found is None:
        raise FileNotFoundError(f"{wanted} is not installed ({variable or 'PATH'} could name it)")
    return found


def clean_environment():
    """The caller's environment without the settings of a Rollcall it may be running itself."""
    return {k: v for k, v in os.environ.items() if not k.startswith("ROLLCALL_")}

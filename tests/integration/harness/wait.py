# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Waiting for a condition instead of sleeping for a guess."""

import time

from .settings import SLOWNESS

POLL_S = 0.005
PATIENCE_S = 5.0


def wait_until(condition, timeout=PATIENCE_S, what=None, every_s=POLL_S):
    """Calls condition every 5 ms, or every_s, until what it returns is true, and returns that.

    An AssertionError raised by condition counts as "not yet" and is what one gets to see when
    the time is over, so a condition may be a block of asserts that ends in True.
    """
    end = time.monotonic() + timeout * SLOWNESS
    while True:
        failure = None
        try:
            value = condition()
        except AssertionError as e:
            value, failure = None, e
        if value:
            return value
        if time.monotonic() >= end:
            name = what or getattr(condition, "__doc__", None) or condition.__name__
            raise AssertionError(f"after {timeout * SLOWNESS:g} s still not: {name}"
                                 f" (last value {value!r})") from failure
        time.sleep(every_s)


def hold_true(condition, seconds, what=None):
    """Checks that a condition stays true for a while: for what must *not* happen, where nothing
    that could be waited for marks the end."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert condition(), what or f"{condition.__name__} did not stay true"
        time.sleep(POLL_S)

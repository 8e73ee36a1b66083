# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Which silent peers a broker may have forgotten by reloading (docs/truth.md).

Later than 2.0.11 it has a list for every second, of those whose time runs out then, and looks
through the seconds that have gone by once in a turn of its loop. Whoever tells it to reload makes
it begin anew, in the middle of a turn: the seconds that began since that turn's look are skipped.
"""

import collections
import math
import time

from model import INF

TURNS = 3  # of the loop, that see a reload through
TURN_S = 0.6  # a turn of an idle broker takes no longer than from one heartbeat to the next
READ_S = 0.1  # how old the broker's idea of the time may be when it reads a packet

# Mosquitto counts seconds by this clock, which goes on while a machine sleeps.
CLOCK_AHEAD_S = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()


def second(at):
    return at if at == INF else math.floor(at + CLOCK_AHEAD_S)


class Reloads:
    def __init__(self, world, field):
        self.field = field
        self.forget = world.version > (2, 0, 11)
        self.spans = collections.deque(maxlen=20)  # [since, until]: it may have reloaded

    def begin(self):
        """The broker is about to be told to."""
        span = [time.monotonic(), INF]
        self.spans.append(span)

        def end(now):
            span[1] = now
        self.field.after_turns(TURNS, end)

    def clear(self):
        """The broker has ended."""
        self.spans.clear()

    def may_hide(self, session, last_sent):
        """Whether this session, which sent something at that time at the latest, may have been
        forgotten."""
        patience_s = session.keepalive * 3 // 2
        first = second(session.last_sent - READ_S) + patience_s
        last = second(last_sent + TURN_S) + patience_s
        return self.forget and any(
            first < second(until) and last >= second(since - TURN_S)
            for since, until in self.spans)

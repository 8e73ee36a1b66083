# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""What may be true, and when: the model that every answer is held against.

Nothing here guesses. A time is taken before an action that may change something and after the
proof that it has; between the two both answers are right. So whatever delays this program makes
the model know less, and never makes it wrong.

A session *may* be on from the moment before its CONNECT is sent until its end is proven; it is
*surely* on in the spans of `sure`. A doubt closes a span, and a proof of life that was asked for
after the doubt's cause was over begins the next.
"""

import collections
import time

INF = float("inf")
STORY_LINES = 300

# The broker counts whole seconds: it may see a silence of up to a second that was none.
KEEPALIVE_ROUNDING_S = 1.0


class Windows:
    """Spans of time in which something may, or surely, holds."""

    def __init__(self):
        self.spans = []

    def open(self, since):
        span = [since, INF]
        self.spans.append(span)
        return span

    def touch(self, x, y):
        return any(since <= y and until >= x for since, until in self.spans)

    def cover(self, x, y):
        return any(since <= x and until >= y for since, until in self.spans)

    def forget(self, before):
        self.spans = [span for span in self.spans if span[1] >= before]


class Session:
    """One MQTT session as the model knows it."""

    def __init__(self, worker, client_id, keepalive):
        self.worker = worker
        self.client_id = client_id
        self.keepalive = keepalive
        self.sent = INF  # its CONNECT may have been read from here on
        self.acked = INF  # CONNACK was read
        self.off = INF  # surely over from here on
        self.sure = []
        self.doubts = {"new": INF}  # why -> a proof counts that was asked for after this
        self.last_sent = INF
        self.heir = None  # who is about to take it over
        self.haunted = []  # sessions that it may yet take over, although nobody is there any more
        self.in_limbo = False  # gone in a way that the broker finds out in some seconds

    @property
    def is_open(self):
        return bool(self.sure) and self.sure[-1][1] == INF

    def patience(self):
        """Until when the broker has no right to take it for silent."""
        return self.last_sent + 1.5 * self.keepalive - KEEPALIVE_ROUNDING_S

    def doubt(self, why, since, clears=INF):
        if self.sure:
            span = self.sure[-1]
            until = self.patience() if span[1] == INF else span[1]
            span[1] = max(span[0], min(since, until))
        self.doubts[why] = clears

    def allow_proof(self, why, after):
        """The cause of that doubt is over since `after`."""
        if why in self.doubts:
            self.doubts[why] = after

    def settle(self, why, at):
        """That doubt is gone for good."""
        self.doubts.pop(why, None)
        self._reopen(at)

    def prove(self, asked, at):
        """The broker has answered at `at` what it was asked at `asked`."""
        for why, after in list(self.doubts.items()):
            if asked >= after:
                del self.doubts[why]
        self._reopen(at)

    def _reopen(self, at):
        if self.doubts or self.is_open or self.off != INF:
            return
        if self.sure and self.sure[-1][1] >= at:
            self.sure[-1][1] = INF  # the doubt would have begun later
        else:
            self.sure.append([at, INF])

    def touch(self, at):
        """Something was sent that surely arrives."""
        if self.last_sent != INF and at > self.patience():
            self.doubt("late", self.patience(), at)
        self.last_sent = at

    def over(self, at):
        self.doubt("over", at)
        self.off = min(self.off, at)
        for session in self.haunted:
            session.allow_proof("ghost", at)
        self.haunted = []

    def may_be_on(self, x, y):
        return self.sent <= y and self.off > x

    def spans(self):
        for since, until in self.sure:
            yield since, self.patience() if until == INF else until

    def surely_on(self, x, y):
        return any(since <= x and until >= y for since, until in self.spans())


def covered(sessions, x, y):
    """True if at every moment of the time one of them was surely on."""
    reach = x
    for since, until in sorted(span for s in sessions for span in s.spans()):
        if since > reach:
            return False
        if until >= reach:
            reach = until
            if reach >= y:
                return True
    return False


class Worker:
    def __init__(self, worker_id, token, number):
        self.id = worker_id
        self.token = token
        self.number = number
        self.sessions = []
        # revoked, gone; unsure while something is under way; fading: deleted in the database, and
        # by and by in the plugin
        self.status = "valid"
        self.changes = 0  # of what decides who is let in
        self.former_tokens = []
        self.operations = {}  # under way: what they may end
        self.busy = False  # an administrator is at it
        self.exists_from = self.gone_from = INF
        self.missing_from = INF  # lists may leave it out from here on
        self.story = collections.deque(maxlen=STORY_LINES)

    def tell(self, text, at=None):
        self.story.append((at or time.monotonic(), text))

    # ---- what an answer may say --------------------------------------------------------

    def may_be_on(self, x, y):
        return any(s.may_be_on(x, y) for s in self.sessions)

    def may_be_off(self, x, y):
        return not covered(self.sessions, x, y)

    def client_ids_maybe(self, x, y):
        return {s.client_id for s in self.sessions if s.may_be_on(x, y)}

    def client_ids_surely(self, x, y):
        """Those that were on all the time, by one session or by one that took over from it."""
        return {client_id for client_id in {s.client_id for s in self.sessions}
                if covered([s for s in self.sessions if s.client_id == client_id], x, y)}

    def certainty(self, at):
        """True, False, or None where both may be."""
        if not self.may_be_on(at, at):
            return False
        return None if self.may_be_off(at, at) else True

    # ---- what happens to it ------------------------------------------------------------

    def live(self):
        return [s for s in self.sessions if s.off == INF]

    def begin(self, operation, at, only=None):
        """Something is asked for that may end its sessions, present and coming."""
        self.operations[operation] = only
        for session in self.live():
            if only in (None, session.client_id):
                session.doubt(operation, at)

    def end(self, operation, proof_after):
        self.operations.pop(operation, None)
        for session in self.sessions:
            session.allow_proof(operation, proof_after)

    def forget(self, before):
        self.sessions = [s for s in self.sessions if s.off >= before]

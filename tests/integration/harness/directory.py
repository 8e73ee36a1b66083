# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Plays the bridge's part towards the plugin's directory, for tests without a bridge."""

import datetime
import uuid

from .identity import Identity, new_token, new_worker_id, token_hash

HOUR_S = 3600


def in_seconds(seconds):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


class Directory:
    def __init__(self, observer):
        self.observer = observer
        self.epoch = uuid.uuid4().hex
        self.n = 0

    def revision(self, n=None, epoch=None):
        if n is None:
            self.n += 1
            n = self.n
        return {"epoch": epoch or self.epoch, "n": n}

    def begin(self):
        """The first synchronisation, with nothing in it."""
        sync = self.observer.call("beginSync", epoch=self.epoch, snapshot_n=0)
        self.observer.call("endSync", sync_id=sync["sync_id"], count=0)
        return self

    @staticmethod
    def hash_entry(token, expires_in=HOUR_S, role="current"):
        expires_at = None if expires_in is None else in_seconds(expires_in)
        return {"hash": token_hash(token), "expires_at": expires_at, "role": role}

    def entry(self, worker_id, hashes, status="active", revision=None):
        return {"worker_id": worker_id, "status": status, "token_hashes": hashes,
                "revision": revision or self.revision()}

    def put(self, *entries, **members):
        return self.observer.call("putWorkers", workers=list(entries), **members)

    def enroll(self, *, status="active", expires_in=HOUR_S, worker_id=None):
        identity = Identity(worker_id or new_worker_id(), new_token())
        self.put(self.entry(identity.worker_id, [self.hash_entry(identity.token, expires_in)],
                            status))
        return identity

    def enroll_many(self, count):
        """In messages of 500, the most that one command may carry."""
        identities = [Identity(new_worker_id(), new_token()) for _ in range(count)]
        for at in range(0, count, 500):
            self.put(*[self.entry(i.worker_id, [self.hash_entry(i.token)])
                       for i in identities[at:at + 500]])
        return identities

    def delete(self, worker_id, revision=None):
        return self.observer.call("deleteWorkers", workers=[
            {"worker_id": worker_id, "revision": revision or self.revision()}])

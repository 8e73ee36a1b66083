# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""GET /workers/{id} on 16 connections, beside a program that answers a fixed body of that size."""

import contextlib

import subjects
from asking import Fixed, ask
from figures import figure, in_turn, rounds
from load import Load

WORKERS = 1000
CONNECTIONS = 16
SECONDS = 3


class Asked:
    def __init__(self, name, port, path, authorization=None):
        self.name, self.port, self.path = name, port, path
        self.authorization = authorization

    def measure(self):
        return ask(self.port, self.path, CONNECTIONS, SECONDS, self.authorization)


def run(scratch):
    crowd = subjects.Crowd(scratch, WORKERS)
    with contextlib.ExitStack() as stack:
        installation = subjects.Installation(scratch, crowd)
        stack.callback(installation.close)
        load = Load(installation.port("ws"), count=WORKERS, hold=600, **installation.login)
        stack.callback(load.close)
        load.start().wait("hold", 120)
        subjects.wait_until(installation.everyone_is_shown_online, 60)
        site = installation.site
        worker = Asked("rollcall", site.bridge.port,
                       f"/workers/{crowd.identities[WORKERS // 2].worker_id}",
                       site.rest.session.headers["Authorization"])
        size = ask(worker.port, worker.path, 1, 0.1, worker.authorization)["bytes"]
        fixed = Fixed(size)
        stack.callback(fixed.close)
        tested = [worker, Asked("fixed", fixed.port, "/", worker.authorization)]
        seen = in_turn(tested, lambda s: s.measure(), rounds(5))
        row = seen["rollcall"]
        figure("worker", "rollcall+bridge", row.pop("per_s"), "requests/s",
               connections=CONNECTIONS, baseline="libmicrohttpd, the same size",
               baseline_value=seen["fixed"]["per_s"], at_least=0.5, **row)

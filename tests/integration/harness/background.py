# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""A request whose answer is awaited while the test goes on."""

import threading


class Background:
    """`gate`: a barrier at which it waits for others first."""

    def __init__(self, rest, path, body=None, gate=None):
        self.thread = threading.Thread(target=self._run,
                                       args=(rest.twin(), path, body or {}, gate))
        self.thread.start()

    def _run(self, rest, path, body, gate):
        with rest:
            if gate:
                gate.wait(20)
            self.response = rest.request("POST", path, json=body, timeout=40)

    def any_answer(self):
        self.thread.join(40)
        return self.response.status_code, self.response.json()

    def answer(self, status):
        got, body = self.any_answer()
        assert got == status, body
        return body

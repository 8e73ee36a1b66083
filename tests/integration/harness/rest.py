# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""A signed-in user of the REST API."""

import itertools

import requests

from .bridge import ADMIN, ADMIN_PASSWORD
from .identity import Identity
from .openapi import document_of
from .settings import SLOWNESS
from .wait import wait_until

_names = itertools.count(1)


class Rest:
    def __init__(self, url, ca=None):
        """`ca`: the file of the authority that a server's certificate must come from."""
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = ca or True

    def login(self, username=ADMIN, password=ADMIN_PASSWORD):
        answer = self.ok("POST", "/auth/login", 200,
                         json={"username": username, "password": password})
        # The token alone, so that no test passes by the cookie that came with it.
        self.session.cookies.clear()
        self.session.headers["Authorization"] = "Bearer " + answer["token"]
        return self

    def twin(self):
        """The same user on a connection of its own, for another thread."""
        twin = Rest(self.url, self.session.verify)
        twin.session.headers.update(self.session.headers)
        return twin

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.session.close()

    def request(self, method, path, **options):
        """The response, which is as documented or the test fails."""
        options.setdefault("timeout", 15 * SLOWNESS)
        response = self.session.request(method, self.url + path, **options)
        document = document_of(self.url)
        if document and not options.get("stream"):
            document.check(response, options.get("json"))
        return response

    def ok(self, method, path, status, **options):
        """The answer's JSON; fails unless it has that status."""
        response = self.request(method, path, **options)
        assert response.status_code == status, \
            f"{method} {path}: {response.status_code} {response.text[:500]}"
        return response.json()

    def get(self, path, **query):
        return self.ok("GET", path, 200, params=query)

    def post(self, path, json=None, status=200, **options):
        return self.ok("POST", path, status, json={} if json is None else json, **options)

    def fails(self, method, path, status, code, names=None, **options):
        """Checks an error's shape and returns it; `names`: what its message must mention."""
        response = self.request(method, path, **options)
        assert response.status_code == status, \
            f"{method} {path}: {response.status_code} {response.text[:500]}"
        assert response.headers["Content-Type"].startswith("application/json")
        body = response.json()
        assert body["success"] is False
        assert body["error"]["code"] == code, body
        assert body["error"]["message"]
        if names:
            assert names in body["error"]["message"], body
        return body["error"]

    # ---- workers -----------------------------------------------------------------------

    def register(self, name=None, **more):
        """A new worker's identity, as the one answer that shows its token gave it."""
        body = self.post("/workers", {"name": name or f"worker {next(_names)}", **more}, 201)
        assert body["enforced"] is True, body
        return Identity(body["worker_id"], body["token"])

    def worker(self, worker_id):
        return self.get(f"/workers/{worker_id}")

    def status_of(self, worker_id):
        """Its row of GET /workers/status."""
        rows = self.get("/workers/status", id=worker_id)["workers"]
        assert len(rows) == 1, f"{len(rows)} rows for {worker_id}"
        return rows[0]

    def wait_connected(self, worker_id, wanted=True, timeout=5):
        """Waits for connected to be true, false or None, and returns the status row."""
        def reached():
            row = self.status_of(worker_id)
            return row if row["connected"] is wanted else None
        return wait_until(reached, timeout, f"{worker_id}: connected is {wanted}")

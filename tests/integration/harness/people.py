# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Dashboard users and API keys of a test, and the requests that each of them makes."""

import itertools

from .rest import Rest

PASSWORD = "a password for tests"
_numbers = itertools.count(1)


def new_name(what="user"):
    return f"{what}{next(_numbers)}"


class Person:
    """A user who was just made, signed in on a connection of their own."""

    def __init__(self, admin, role="viewer", url=None):
        self.name = new_name()
        self.admin = admin
        admin.post("/users", {"username": self.name, "password": PASSWORD, "role": role}, 201)
        self.rest = Rest(url or admin.url).login(self.name, PASSWORD)

    def close(self):
        self.rest.session.close()


def key_of(admin, *scopes, **more):
    """A new key: what its one answer said."""
    return admin.post("/keys", {"name": new_name("key"), "scopes": list(scopes), **more}, 201)


def with_key(url, secret):
    rest = Rest(url)
    rest.session.headers["Authorization"] = "Bearer " + secret
    return rest

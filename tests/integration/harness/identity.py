# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Worker ids, tokens and their hashes, made as the contract says."""

import base64
import collections
import hashlib
import os

from .secrets import keep

Identity = collections.namedtuple("Identity", "worker_id token")


def new_worker_id():
    return "wrk_" + base64.b32encode(os.urandom(10)).decode().lower()


def new_token():
    return keep("tk_" + base64.urlsafe_b64encode(os.urandom(48)).decode())


def new_identity():
    return Identity(new_worker_id(), new_token())


def token_hash(token):
    return hashlib.sha256(token.encode()).hexdigest()

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""TLS that ends at HAProxy, with the configuration that is shipped: REST, event streams, workers."""

import contextlib

import pytest
import requests

from harness.bridge import ADMIN, ADMIN_PASSWORD
from harness.door import Door
from harness.listener import Listener
from harness.proxy import Proxy
from harness.rest import Rest
from harness.site import Site
from harness.wait import wait_until
from harness.worker import Worker


@pytest.fixture(scope="module")
def proxied_site(new_directory, database_server, authority):
    directory = new_directory("proxied")
    site = Site(directory, database_server, {
        "ROLLCALL_TRUSTED_PROXIES": "127.0.0.1", "ROLLCALL_HTTP_CONNECTIONS_PER_ADDRESS": "5"})
    proxy = Proxy(directory, authority.issue(), site.bridge.port, site.broker.ws_port).start()
    site.url = f"https://127.0.0.1:{proxy.port}"
    site.ca = authority.ca
    site.door = Door(ws_port=proxy.port, context=authority.context())
    yield site
    proxy.stop()
    site.close()


@pytest.fixture
def proxied(proxied_site):
    with Rest(proxied_site.url, proxied_site.ca) as rest:
        proxied_site.outside = rest.login()
        yield proxied_site
    proxied_site.dismiss()


def outside_worker(site, protocol="ws-5"):
    worker = Worker(site.door, site.outside.register(), protocol)
    site.stack.callback(worker.drop)
    worker.connect()
    site.outside.wait_connected(worker.worker_id)
    return worker


@pytest.mark.parametrize("protocol", ["ws-3.1.1", "ws-5"])
def test_a_worker_lives_behind_the_proxy(proxied, protocol):
    worker = outside_worker(proxied, protocol)
    worker.subscribe("commands")
    proxied.outside.post(f"/workers/{worker.worker_id}/send", {"message": {"n": 1}})
    assert worker.receive("commands") == {"n": 1}
    worker.drop()
    proxied.outside.wait_connected(worker.worker_id, False)


def test_event_streams_come_through_at_once_and_as_many_as_there_are(proxied):
    with contextlib.ExitStack() as stack:
        listeners = []
        for _ in range(10):
            listeners.append(Listener(proxied.outside, types="presence"))
            stack.callback(listeners[-1].close)
        worker = outside_worker(proxied)
        for listener in listeners:
            listener.wait("presence", worker_id=worker.worker_id, connected=True)


def test_the_bridge_knows_that_browsers_came_by_tls(proxied):
    answer = requests.post(proxied.url + "/auth/login", verify=proxied.ca, timeout=10,
                           json={"username": ADMIN, "password": ADMIN_PASSWORD})
    assert "; Secure" in answer.headers["Set-Cookie"]
    assert answer.headers["Strict-Transport-Security"]
    cookie = answer.headers["Set-Cookie"].split(";")[0]
    assert requests.post(proxied.url + "/auth/logout", verify=proxied.ca, timeout=10,
                         headers={"Cookie": cookie, "Origin": proxied.url}).status_code == 200


def test_the_audit_trail_has_the_clients_address_whatever_the_client_says(proxied):
    with requests.Session() as session:
        adapter = requests.adapters.HTTPAdapter()
        adapter.init_poolmanager(1, 1, source_address=("127.0.0.77", 0))
        session.mount(proxied.url, adapter)
        answer = session.post(
            proxied.url + "/auth/login", verify=proxied.ca, timeout=10,
            headers={"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "ftp"},
            json={"username": "nobody-of-that-name", "password": "not the password"})
        assert answer.status_code == 401

    def rows():
        found = proxied.outside.get("/audit", types="sign_in_refused")
        return [r for r in found if r["code"] == "UNKNOWN_USER"]
    assert [r["address"] for r in wait_until(rows)] == ["127.0.0.77"]

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""A real rollcall-bridge between a broker and a database."""

import subprocess

import requests

from .broker import BRIDGE_PASSWORD, BRIDGE_USER
from .ports import free_port
from .process import Process
from .settings import SLOWNESS, Built, clean_environment
from .wait import wait_until

ADMIN, ADMIN_PASSWORD = "admin", "first administrator's password"


class Bridge:
    def __init__(self, directory, broker, database, name="bridge", ca=None, **environment):
        """`ca`: the authority's certificate that clients check the bridge's by, if it has one."""
        self.port = free_port()
        self.ca = ca
        scheme = "https" if "ROLLCALL_TLS_CERT" in environment else "http"
        self.url = f"{scheme}://127.0.0.1:{self.port}"
        self.environment = {
            "ROLLCALL_HTTP_BIND": "127.0.0.1", "ROLLCALL_HTTP_PORT": str(self.port),
            "ROLLCALL_DB_SOCKET": database.server.socket, "ROLLCALL_DB_NAME": database.name,
            "ROLLCALL_DB_USER": database.user, "ROLLCALL_DB_PASSWORD": database.password,
            "ROLLCALL_BROKER_HOST": "127.0.0.1", "ROLLCALL_BROKER_PORT": str(broker.mqtt_port),
            "ROLLCALL_BROKER_USER": BRIDGE_USER, "ROLLCALL_BROKER_PASSWORD": BRIDGE_PASSWORD,
            "ROLLCALL_JWT_SECRET": "secret of this installation, 32 bytes and more",
            "ROLLCALL_ADMIN_PASSWORD": ADMIN_PASSWORD,
            "ROLLCALL_WEBSOCKET_URL": f"ws://127.0.0.1:{broker.ws_port}",
            **environment}
        self.process = Process(name, [Built.bridge], directory, self.environment, memcheck=True)

    def start(self, ready=True):
        self.process.start()
        wait_until(lambda: self.probe("/livez") == 200, 20, "the bridge serves")
        return self.wait_ready() if ready else self

    def wait_ready(self, timeout=20):
        wait_until(lambda: self.probe("/readyz") == 200, timeout, "the bridge is ready")
        return self

    def probe(self, path):
        """The route's status, None while nobody answers."""
        self.process.must_be_alive()
        try:
            return requests.get(self.url + path, timeout=5 * SLOWNESS,
                                verify=self.ca or True).status_code
        except requests.ConnectionError:
            return None

    def terminate(self):
        return self.process.terminate()

    def kill9(self):
        self.process.kill9()

    def restart(self):
        self.terminate()
        return self.start()

    def run(self, *arguments, **environment):
        """Runs the program with other arguments, to its end."""
        return subprocess.run([str(Built.bridge), *arguments], capture_output=True, text=True,
                              timeout=60 * SLOWNESS, check=False, stdin=subprocess.DEVNULL,
                              env={**clean_environment(), **self.environment, **environment})

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""A real HAProxy with the configuration that is shipped."""

import socket
from pathlib import Path

from .ports import free_port
from .process import Process
from .settings import ROOT, program
from .wait import wait_until

SHIPPED = ROOT / "deploy" / "haproxy" / "haproxy.cfg"


class Proxy:
    def __init__(self, directory, pair, bridge_port, broker_port):
        self.port = free_port()
        pem = directory / "proxy.pem"
        pem.write_text("".join(Path(path).read_text() for path in (pair.cert, pair.key)))
        pem.chmod(0o600)
        self.process = Process("haproxy", [program(None, "haproxy"), "-db", "-f", SHIPPED],
                               directory, {
            "ROLLCALL_PROXY_BIND": f"127.0.0.1:{self.port}", "ROLLCALL_PROXY_PEM": str(pem),
            "ROLLCALL_PROXY_BRIDGE": f"127.0.0.1:{bridge_port}",
            "ROLLCALL_PROXY_BROKER": f"127.0.0.1:{broker_port}"})

    def start(self):
        self.process.start()
        wait_until(self._answers, 10, "HAProxy answers")
        return self

    def _answers(self):
        self.process.must_be_alive()
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        self.process.terminate()

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Other ways to a broker than its plain listeners: TLS, or a proxy in front."""

from .ports import free_port
from .wire import Wire


class Door:
    """Stands for the broker where a worker connects."""

    def __init__(self, mqtt_port=None, ws_port=None, context=None):
        self.mqtt_port, self.ws_port, self.context = mqtt_port, ws_port, context

    def wire(self, websocket=False, version=5, path="/ws/any"):
        return Wire(self.ws_port if websocket else self.mqtt_port, websocket, version, path,
                    context=self.context)


class TlsDoor(Door):
    """Listeners with TLS, and the lines of the broker's configuration that make them."""

    def __init__(self, authority, pair=None, ask_for_certificates=False):
        super().__init__(free_port(), free_port(), authority.context())
        pair = pair or authority.issue()
        files = [f"cafile {authority.ca}", f"certfile {pair.cert}", f"keyfile {pair.key}"]
        if ask_for_certificates:
            files.append("require_certificate true")
        self.lines = [f"listener {self.mqtt_port} 127.0.0.1", *files,
                      f"listener {self.ws_port} 127.0.0.1", "protocol websockets",
                      "socket_domain ipv4", *files]

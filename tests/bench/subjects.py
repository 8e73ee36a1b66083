# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""What is measured: Mosquitto as it is, with a password file, with the plugin, with all of it."""

import contextlib
import itertools
import subprocess

from harness.broker import BRIDGE_PASSWORD, BRIDGE_USER, Broker
from harness.database import OPTIONS, DatabaseServer
from harness.directory import Directory
from harness.fleet import insert_workers
from harness.identity import new_identity
from harness.observer import Observer
from harness.settings import clean_environment, program
from harness.site import Site
from harness.wait import wait_until

ENROLL_TOGETHER = 500
_numbers = itertools.count(1)


def new_directory(scratch, name):
    path = scratch / f"{next(_numbers)}-{name}"
    path.mkdir()
    return path


class Crowd:
    """Identities, and the file that tells them to the load harness."""

    def __init__(self, scratch, count):
        self.identities = [new_identity() for _ in range(count)]
        self.file = scratch / f"{next(_numbers)}-ids"
        self.file.write_text("".join(f"{i.worker_id} {i.token}\n" for i in self.identities))


class BareBroker(Broker):
    """The same Mosquitto with the same configuration, without the plugin and without logins."""

    def write_config(self):
        super().write_config()
        path = self.directory / "mosquitto.conf"
        kept = [line for line in path.read_text().splitlines()
                if not line.startswith(("plugin", "password_file", "acl_file"))]
        path.write_text("\n".join(kept).replace("allow_anonymous false", "allow_anonymous true")
                        + "\n")


class PasswordBroker(BareBroker):
    """Every worker in Mosquitto's own password file."""

    def __init__(self, directory, crowd):
        self.crowd = crowd
        super().__init__(directory)

    def write_config(self):
        super().write_config()
        config, accounts = self.directory / "mosquitto.conf", self.directory / "workers"
        accounts.write_text("".join(f"{i.worker_id}:{i.token}\n" for i in self.crowd.identities))
        accounts.chmod(0o600)
        subprocess.run([program(None, "mosquitto_passwd"), "-U", str(accounts)], check=True,
                       env=clean_environment())
        config.write_text(config.read_text().replace("allow_anonymous true",
                                                     "allow_anonymous false")
                          + f"password_file {accounts}\n")


class Subject:
    """One thing under load. `login`: the fleet's options for getting in."""

    def __init__(self, name, broker, login, close):
        self.name, self.broker, self.login, self.close = name, broker, login, close

    @property
    def pid(self):
        return self.broker.process.pid

    def port(self, transport):
        return self.broker.mqtt_port if transport == "tcp" else self.broker.ws_port


def bare(scratch, crowd):
    broker = BareBroker(new_directory(scratch, "bare")).start()
    # The same packets as everybody else's: it takes names and passwords, and looks at neither.
    return Subject("bare", broker, {"ids": crowd.file}, broker.terminate)


def password_file(scratch, crowd):
    broker = PasswordBroker(new_directory(scratch, "passwords"), crowd).start()
    return Subject("password_file", broker, {"ids": crowd.file}, broker.terminate)


def enroll(broker, crowd):
    """Puts the crowd into the plugin's directory, and leaves nobody listening."""
    with contextlib.closing(Observer(broker, topics=("rollcall/v1/heartbeat",))) as observer:
        directory = Directory(observer).begin()
        for at in range(0, len(crowd.identities), ENROLL_TOGETHER):
            directory.put(*[directory.entry(i.worker_id, [directory.hash_entry(i.token)])
                            for i in crowd.identities[at:at + ENROLL_TOGETHER]], timeout=30)


def plugin(scratch, crowd, name="rollcall", **options):
    broker = Broker(new_directory(scratch, "plugin"), **options).start()
    enroll(broker, crowd)
    # As one that has known them for long: what enrolling took of its memory is given back.
    broker.restart()
    return Subject(name, broker, {"ids": crowd.file, "observer_user": BRIDGE_USER,
                                  "observer_token": BRIDGE_PASSWORD}, broker.terminate)


class Installation(Subject):
    """Broker with the plugin, database and bridge."""

    def __init__(self, scratch, crowd, database_options=OPTIONS, **options):
        self.server = DatabaseServer(new_directory(scratch, "db"),
                                     options=database_options).start()
        self.site = Site(new_directory(scratch, "site"), self.server, **options)
        self.site.bridge.terminate()
        insert_workers(self.site, crowd.identities)
        self.site.bridge.start()
        super().__init__("rollcall+bridge", self.site.broker, {"ids": crowd.file}, self._close)
        self.wait_shown(len(crowd.identities), "false")
        wait_until(self._admits_everyone, 60)

    def wait_shown(self, count, connected):
        """Until REST shows so many of them (un)connected."""
        wait_until(lambda: len(self.site.rest.get("/workers/status", connected=connected)
                               ["workers"]) == count, 120, f"{count} workers are shown")

    def everyone_is_shown_online(self):
        """Cheap, however many there are: no page has one that is not, and there is one that is.
        While status is unknown there is neither."""
        def some(connected):
            return self.site.rest.get("/workers/status", connected=connected, limit=1)["workers"]
        return some("true") and not some("false")

    def _admits_everyone(self):
        """The plugin has learnt who there is: before, it refuses them."""
        return self.site.rest.request("GET", "/healthz").json()["parts"]["directory"]["in_step"]

    def _close(self):
        self.site.close()
        self.server.stop()

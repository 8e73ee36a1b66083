# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Fixtures: the parts are started once where tests permit, each test has workers of its own."""

import itertools
import signal
import tempfile
from pathlib import Path

import pytest

from harness import secrets
from harness.database import DatabaseServer
from harness.disk import SmallDisk
from harness.pki import Authority
from harness.process import Process, sanitizer_reports
from harness.settings import SLOWNESS, VALGRIND, Built
from harness.site import Hall, Site

LOG_LINES = 60
TIMEOUT_S = 120
_numbers = itertools.count(1)


def pytest_configure(config):
    config.addinivalue_line("markers", "timing: measures durations; skipped under valgrind")
    # SIGTERM ends like Ctrl-C does: everything that was started is stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    for item in items:
        if VALGRIND and item.get_closest_marker("timing"):
            item.add_marker(pytest.mark.skip(reason="durations mean nothing under valgrind"))
        if not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(TIMEOUT_S * SLOWNESS))


def all_logs():
    """Of the programs that were started here and of those that `make run` started."""
    directories = {process.directory for process in Process.everyone}
    return sorted(log for d in directories for log in [*d.glob("*.log"), *d.glob("run/log/*.log")])


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_setup(item):
    item.log_sizes = {log: log.stat().st_size for log in all_logs()}
    yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """Adds to a failure what each part has logged since the test began."""
    report = (yield).get_result()
    if not report.failed:
        return
    for log in all_logs():
        with open(log, "rb") as f:
            f.seek(item.log_sizes.get(log, 0))
            lines = f.read().decode("utf-8", "replace").splitlines()[-LOG_LINES:]
        if lines:
            report.sections.append((f"{log.parent.name}/{log.name}", "\n".join(lines)))


@pytest.fixture(scope="session")
def scratch():
    """A directory with a short path: that of a socket may have 107 bytes only."""
    with tempfile.TemporaryDirectory(prefix="rollcall-") as path:
        for file in (Built.plugin, Built.bridge):
            if not file.exists():
                pytest.exit(f"{file} is missing: run make first", returncode=2)
        Built.keep(path)
        stop_watching = secrets.watch_requests()
        yield Path(path)
        stop_watching()
        # Torn down last: everything that ran under valgrind has ended.
        errors = [f"valgrind on {p.directory.name}/{p.name}:\n{p.memcheck_errors()}"
                  for p in Process.everyone if p.memcheck_errors()]
        errors += sanitizer_reports()
        with tempfile.TemporaryDirectory(prefix="rollcall-secrets-") as beside:
            errors += [f"a secret was written: {line}"
                       for line in secrets.found_in(path, Path(beside))]
        assert not errors, "\n".join(errors)


@pytest.fixture(scope="session")
def new_directory(scratch):
    def make(name):
        path = scratch / f"{next(_numbers)}-{name}"
        path.mkdir()
        return path
    return make


@pytest.fixture(scope="session")
def authority(new_directory):
    return Authority(new_directory("ca"))


@pytest.fixture(scope="session")
def database_template(new_directory):
    """An installed data directory, to be copied."""
    return DatabaseServer(new_directory("db-template")).data


@pytest.fixture(scope="session")
def new_database_server(new_directory, database_template):
    """Makes MariaDB servers that a test may stop."""
    servers = []

    def make():
        servers.append(DatabaseServer(new_directory("db"), database_template).start())
        return servers[-1]
    yield make
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def database_server(new_database_server):
    """The one that tests share; each uses a database of its own in it."""
    return new_database_server()


def _closing_factory(make):
    """A function that makes things, and a list of them to be closed."""
    made = []

    def factory(*args, **kwargs):
        made.append(make(*args, **kwargs))
        return made[-1]
    return factory, made


@pytest.fixture(scope="session")
def shared_hall(new_directory):
    hall = Hall(new_directory("hall"))
    yield hall
    hall.close()
    assert not hall.observer.faults


@pytest.fixture
def hall(shared_hall):
    """The shared broker with the plugin alone; what the observer found wrong fails the test."""
    yield shared_hall
    shared_hall.dismiss()
    faults, shared_hall.observer.faults = shared_hall.observer.faults, []
    assert not faults


@pytest.fixture
def new_hall(new_directory):
    """Makes halls that a test may break, with plugin options of its own."""
    factory, made = _closing_factory(lambda **o: Hall(new_directory("hall"), **o))
    yield factory
    for hall in made:
        hall.close()
        assert not hall.observer.faults


@pytest.fixture
def small_disk(new_directory):
    """A hall whose storage is on a disk of its own, and that disk."""
    directory = new_directory("small")
    (directory / "plugin").mkdir()
    disk = SmallDisk(directory / "plugin")
    hall = Hall(directory)
    yield hall, disk
    hall.close()
    disk.unmount()
    assert not hall.observer.faults


@pytest.fixture(scope="session")
def shared_site(new_directory, database_server):
    site = Site(new_directory("site"), database_server)
    yield site
    site.close()


@pytest.fixture
def site(shared_site):
    """The shared installation. Nothing in it may be stopped."""
    yield shared_site
    shared_site.dismiss()


@pytest.fixture
def rest(site):
    return site.rest


@pytest.fixture
def new_site(new_directory, database_server):
    """Makes installations whose broker and bridge a test may stop."""
    factory, made = _closing_factory(
        lambda server=None, **o: Site(new_directory("site"), server or database_server, **o))
    yield factory
    for site in made:
        site.close()


@pytest.fixture
def patience():
    """How much longer things may take than usual."""
    return SLOWNESS

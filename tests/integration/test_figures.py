# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""GET /metrics and GET /healthz: what operators see."""

import json
import re
from pathlib import Path

import pytest
import requests

from harness import prometheus
from harness.ports import free_port
from harness.settings import SLOWNESS
from harness.site import Site
from harness.wait import wait_until

ROOT = Path(__file__).resolve().parents[2]


def figures(site):
    response = requests.get(site.bridge.url + "/metrics", timeout=10 * SLOWNESS)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return prometheus.parse(response.text)


def health(site):
    """Status code, and the answer with what it says of each part."""
    response = requests.get(site.bridge.url + "/healthz", timeout=10 * SLOWNESS)
    body = response.json()
    assert all(isinstance(part["ok"], bool) for part in body["parts"].values())
    assert (response.status_code == 200) == (body["status"] == "ok") \
        == all(part["ok"] for part in body["parts"].values())
    assert response.status_code in (200, 503)
    return response.status_code, body["parts"]


# ---- /metrics --------------------------------------------------------------------------------

def test_every_figure_is_documented_and_every_documented_figure_is_there(site):
    site.online("tcp-5")
    page = (ROOT / "docs/reference/prometheus.md").read_text()
    documented = re.findall(r"^\| `((?:rollcall|process)_\w+)", page, re.M)
    assert len(documented) == len(set(documented))
    assert set(documented) == set(figures(site))


def test_workers_are_counted_by_state_and_sessions_with_them(site):
    def workers(state):
        return figures(site)["rollcall_workers"].value(state=state)
    wait_until(lambda: workers("online") == 0, what="the workers of earlier tests are gone")
    worker = site.online("tcp-5")
    wait_until(lambda: workers("online") == 1)
    assert figures(site)["rollcall_sessions"].value() == 1
    worker.disconnect()
    wait_until(lambda: workers("online") == 0)
    assert workers("unknown") == 0


def test_requests_are_counted_by_route_and_status(site):
    def count(**labels):
        return figures(site)["rollcall_http_requests_total"].value(**labels) or 0
    listed = {"method": "GET", "route": "/workers/{worker}", "code": "404"}
    stray = {"method": "", "route": "none", "code": "404"}
    before, before_stray = count(**listed), count(**stray)
    for worker_id in ("wrk_nobody", "wrk_none"):
        site.rest.request("GET", f"/workers/{worker_id}")
    site.rest.request("GET", "/api/workers/wrk_nobody")
    site.rest.request("GET", "/no/such/address")
    assert count(**listed) == before + 3
    assert count(**stray) == before_stray + 1
    took = figures(site)["rollcall_http_request_duration_seconds"]
    assert took.value("_count", method="GET", route="/workers/{worker}") == sum(
        v for _, labels, v in figures(site)["rollcall_http_requests_total"].samples
        if labels["route"] == "/workers/{worker}" and labels["method"] == "GET")


def test_commands_are_counted_by_the_states_that_they_reach(site):
    def count(state):
        return figures(site)["rollcall_commands_total"].value(state=state)

    def all_counts():
        return {state: count(state) for state in ("queued", "sent", "accepted", "done", "failed")}
    worker = site.online("tcp-5")
    before = all_counts()
    command_id = site.rest.post(f"/workers/{worker.worker_id}/start", {}, 202)["command_id"]
    assert worker.receive("commands")["command_id"] == command_id
    for _ in range(2):  # a repeated result changes nothing
        worker.answer(command_id, "accepted")
        worker.answer(command_id, "done")
    for _ in range(4):
        worker.receive("results/ack")
    grown = {state: n - before[state] for state, n in all_counts().items()}
    assert grown == {"queued": 1, "sent": 1, "accepted": 1, "done": 1, "failed": 0}
    took = figures(site)["rollcall_command_duration_seconds"]
    assert took.value("_count", state="done") == count("done")


def test_the_plugins_own_figures_are_handed_on(site):
    worker = site.online("tcp-5")

    def accepted():
        return figures(site)["rollcall_plugin_connects_total"].value(node="test-node",
                                                                     result="accepted")
    before = accepted()
    for _ in range(3):
        worker.connect()
    wait_until(lambda: accepted() >= before + 3)
    now = figures(site)
    assert now["rollcall_plugin_up"].value() == 1
    assert now["rollcall_plugin_storage_ok"].value(node="test-node") == 1
    assert now["rollcall_plugin_tick_duration_seconds"].value("_count", node="test-node") > 0


def test_the_mirror_proves_itself_at_every_heartbeat(site):
    def proofs(result):
        return figures(site)["rollcall_mirror_proofs_total"].value(node="test-node",
                                                                   result=result)
    before = proofs("match")
    wait_until(lambda: proofs("match") >= before + 3)
    assert proofs("mismatch") == 0
    assert figures(site)["rollcall_mirror_lag_seconds"].value("_count", node="test-node") > 0


def test_whoever_asks_often_does_not_keep_the_broker_busy(site):
    def asked():
        return figures(site)["rollcall_control_duration_seconds"].value(
            "_count", command="getStats")
    before = asked()
    for _ in range(100):
        figures(site)
    assert asked() - before < 50


def test_figures_need_no_broker_and_no_database(new_site, new_database_server):
    site = new_site(new_database_server())
    site.broker.terminate()
    wait_until(lambda: figures(site)["rollcall_mirror_up"].value(node="test-node") == 0)
    site.server.stop()
    wait_until(lambda: figures(site)["rollcall_database_up"].value() == 0)
    now = figures(site)
    assert now["rollcall_plugin_up"].value() == 0
    assert now["rollcall_workers"].value(state="unknown") == now["rollcall_workers"].sum()
    status, parts = health(site)
    assert status == 503
    assert not parts["broker"]["ok"] and not parts["mirror"]["ok"] and not parts["storage"]["ok"]
    assert not parts["database"]["ok"]


# ---- /healthz --------------------------------------------------------------------------------

def test_each_part_is_well(site):
    def all_well():
        status, parts = health(site)
        assert status == 200, parts
        return parts
    parts = wait_until(all_well, 10)
    assert {"database", "broker", "mirror", "plugin", "storage", "directory",
            "scheduler"} <= set(parts)
    assert parts["mirror"]["node"] == "test-node"
    assert parts["mirror"]["proven_seconds_ago"] < 2 * SLOWNESS
    assert parts["directory"]["pending"] == 0


@pytest.mark.parametrize("path", ["/metrics", "/healthz"])
def test_they_are_open_to_all_and_only_to_be_read(site, path):
    assert requests.post(site.bridge.url + path, timeout=5).status_code == 405
    assert requests.get(site.bridge.url + "/api" + path, timeout=5).status_code in (200, 503)


# ---- an address of their own, a structured log -----------------------------------------------

@pytest.fixture(scope="module")
def split_site(new_directory, database_server):
    """REST and operators on a port each; the log in JSON."""
    site = Site(new_directory("site"), database_server, bridge_environment={
        "ROLLCALL_METRICS_PORT": str(free_port()), "ROLLCALL_LOG_FORMAT": "json",
        "ROLLCALL_LOG_LEVEL": "debug"})
    yield site
    site.close()


@pytest.mark.parametrize("path, rest, operators", [
    ("/metrics", 404, 200), ("/healthz", 404, 200), ("/livez", 200, 200), ("/readyz", 200, 200),
    ("/workers", 401, 404), ("/auth/me", 401, 404), ("/none", 404, 404)])
def test_operators_may_have_a_port_of_their_own(split_site, path, rest, operators):
    own = f"http://127.0.0.1:{split_site.bridge.environment['ROLLCALL_METRICS_PORT']}"
    assert requests.get(split_site.bridge.url + path, timeout=5).status_code == rest
    wait_until(lambda: requests.get(own + path, timeout=5).status_code == operators)


def test_a_port_that_is_taken_is_named_with_its_option(split_site):
    taken = split_site.bridge.environment["ROLLCALL_METRICS_PORT"]
    ended = split_site.bridge.run(ROLLCALL_HTTP_PORT=str(free_port()))
    assert ended.returncode == 1
    assert "ROLLCALL_METRICS_PORT" in ended.stderr and taken in ended.stderr


def log_lines(site):
    return [json.loads(line) for line in site.bridge.process.log_text().splitlines()]


def test_each_line_of_the_log_is_an_object(split_site):
    lines = log_lines(split_site)
    assert len(lines) > 5
    for line in lines:
        assert {"at", "level", "subsystem", "message"} <= set(line)
        assert line["level"] in ("error", "warn", "info", "debug")
    assert any(line["subsystem"] == "mirror" and line.get("node") == "test-node"
               for line in lines)


def test_what_a_request_causes_is_logged_with_its_id(split_site):
    """Also what a thread of the database, or the loop after it, has to say."""
    body = split_site.rest.post("/workers", {"name": "logged"}, 201,
                                headers={"X-Request-Id": "request-of-mine"})
    mine = [line for line in log_lines(split_site) if line.get("request") == "request-of-mine"]
    created = [line for line in mine if line.get("worker") == body["worker_id"]]
    assert created and created[0]["subsystem"] == "worker"
    answered = [line for line in mine if line["subsystem"] == "http"]
    assert [(line["method"], line["path"], line["status"]) for line in answered] == \
        [("POST", "/workers", 201)]
    other = split_site.rest.request("GET", "/workers").headers["X-Request-Id"]
    assert other != "request-of-mine"
    wait_until(lambda: [line for line in log_lines(split_site) if line.get("request") == other])


# ---- what reads them -------------------------------------------------------------------------

def expressions(dashboard):
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]


def names_in(text):
    names = re.findall(r"\b(?:rollcall|process)_[a-z_]+(?=[\{\[\s,)])", text)
    return {re.sub(r"_bucket$", "", name) for name in names}


def test_the_dashboard_shows_figures_that_there_are(site):
    dashboard = json.loads((ROOT / "deploy/grafana/rollcall.json").read_text())
    used = set().union(*map(names_in, expressions(dashboard)))
    assert len(used) > 30
    assert used <= set(figures(site))
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])


def test_alerts_are_about_figures_that_there_are(site):
    rules = (ROOT / "deploy/prometheus/rollcall-alerts.yml").read_text()
    used = set().union(*(names_in(line + " ") for line in re.findall(r"expr: (.*)", rules)))
    assert len(used) > 5
    assert used <= set(figures(site))

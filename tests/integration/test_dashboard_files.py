# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""The dashboard's files, as a browser gets them. What it does is tested in tests/dashboard."""

import gzip
import re
import subprocess

import pytest
import requests

from harness.settings import ROOT

FIRST_LOAD_MAX = 150_000


@pytest.fixture
def index(site):
    page = requests.get(site.bridge.url + "/", timeout=10)
    assert page.status_code == 200
    if page.headers["Content-Type"].startswith("text/plain"):
        assert "built without the dashboard" in page.text and "Node" in page.text
        pytest.skip("this bridge was built without the dashboard: there is no Node")
    return page


def names_in(page):
    return re.findall(r'(?:src|href)="\./(assets/[^"]+)"', page.text)


def raw(url, encoding):
    """Status, headers and the bytes as they came."""
    answer = requests.get(url, headers={"Accept-Encoding": encoding}, stream=True, timeout=10)
    return answer, answer.raw.read(decode_content=False)


def test_the_page_is_asked_for_again_and_runs_only_what_is_ours(index):
    assert index.headers["Cache-Control"] == "no-cache"
    policy = dict(part.strip().split(" ", 1)
                  for part in index.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'" and policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in index.headers["Content-Security-Policy"]
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bon\w+=|\bstyle=", index.text)
    assert not re.search(r'(?:src|href)="(?:https?:)?//', index.text)


def test_the_other_files_never_change_under_their_names(site, index):
    names = names_in(index)
    assert any(name.endswith(".js") for name in names)
    assert any(name.endswith(".css") for name in names)
    for name in names:
        assert re.search(r"-[A-Za-z0-9_-]{8}\.\w+$", name), name
        answer = site.rest.request("GET", "/" + name)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]


def test_a_first_load_is_small(site, index):
    total = len(gzip.compress(index.content))
    for name in names_in(index):
        answer, packed = raw(f"{site.bridge.url}/{name}", "gzip, br")
        assert answer.headers["Content-Encoding"] == "gzip"
        total += len(packed)
    assert total < FIRST_LOAD_MAX


@pytest.mark.parametrize("encoding", ["identity", "gzip;q=0", "br, gzip;q=0.0"])
def test_who_does_not_take_gzip_gets_none(site, index, encoding):
    name = next(name for name in names_in(index) if name.endswith(".js"))
    plain, text = raw(f"{site.bridge.url}/{name}", encoding)
    packed, bits = raw(f"{site.bridge.url}/{name}", "gzip;q=0.5")
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(bits) == text


@pytest.mark.parametrize("path", ["assets/", "assets/index.html", "assets/../routes.c",
                                  "assets/..%2f..%2fetc%2fpasswd", "assets//etc/passwd", "index.html"])
def test_there_is_nothing_else_to_be_had(site, path):
    request = requests.Request("GET", site.bridge.url).prepare()
    request.url = f"{site.bridge.url}/{path}"  # as it is, rather than tidied up
    with requests.Session() as session:
        assert session.send(request, timeout=10).status_code == 404


def test_how_workers_get_here_is_told_to_those_who_are_signed_in(site):
    told = site.rest.get("/dashboard.json")
    assert told["websocket_url"] == f"ws://127.0.0.1:{site.broker.ws_port}"
    assert told["mqtt_url"] is None
    assert requests.get(site.bridge.url + "/dashboard.json", timeout=10).status_code == 401


def test_without_node_there_is_no_dashboard_and_one_is_told(tmp_path):
    (tmp_path / "bin").mkdir()
    for tool in ("bash", "dirname", "mkdir", "rm", "touch", "cmp", "cp", "gzip", "od", "sed"):
        found = subprocess.run(["which", tool], check=True, capture_output=True, text=True)
        (tmp_path / "bin" / tool).symlink_to(found.stdout.strip())
    env = {"PATH": str(tmp_path / "bin")}
    out = tmp_path / "out"
    build = [ROOT / "dashboard" / "build.sh", out]
    tried = subprocess.run([*build, "--try"], env=env, capture_output=True, text=True, check=True)
    assert "Node.js" in tried.stderr and "without it" in tried.stderr
    made = subprocess.run([ROOT / "dashboard" / "embed.sh", out], env=env, capture_output=True,
                          text=True, check=True).stdout
    assert "dashboard_files" in made and "index.html" not in made
    wanted = subprocess.run(build, env=env, capture_output=True, text=True, check=False)
    assert wanted.returncode != 0 and "Node.js" in wanted.stderr

# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Dashboard users: who may manage them, and what ends a session, on every bridge."""

import concurrent.futures
import contextlib
import time

import pytest
import requests

from harness.bridge import ADMIN, ADMIN_PASSWORD, Bridge
from harness.listener import Listener
from harness.people import PASSWORD, Person, new_name
from harness.rest import Rest
from harness.settings import SLOWNESS
from harness.wait import wait_until


@pytest.fixture
def person(site, rest):
    """Makes users, who are gone when the test is over."""
    made = []

    def make(role="viewer"):
        made.append(Person(rest, role))
        return made[-1]
    yield make
    for someone in made:
        someone.close()
        rest.request("DELETE", f"/users/{someone.name}")


@pytest.fixture(scope="module")
def other_bridge(new_directory, shared_site):
    """A second bridge on the same database and broker."""
    bridge = Bridge(new_directory("other"), shared_site.broker, shared_site.database, "other")
    yield bridge.start()
    bridge.terminate()


@pytest.fixture
def elsewhere(other_bridge):
    """The same session at another bridge, once it is known there."""
    with contextlib.ExitStack() as stack:
        def make(rest):
            twin = stack.enter_context(rest.twin())
            twin.url = other_bridge.url
            wait_until(lambda: twin.request("GET", "/auth/me").status_code == 200, 5,
                       "the session is known at the other bridge")
            return twin
        yield make


def ends_within_a_second(rests, since):
    """Each of them is refused a second after `since` at the latest."""
    for rest in rests:
        wait_until(lambda r=rest: r.request("GET", "/auth/me").status_code == 401, 5,
                   "the session has ended")
    took = time.monotonic() - since
    assert took < SLOWNESS, f"the last session ended after {took:.2f} s"


# ---- managing --------------------------------------------------------------------------------


def test_an_administrator_makes_users(rest):
    name = new_name()
    made = rest.post("/users", {"username": name, "password": PASSWORD, "role": "viewer"}, 201)
    assert (made["username"], made["role"]) == (name, "viewer")
    assert made["created_at"].endswith("Z")
    assert "password" not in str(made)
    assert made in rest.get("/users")
    with Rest(rest.url) as new:
        new.login(name, PASSWORD)
        assert new.get("/auth/me")["role"] == "viewer"
    gone = rest.ok("DELETE", f"/users/{name}", 200)
    assert gone == {"success": True, "username": name, "keys_left": 0}
    assert name not in [u["username"] for u in rest.get("/users")]


@pytest.mark.parametrize("body, field", [
    ({}, "username"), ({"username": "x"}, "role"),
    ({"username": "x", "role": "viewer"}, "password"),
    ({"username": "x", "role": "viewer", "password": "seven.."}, "password"),
    ({"username": "x", "role": "viewer", "password": "p" * 1025}, "password"),
    ({"username": "x", "role": "root", "password": PASSWORD}, "role"),
    ({"username": "x", "role": 1, "password": PASSWORD}, "role"),
    ({"username": "key:x", "role": "viewer", "password": PASSWORD}, "username"),
    ({"username": "a b", "role": "viewer", "password": PASSWORD}, "username"),
    ({"username": "é", "role": "viewer", "password": PASSWORD}, "username"),
    ({"username": "x" * 65, "role": "viewer", "password": PASSWORD}, "username"),
    ({"username": "", "role": "viewer", "password": PASSWORD}, "username"),
    ({"username": "x", "role": "viewer", "password": PASSWORD, "admin": True}, "admin")])
def test_a_user_that_cannot_be_is_refused(rest, body, field):
    rest.fails("POST", "/users", 400, "INVALID_REQUEST", names=field, json=body)


def test_a_name_is_taken_once(rest, person):
    rest.fails("POST", "/users", 409, "CONFLICT", names="already", json={
        "username": person().name, "password": PASSWORD, "role": "admin"})


@pytest.mark.parametrize("name", ["nobody-here", "%C3%A9", "...", "a%2Fb", "%00", "x" * 100])
def test_who_is_not_there_is_not_changed(rest, name):
    for method, body in (("PATCH", {"role": "viewer"}), ("DELETE", None)):
        answer = rest.request(method, f"/users/{name}", **({"json": body} if body else {}))
        assert answer.status_code in (400, 404), answer.text


@pytest.mark.parametrize("body", [{}, {"role": None}, {"role": "boss"}, {"password": "short"},
                                  {"username": "other"}])
def test_a_change_that_changes_nothing_is_refused(rest, person, body):
    rest.fails("PATCH", f"/users/{person().name}", 400, "INVALID_REQUEST", json=body)


@pytest.mark.parametrize("method, path, body", [
    ("GET", "/users", None), ("POST", "/users", {"username": "x"}),
    ("PATCH", "/users/admin", {"role": "viewer"}), ("DELETE", "/users/admin", None),
    ("GET", "/keys", None), ("POST", "/keys", {"name": "x"}), ("DELETE", "/keys/x", None)])
def test_a_viewer_manages_nobody(person, method, path, body):
    person().rest.fails(method, path, 403, "FORBIDDEN", names="admin",
                        **({"json": body} if body else {}))


def test_the_last_administrator_stays(rest):
    rest.fails("DELETE", f"/users/{ADMIN}", 409, "CONFLICT", names="last administrator")
    rest.fails("PATCH", f"/users/{ADMIN}", 409, "CONFLICT", names="last administrator",
               json={"role": "viewer"})
    assert rest.get("/auth/me")["role"] == "admin"


def test_two_administrators_cannot_remove_each_other_at_once(new_site):
    site = new_site()
    people = [Person(site.rest, "admin") for _ in range(4)]
    everyone, names = [site.rest, *[p.rest for p in people]], [ADMIN, *[p.name for p in people]]
    with concurrent.futures.ThreadPoolExecutor(len(everyone)) as pool:
        codes = list(pool.map(
            lambda i: everyone[i].request("DELETE", f"/users/{names[i - 1]}").status_code,
            range(len(everyone))))
    left = site.database.query("SELECT name FROM users WHERE role = 'admin'")
    assert len(left) == len(everyone) - codes.count(200) >= 1, codes
    assert set(codes) <= {200, 401, 409}
    for someone in people:
        someone.close()


def test_a_new_user_is_known_at_every_bridge_they_sign_in_at(rest, other_bridge):
    name = new_name()
    with Rest(other_bridge.url) as away:
        for password in (PASSWORD, "another password"):
            if password == PASSWORD:
                rest.post("/users", {"username": name, "password": password, "role": "viewer"}, 201)
            else:
                rest.ok("PATCH", f"/users/{name}", 200, json={"password": password})
            assert away.login(name, password).get("/auth/me")["username"] == name
    rest.ok("DELETE", f"/users/{name}", 200)


# ---- what ends a session ---------------------------------------------------------------------


def test_logout_ends_one_session_everywhere(rest, person, elsewhere):
    someone = person()
    second = Rest(rest.url).login(someone.name, PASSWORD)
    away = elsewhere(someone.rest)
    since = time.monotonic()
    answer = someone.rest.request("POST", "/auth/logout")
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert "Max-Age=0" in answer.headers["Set-Cookie"]
    assert someone.rest.request("GET", "/auth/me").status_code == 401
    ends_within_a_second([away], since)
    assert second.get("/auth/me")["username"] == someone.name
    second.session.close()


def test_a_session_that_was_ended_stays_so_after_a_restart(new_site):
    site = new_site()
    token = site.rest.session.headers["Authorization"]
    site.rest.post("/auth/logout")
    site.bridge.kill9()
    site.bridge.start()
    with Rest(site.bridge.url) as again:
        again.session.headers["Authorization"] = token
        again.fails("GET", "/auth/me", 401, "UNAUTHENTICATED")
        again.login()


def changes():
    return [
        ("role", lambda rest, name: rest.ok("PATCH", f"/users/{name}", 200,
                                            json={"role": "admin"})),
        ("reset", lambda rest, name: rest.ok("PATCH", f"/users/{name}", 200,
                                             json={"password": "another password"})),
        ("deletion", lambda rest, name: rest.ok("DELETE", f"/users/{name}", 200)),
    ]


@pytest.mark.parametrize("change", [c for _, c in changes()], ids=[n for n, _ in changes()])
def test_a_change_of_the_user_ends_all_their_sessions(rest, person, elsewhere, change):
    someone = person()
    second = Rest(rest.url).login(someone.name, PASSWORD)
    away = elsewhere(someone.rest)
    since = time.monotonic()
    change(rest, someone.name)
    # At this bridge as soon as the answer is there.
    for session in (someone.rest, second):
        session.fails("GET", "/workers", 401, "UNAUTHENTICATED")
    ends_within_a_second([away], since)
    second.session.close()


def endings():
    return [*changes(), ("logout", lambda rest, name: None)]


@pytest.mark.parametrize("change", [c for _, c in endings()], ids=[n for n, _ in endings()])
def test_open_streams_end_with_the_session(rest, person, elsewhere, change):
    someone = person()
    streams = [Listener(someone.rest), Listener(elsewhere(someone.rest)), Listener(rest)]
    since = time.monotonic()
    if change(rest, someone.name) is None:
        someone.rest.post("/auth/logout")
    assert all(stream.ended.wait(5) for stream in streams[:2])
    assert time.monotonic() - since < SLOWNESS
    assert not streams[2].ended.is_set(), "another user's stream has ended"
    for stream in streams:
        stream.close()


def test_one_who_is_made_again_does_not_get_back_an_old_session(rest, person):
    someone = person()
    rest.ok("DELETE", f"/users/{someone.name}", 200)
    rest.post("/users", {"username": someone.name, "password": PASSWORD, "role": "admin"}, 201)
    someone.rest.fails("GET", "/auth/me", 401, "UNAUTHENTICATED")


def test_a_new_role_counts_with_the_next_session(rest, person):
    someone = person("admin")
    someone.rest.get("/users")
    rest.ok("PATCH", f"/users/{someone.name}", 200, json={"role": "viewer"})
    someone.rest.login(someone.name, PASSWORD)
    someone.rest.fails("GET", "/users", 403, "FORBIDDEN")


# ---- one's own password ----------------------------------------------------------------------


def change_password(rest, current, new):
    return rest.request("POST", "/auth/password",
                        json={"current_password": current, "new_password": new})


def test_whoever_changes_their_password_goes_on_with_a_new_session(rest, person):
    someone = person()
    second = Rest(rest.url).login(someone.name, PASSWORD)
    answer = change_password(someone.rest, PASSWORD, "a new password")
    assert answer.status_code == 200
    body = answer.json()
    assert body["user"] == {"username": someone.name, "role": "viewer"}
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    someone.rest.session.cookies.clear()
    for old in (someone.rest, second):
        old.fails("GET", "/auth/me", 401, "UNAUTHENTICATED")
    someone.rest.session.headers["Authorization"] = "Bearer " + body["token"]
    assert someone.rest.get("/auth/me")["username"] == someone.name
    second.fails("POST", "/auth/login", 401, "UNAUTHENTICATED",
                 json={"username": someone.name, "password": PASSWORD})
    second.login(someone.name, "a new password")
    second.session.close()


def test_a_wrong_current_password_changes_nothing_and_is_a_guess(rest, person):
    someone = person()
    for _ in range(10):
        answer = change_password(someone.rest, "not the password", "a new password")
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")
    answer = change_password(someone.rest, PASSWORD, "a new password")
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1
    assert someone.rest.get("/auth/me")["username"] == someone.name


@pytest.mark.parametrize("body", [
    {}, {"current_password": PASSWORD}, {"new_password": PASSWORD},
    {"current_password": PASSWORD, "new_password": "short"},
    {"current_password": PASSWORD, "new_password": "x" * 1025}])
def test_a_password_that_cannot_be_is_refused(person, body):
    person().rest.fails("POST", "/auth/password", 400, "INVALID_REQUEST", names="password",
                        json=body)


def test_the_first_password_counts_as_changed(new_site):
    site = new_site()
    initial = "SELECT password_initial FROM users WHERE name = 'admin'"
    assert site.database.value(initial) == 1
    assert change_password(site.rest, ADMIN_PASSWORD, "of my own choice").status_code == 200
    assert site.database.value(initial) == 0


# ---- guessing --------------------------------------------------------------------------------


def login(url, name, password, address=None):
    headers = {"X-Forwarded-For": address} if address else {}
    return requests.post(url + "/auth/login", json={"username": name, "password": password},
                         headers=headers, timeout=30)


@pytest.fixture(scope="module")
def behind_proxy(new_directory, shared_site):
    """A bridge that believes this machine what it says about others."""
    bridge = Bridge(new_directory("proxied"), shared_site.broker, shared_site.database, "proxied",
                    ROLLCALL_TRUSTED_PROXIES="127.0.0.1, 10.0.0.0/8")
    yield bridge.start()
    bridge.terminate()


def test_guessing_from_one_address_locks_nobody_out_elsewhere(behind_proxy):
    url = behind_proxy.url
    for _ in range(10):
        assert login(url, ADMIN, "a guess", "192.0.2.66").status_code == 401
    assert login(url, ADMIN, ADMIN_PASSWORD, "192.0.2.66").status_code == 429
    assert login(url, ADMIN, ADMIN_PASSWORD, "192.0.2.1").status_code == 200


def test_one_ipv6_network_is_one_place(behind_proxy):
    url = behind_proxy.url
    for i in range(10):
        assert login(url, ADMIN, "a guess", f"2001:db8::{i}").status_code == 401
    assert login(url, ADMIN, "a guess", "2001:db8::ffff").status_code == 429
    assert login(url, ADMIN, ADMIN_PASSWORD, "2001:db8:0:1::1").status_code == 200


def test_an_attack_from_everywhere_does_not_lock_out_who_was_here_before(behind_proxy):
    """Guesses keep the one thread for passwords busy; the administrator goes first."""
    url = behind_proxy.url
    assert login(url, ADMIN, ADMIN_PASSWORD, "198.51.100.7").status_code == 200
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        guesses = [pool.submit(login, url, ADMIN, "a guess", f"203.0.113.{i}") for i in range(16)]
        overtaken = []
        wait_until(lambda: any(g.done() for g in guesses), 30, "the first guess is answered")
        while sum(g.done() for g in guesses) < 4:
            assert login(url, ADMIN, ADMIN_PASSWORD, "198.51.100.7").status_code == 200
            overtaken.append(sum(not g.done() for g in guesses))
        assert {g.result().status_code for g in guesses} <= {401, 429}
    assert overtaken[0] > 8, "the administrator waited behind those who guess"


def test_nobody_else_is_believed_about_addresses(site, rest):
    """Otherwise a new header would be a new life for whoever guesses."""
    name = new_name()
    codes = {login(site.bridge.url, name, "a guess", f"192.0.2.{i}").status_code
             for i in range(11)}
    assert 429 in codes


def test_an_unknown_user_costs_as_much_as_a_wrong_password(rest, person, patience):
    """Medians of some attempts, in turn; the difference drowns in the hash's own time."""
    known = person().name
    times = {known: [], "nobody-at-all": []}
    for _ in range(5):
        for name, took in times.items():
            began = time.monotonic()
            assert login(rest.url, name, "a guess").status_code == 401
            took.append(time.monotonic() - began)
    a, b = (sorted(t)[2] for t in times.values())
    assert 0.5 < a / b < 2, (a, b)


# ---- the cookie, behind TLS ------------------------------------------------------------------


def cookie_of(url, **headers):
    answer = requests.post(url + "/auth/login", headers=headers, timeout=30,
                           json={"username": ADMIN, "password": ADMIN_PASSWORD})
    return answer.headers["Set-Cookie"]


def test_the_cookie_is_secure_where_the_proxy_speaks_tls(site, behind_proxy):
    https = {"X-Forwarded-Proto": "https"}
    assert "; Secure" in cookie_of(behind_proxy.url, **https)
    assert "; Secure" not in cookie_of(behind_proxy.url)
    # Somebody else's word is not enough.
    assert "; Secure" not in cookie_of(site.bridge.url, **https)


def test_the_origin_behind_tls_is_https(behind_proxy):
    cookie = cookie_of(behind_proxy.url).split(";")[0]
    host = behind_proxy.url.removeprefix("http://")
    for origin, expected in ((f"https://{host}", 201), (f"http://{host}", 403)):
        answer = requests.post(behind_proxy.url + "/workers", json={"name": "from a browser"},
                               headers={"Cookie": cookie, "Origin": origin,
                                        "X-Forwarded-Proto": "https"}, timeout=30)
        assert answer.status_code == expected


def test_logout_with_a_cookie_needs_the_origin(site):
    cookie = cookie_of(site.bridge.url).split(";")[0]
    for origin, expected in (("http://evil.example", 403), (site.bridge.url, 200)):
        answer = requests.post(site.bridge.url + "/auth/logout", timeout=30,
                               headers={"Cookie": cookie, "Origin": origin})
        assert answer.status_code == expected


# ---- the command line ------------------------------------------------------------------------


def test_the_command_line_manages_users(site, rest):
    run, name = site.bridge.run, new_name()
    password = {"ROLLCALL_USER_PASSWORD": PASSWORD}
    assert run("user", "add", name, "--role", "viewer", **password).returncode == 0
    assert f"{name} viewer" in run("user", "list").stdout
    someone = Rest(site.bridge.url).login(name, PASSWORD)
    made = run("user", "set-password", name)
    assert made.returncode == 0, made.stderr
    new_password = made.stdout.strip().rsplit(" ", 1)[1]
    ends_within_a_second([someone], time.monotonic())
    someone.login(name, new_password)
    assert run("user", "set-role", name, "--role", "admin").returncode == 0
    ends_within_a_second([someone], time.monotonic())
    assert someone.login(name, new_password).get("/auth/me")["role"] == "admin"
    assert run("user", "delete", name).returncode == 0
    ends_within_a_second([someone], time.monotonic())
    someone.session.close()


@pytest.mark.parametrize("words, status, says", [
    (("delete", "admin"), 1, "last administrator"), (("delete", "nobody"), 1, "no such user"),
    (("set-role", "admin", "--role", "viewer"), 1, "last administrator"),
    (("set-role", "admin", "--role", "king"), 2, "usage"), (("add",), 2, "usage"),
    (("list", "all"), 2, "usage"), (("remove", "admin"), 2, "usage"), ((), 2, "usage"),
    (("add", "a b", "--role", "viewer"), 1, "characters"),
    (("delete", "x" * 65), 1, "characters")])
def test_the_command_line_says_what_is_wrong(site, words, status, says):
    result = site.bridge.run("user", *words, ROLLCALL_USER_PASSWORD=PASSWORD)
    assert (result.returncode, says in result.stderr) == (status, True), result.stderr

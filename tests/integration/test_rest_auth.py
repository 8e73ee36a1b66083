# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Who may use the API, and how they show it."""

import base64
import hashlib
import hmac
import json
import time

import pytest
import requests

from harness.bridge import ADMIN, ADMIN_PASSWORD
from harness.rest import Rest

VIEWER, VIEWER_PASSWORD = "vera", "only looking, thanks"


@pytest.fixture
def stranger(site):
    with Rest(site.bridge.url) as rest:
        yield rest


@pytest.fixture(scope="module")
def viewer(shared_site):
    made = shared_site.bridge.run("user", "add", VIEWER, "--role", "viewer",
                                  **{"ROLLCALL_USER_PASSWORD": VIEWER_PASSWORD})
    if made.returncode != 0:
        pytest.fail(made.stderr)
    return made


def b64(data):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def jwt(site, header=None, secret=None, **claims):
    """A token as the bridge would sign it, but for what the test asks to be different."""
    now = int(time.time())
    claims = {"sub": ADMIN, "role": "admin", "jti": "forged", "ver": 1, "iat": now,
              "exp": now + 600, **claims}
    signed = b64(header or {"alg": "HS256", "typ": "JWT"}) + "." + b64(claims)
    key = site.bridge.environment["ROLLCALL_JWT_SECRET"] if secret is None else secret
    mac = hmac.new(key.encode(), signed.encode(), hashlib.sha256).digest()
    return signed + "." + b64(mac)


def claims_of(rest):
    part = rest.session.headers["Authorization"].split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_a_login_gives_a_token_and_says_who_one_is(stranger):
    body = stranger.ok("POST", "/auth/login", 200,
                       json={"username": ADMIN, "password": ADMIN_PASSWORD})
    assert body["user"] == {"username": "admin", "role": "admin"}
    assert body["expires_at"].endswith("Z")
    stranger.session.headers["Authorization"] = "Bearer " + body["token"]
    me = stranger.get("/auth/me")
    assert (me["username"], me["role"]) == ("admin", "admin")


def test_the_session_has_the_claims_of_the_contract(rest):
    claims = claims_of(rest)
    assert claims.keys() >= {"sub", "role", "jti", "ver", "iat", "exp"}
    assert (claims["sub"], claims["role"]) == ("admin", "admin")
    assert claims["exp"] > claims["iat"]


@pytest.mark.parametrize("username, password", [
    (ADMIN, "wrong"), ("nobody", ADMIN_PASSWORD), (ADMIN, ADMIN_PASSWORD + " "), ("", "")])
def test_a_wrong_login_is_refused(stranger, username, password):
    response = stranger.request("POST", "/auth/login",
                                json={"username": username, "password": password})
    assert response.status_code in (400, 401)
    if username and password:
        assert response.status_code == 401
        assert response.json()["error"]["code"] == "UNAUTHENTICATED"
    assert "Set-Cookie" not in response.headers


def login(rest, username, password, **options):
    return rest.request("POST", "/auth/login", json={"username": username, "password": password},
                        **options)


def test_whoever_guesses_too_often_must_wait(stranger):
    """Only the one who does: others are not shut out by it."""
    codes = [login(stranger, "guessed", "wrong").status_code for _ in range(10)]
    assert codes == [401] * 10
    refused = login(stranger, "guessed", "wrong")
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "RATE_LIMITED")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert login(stranger, ADMIN, ADMIN_PASSWORD).status_code == 200


@pytest.mark.parametrize("name", ["é", "名前", "admin\u00a0", "' OR 1=1 -- ", "a" * 64])
def test_a_strange_name_is_nobodys(stranger, name):
    assert login(stranger, name, "whatever").status_code == 401


@pytest.mark.parametrize("method, path", [
    ("GET", "/workers"), ("GET", "/workers/status"), ("POST", "/workers"), ("GET", "/auth/me"),
    ("GET", "/workers/wrk_aaaaaaaaaaaaaaaa"), ("DELETE", "/workers/wrk_aaaaaaaaaaaaaaaa"),
    ("POST", "/workers/wrk_aaaaaaaaaaaaaaaa/token"), ("GET", "/api/workers")])
def test_a_stranger_is_told_to_sign_in(stranger, method, path):
    stranger.fails(method, path, 401, "UNAUTHENTICATED",
                   **({"json": {}} if method == "POST" else {}))


def test_a_token_made_as_the_contract_says_is_accepted(site, stranger, rest):
    """Without it the forgeries below would prove nothing."""
    stranger.session.headers["Authorization"] = \
        "Bearer " + jwt(site, ver=claims_of(rest)["ver"])
    assert stranger.get("/auth/me")["username"] == "admin"


@pytest.mark.parametrize("forge", [
    lambda s: jwt(s, secret="another secret of the same length......"),
    lambda s: jwt(s, exp=int(time.time()) - 1),
    lambda s: jwt(s, ver=999),
    lambda s: jwt(s, sub="nobody"),
    lambda s: jwt(s, header={"alg": "HS384", "typ": "JWT"}),
    lambda s: jwt(s, header={"alg": "none", "typ": "JWT"}),
    lambda s: jwt(s, header={"alg": "none"}).rsplit(".", 1)[0] + ".",
    lambda s: jwt(s)[:-3] + "AAA",
    lambda s: jwt(s).replace(".", "", 1),
    lambda s: "", lambda s: "x", lambda s: "a.b.c", lambda s: "x" * 7000],
    ids=["secret", "expired", "ver", "sub", "HS384", "none-signed", "none", "signature", "parts",
         "empty", "x", "abc", "long"])
def test_a_forged_or_old_token_is_refused(site, stranger, forge):
    stranger.session.headers["Authorization"] = "Bearer " + forge(site)
    stranger.fails("GET", "/auth/me", 401, "UNAUTHENTICATED")


def test_a_role_in_the_token_is_not_believed_without_a_signature(site, stranger, viewer, rest):
    stranger.login(VIEWER, VIEWER_PASSWORD)
    head, _, mac = stranger.session.headers["Authorization"].split(" ")[1].split(".")
    claims = b64({**claims_of(stranger), "role": "admin"})
    stranger.session.headers["Authorization"] = f"Bearer {head}.{claims}.{mac}"
    stranger.fails("GET", "/auth/me", 401, "UNAUTHENTICATED")


def test_a_viewer_may_read(stranger, viewer, rest):
    identity = rest.register()
    stranger.login(VIEWER, VIEWER_PASSWORD)
    assert stranger.get("/auth/me")["role"] == "viewer"
    for path in ("/workers", "/workers/status", f"/workers/{identity.worker_id}",
                 f"/workers/{identity.worker_id}/connection"):
        stranger.get(path)


@pytest.mark.parametrize("method, path", [
    ("POST", "/workers"), ("PATCH", "/workers/{id}"), ("DELETE", "/workers/{id}"),
    ("POST", "/workers/{id}/start"), ("POST", "/workers/{id}/stop"),
    ("POST", "/workers/{id}/send"), ("POST", "/workers/{id}/token"),
    ("POST", "/workers/{id}/revoke"), ("POST", "/workers/{id}/reinstate"),
    ("DELETE", "/workers/{id}/sessions")])
def test_a_viewer_may_only_read(stranger, viewer, rest, method, path):
    identity = rest.register()
    stranger.login(VIEWER, VIEWER_PASSWORD)
    stranger.fails(method, path.replace("{id}", identity.worker_id), 403, "FORBIDDEN",
                   **({} if method == "DELETE" else {"json": {"name": "renamed"}}))
    assert rest.worker(identity.worker_id)["status"] == "active"


# ---- the cookie ------------------------------------------------------------------------------


@pytest.fixture
def browser(site):
    """Signed in by the cookie alone."""
    with requests.Session() as session:
        session.trust_env = False
        answer = session.post(site.bridge.url + "/auth/login",
                              json={"username": ADMIN, "password": ADMIN_PASSWORD})
        session.set_cookie = answer.headers["Set-Cookie"]
        yield session


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(browser):
    parts = {part.strip().lower() for part in browser.set_cookie.split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/"} <= parts


def test_the_cookie_is_enough_to_read(site, browser):
    assert browser.get(site.bridge.url + "/auth/me").json()["username"] == "admin"


@pytest.mark.parametrize("origin", [None, "http://evil.example", "null", "http://127.0.0.1:1",
                                    "https://127.0.0.1:{port}", "http://127.0.0.1:{port}.evil"])
def test_the_cookie_changes_nothing_for_another_origin(site, browser, origin):
    headers = {} if origin is None else {"Origin": origin.replace("{port}", str(site.bridge.port))}
    answer = browser.post(site.bridge.url + "/workers", json={"name": "forged"}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN")


def test_the_cookie_changes_things_for_its_own_origin(site, browser):
    answer = browser.post(site.bridge.url + "/workers", json={"name": "from the dashboard"},
                          headers={"Origin": site.bridge.url})
    assert answer.status_code == 201


# ---- what is kept ----------------------------------------------------------------------------


def test_passwords_are_kept_as_argon2id_alone(site):
    stored = site.database.value("SELECT password_hash FROM users WHERE name = %s", ADMIN)
    assert stored.startswith("$argon2id$")


def test_neither_tokens_nor_passwords_are_logged(site, rest, stranger):
    identity = rest.register()
    stranger.request("POST", "/auth/login", json={"username": ADMIN, "password": "pass-typo"})
    stranger.login()
    site.worker(identity).connect().disconnect()
    token = stranger.session.headers["Authorization"].split(" ")[1]
    logged = site.bridge.process.log_text() + site.broker.process.log_text()
    secrets = [identity.token, ADMIN_PASSWORD, "pass-typo", token,
               *[v for k, v in site.bridge.environment.items() if "PASSWORD" in k or "SECRET" in k]]
    assert [s for s in secrets if s in logged] == []

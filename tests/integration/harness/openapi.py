# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""Holds every answer that a test gets against what the bridge says of itself: GET /openapi.json."""

import functools
import re
from urllib.parse import urlsplit

import jsonschema
import requests

ROWS = 40  # of a long list that are looked at, from its begin and from its end

_documents = {}


class Deviation(AssertionError):
    """An answer, or a request that was accepted, is not as documented."""


class Document:
    def __init__(self, doc):
        self.doc = doc
        self.paths = sorted(doc["paths"], key=lambda path: path.count("{"))

    def resolve(self, node):
        while "$ref" in node:
            target = self.doc
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            node = target
        return node

    @functools.cache
    def path_of(self, path):
        """The path's template, or None."""
        path = re.sub("^/api(?=/)", "", path)
        for template in self.paths:
            if re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", template), path):
                return template
        return None

    def operation(self, method, path):
        """None for what is no route, or not by this method."""
        template = self.path_of(path)
        method = "get" if method == "HEAD" else method.lower()
        return template and self.doc["paths"][template].get(method)

    def parameters(self, path, operation):
        both = self.doc["paths"][self.path_of(path)].get("parameters", []) \
            + operation.get("parameters", [])
        return [self.resolve(parameter) for parameter in both]

    def validate(self, schema, value, what):
        # References are to "#/components/…", which an unknown keyword of the schema may be.
        root = {**schema, "components": self.doc["components"]}
        for error in jsonschema.Draft202012Validator(root).iter_errors(value):
            raise Deviation(f"{what}: {error.json_path}: {error.message[:300]}")

    # ---- one exchange ------------------------------------------------------------------------

    def check(self, response, sent=None):
        """A response of the requests library; `sent`: the JSON value that was sent."""
        method, url = response.request.method, urlsplit(response.url)
        what = f"{method} {url.path} answered {response.status_code}"
        operation = self.operation(method, url.path)
        if operation is None:
            if response.status_code not in (404, 405) and is_json(response):
                raise Deviation(f"{what}, and is not documented")
            return
        documented = operation["responses"].get(str(response.status_code))
        if documented is None:
            raise Deviation(f"{what}, which is not documented: {response.text[:200]}")
        self._check_headers(self.resolve(documented), response, what)
        if method != "HEAD":
            self._check_body(self.resolve(documented), response, what)
        if response.ok:
            self._check_request(operation, url, sent, what)

    def _check_headers(self, documented, response, what):
        for name, header in documented.get("headers", {}).items():
            header = self.resolve(header)
            if name in response.headers:
                self.validate(header["schema"], response.headers[name], f"{what}: {name}")
            elif header.get("required"):
                raise Deviation(f"{what} without {name}")

    def _check_body(self, documented, response, what):
        kind = response.headers.get("Content-Type", "").partition(";")[0]
        content = documented.get("content", {})
        if not content:
            if response.content:
                raise Deviation(f"{what} with a body")
        elif kind not in content:
            raise Deviation(f"{what} with a body of type {kind}")
        elif kind == "application/json":
            self.validate(content[kind]["schema"], shortened(response.json()), what)
        elif kind == "application/x-ndjson":
            for line in response.text.splitlines()[:ROWS]:
                self.validate(content[kind]["x-line"], requests.compat.json.loads(line), what)

    def _check_request(self, operation, url, sent, what):
        names = {p["name"] for p in self.parameters(url.path, operation) if p["in"] == "query"}
        for name in re.findall(r"(?:^|&)([^=&]+)", url.query):
            if name not in names:
                raise Deviation(f"{what} to the parameter {name}, which is not documented")
        body = operation.get("requestBody")
        if sent is not None and body:
            self.validate(body["content"]["application/json"]["schema"], sent,
                          f"{what} to a body")

    # ---- one event ---------------------------------------------------------------------------

    def check_event(self, kind, data):
        stream = self.doc["paths"]["/events"]["get"]["responses"]["200"]["content"]
        kinds = stream["text/event-stream"]["x-events"]
        if kind not in kinds:
            raise Deviation(f"event {kind} is not documented")
        self.validate(kinds[kind], data, f"event {kind}")


def is_json(response):
    return response.headers.get("Content-Type", "").startswith("application/json")


def shortened(value):
    """The same with the middle of long lists taken out: a fleet has ten thousand rows."""
    if isinstance(value, dict):
        return {key: shortened(member) for key, member in value.items()}
    if isinstance(value, list) and len(value) > 2 * ROWS:
        return value[:ROWS] + value[-ROWS:]
    return value


def document_of(url):
    """Of the bridge there; None if nobody can say at this moment."""
    if url not in _documents:
        try:
            answer = requests.get(url + "/openapi.json", timeout=15)
        except requests.RequestException:
            return None
        if answer.status_code != 200:
            return None
        _documents[url] = Document(answer.json())
    return _documents[url]

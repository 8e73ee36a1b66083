# SPDX-License-Identifier: EPL-2.0 OR BSD-3-Clause
"""GET /openapi.json: an OpenAPI 3.1 document, open to all, which the harness holds every answer
against."""

import json
import re

import jsonschema
import pytest
import requests
from harness.openapi import Deviation, document_of

METHODS = {"get", "post", "patch", "delete"}

# What OpenAPI 3.1 asks of the parts that we use. Members beyond begin with "x-".
ANY_X = {"patternProperties": {"^x-": True}, "additionalProperties": False}
STRUCTURE = {
    "type": "object", "required": ["openapi", "info", "paths", "components"], **ANY_X,
    "properties": {
        "openapi": {"const": "3.1.0"},
        "info": {"type": "object", "required": ["title", "version"], **ANY_X,
                 "properties": {name: {"type": "string"} for name in
                                ("title", "summary", "description", "version")} | {"license": {
                                    "type": "object", "required": ["name"]}}},
        "servers": {"type": "array", "items": {"type": "object", "required": ["url"]}},
        "tags": {"type": "array", "items": {"type": "object", "required": ["name"]}},
        "paths": {"type": "object", "patternProperties": {"^/": {"$ref": "#/$defs/item"}},
                  "additionalProperties": False},
        "components": {"type": "object", "additionalProperties": False, "properties": {
            "schemas": {"type": "object"},
            "securitySchemes": {"type": "object", "additionalProperties": {
                "type": "object", "required": ["type"]}},
            "headers": {"additionalProperties": {"$ref": "#/$defs/header"}},
            "parameters": {"additionalProperties": {"$ref": "#/$defs/parameter"}},
            "responses": {"additionalProperties": {"$ref": "#/$defs/response"}}}},
    },
    "$defs": {
        "reference": {"type": "object", "required": ["$ref"], "additionalProperties": False,
                      "properties": {"$ref": {"type": "string"}}},
        "header": {"type": "object", "required": ["schema"], **ANY_X, "properties": {
            "description": {"type": "string"}, "required": {"type": "boolean"}, "schema": True}},
        "parameter": {"type": "object", "required": ["name", "in", "schema"], **ANY_X,
                      "properties": {"name": {"type": "string"},
                                     "in": {"enum": ["query", "path", "header", "cookie"]},
                                     "description": {"type": "string"},
                                     "required": {"type": "boolean"}, "schema": True}},
        "content": {"type": "object", "patternProperties": {"^[a-z-]+/[a-z+-]+$": {
            "type": "object", "required": ["schema"], "properties": {"schema": True}, **ANY_X}},
            "additionalProperties": False},
        "response": {"type": "object", "required": ["description"], **ANY_X, "properties": {
            "description": {"type": "string"}, "content": {"$ref": "#/$defs/content"},
            "headers": {"additionalProperties": {"anyOf": [
                {"$ref": "#/$defs/reference"}, {"$ref": "#/$defs/header"}]}}}},
        "item": {"type": "object", "additionalProperties": False, "properties": {
            "parameters": {"type": "array", "items": {"$ref": "#/$defs/reference"}},
            **{method: {"$ref": "#/$defs/operation"} for method in METHODS}}},
        "operation": {
            "type": "object", **ANY_X,
            "required": ["operationId", "summary", "tags", "responses", "security"],
            "properties": {
                "operationId": {"type": "string"}, "summary": {"type": "string"},
                "description": {"type": "string"}, "tags": {"type": "array", "minItems": 1},
                "security": {"type": "array", "items": {"type": "object"}},
                "parameters": {"type": "array", "items": {"anyOf": [
                    {"$ref": "#/$defs/reference"}, {"$ref": "#/$defs/parameter"}]}},
                "requestBody": {"type": "object", "required": ["content"],
                                "additionalProperties": False, "properties": {
                                    "required": {"type": "boolean"},
                                    "content": {"$ref": "#/$defs/content"}}},
                "responses": {"type": "object", "minProperties": 1,
                              "patternProperties": {"^[2-5][0-9][0-9]$": {"anyOf": [
                                  {"$ref": "#/$defs/reference"}, {"$ref": "#/$defs/response"}]}},
                              "additionalProperties": False}}},
    },
}


@pytest.fixture
def doc(site):
    answer = requests.get(site.bridge.url + "/openapi.json", timeout=15)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    return answer.json()


def nodes(value):
    yield value
    for member in value.values() if isinstance(value, dict) else \
            value if isinstance(value, list) else ():
        yield from nodes(member)


def operations(doc):
    return [(path, method, op) for path, item in doc["paths"].items()
            for method, op in item.items() if method in METHODS]


def test_it_has_the_form_of_openapi_3_1(doc):
    jsonschema.Draft202012Validator(STRUCTURE).validate(doc)


def test_its_schemas_are_json_schemas(doc):
    for node in nodes(doc):
        if isinstance(node, dict) and isinstance(node.get("schema"), dict):
            jsonschema.Draft202012Validator.check_schema(node["schema"])
    for schema in doc["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_every_reference_leads_somewhere_and_nothing_is_left_over(site, doc):
    document = document_of(site.bridge.url)
    used = set()
    for node in nodes(doc):
        if isinstance(node, dict) and isinstance(node.get("$ref"), str):
            document.resolve(node)
            used.add(node["$ref"])
    used |= {f"#/components/securitySchemes/{name}" for _, _, op in operations(doc)
             for row in op["security"] for name in row}
    have = {f"#/components/{kind}/{name}" for kind, members in doc["components"].items()
            for name in members}
    assert have == used


def test_operations_have_names_of_their_own_and_all_parameters_of_their_path(site, doc):
    document = document_of(site.bridge.url)
    names = [op["operationId"] for _, _, op in operations(doc)]
    assert len(names) == len(set(names))
    for path, _, op in operations(doc):
        given = {p["name"] for p in document.parameters(path, op) if p["in"] == "path"}
        assert given == set(re.findall(r"\{(.*?)\}", path)), path


def test_its_tags_are_explained(doc):
    assert {tag for _, _, op in operations(doc) for tag in op["tags"]} \
        == {tag["name"] for tag in doc["tags"]}


def test_it_is_the_bridge_that_answers(site, doc):
    assert site.bridge.run("--version").stdout.split()[-1] == doc["info"]["version"]
    # Also below /api, to whoever asks.
    answer = requests.get(site.bridge.url + "/api/openapi.json", timeout=15)
    assert answer.json() == doc


# ---- the harness's own check ---------------------------------------------------------------


def answer_to(rest, method, path, **options):
    return rest.session.request(method, rest.url + path, timeout=15, **options)


def changed(response, change):
    body = response.json()
    change(body)
    response._content = json.dumps(body).encode()
    return response


def test_a_member_that_is_not_documented_is_found(rest):
    worker = rest.register()
    response = answer_to(rest, "GET", "/workers/" + worker.worker_id)
    document_of(rest.url).check(response)
    with pytest.raises(Deviation, match="surplus"):
        document_of(rest.url).check(changed(response, lambda body: body.update(surplus=1)))


def test_a_member_of_a_wrong_type_is_found(rest):
    rest.register()
    response = answer_to(rest, "GET", "/workers/status")
    with pytest.raises(Deviation, match="name"):
        document_of(rest.url).check(
            changed(response, lambda body: body["workers"][-1].update(name=7)))


def test_a_status_or_a_code_that_is_not_documented_is_found(rest):
    response = answer_to(rest, "GET", "/workers/nobody")
    document_of(rest.url).check(response)
    with pytest.raises(Deviation, match="WORKER_REVOKED"):
        document_of(rest.url).check(
            changed(response, lambda body: body["error"].update(code="WORKER_REVOKED")))
    response.status_code = 418
    with pytest.raises(Deviation, match="418"):
        document_of(rest.url).check(response)


def test_an_event_that_is_not_as_documented_is_found(rest):
    document = document_of(rest.url)
    document.check_event("health", {"broker": True, "database": True})
    with pytest.raises(Deviation, match="database"):
        document.check_event("health", {"broker": True})
    with pytest.raises(Deviation, match="weather"):
        document.check_event("weather", {})

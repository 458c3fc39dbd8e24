"""The OpenAPI 3.1 document, made from the table of routes that serves. It can name nothing that is not served."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from reference_csms.web.actions import payload_schemas
from reference_csms.web.answers import PROBLEM
from reference_csms.web.repeats import HEADER
from reference_csms.web.routes import Route
from sim.backend import Row

_REFERENCES = "#/components/schemas/{name}"
_TAGS = {
    "operations": "Calls to stations, and what operators and apps ask of the back-end",
    "records": "Books, instruction sheet, connections, wire",
    "provision": "Rows of the instruction sheet",
    "ocpi": "Records in the shape of OCPI 2.2.1",
    "health": "Health and metrics",
}
_PROBLEM: Row = {
    "type": "object",
    "description": "RFC 9457; `detail` is one sentence that names the field and what is allowed",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "field": {"type": "string"},
        "allowed": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail"],
}
_OCPI_PROBLEM: Row = {
    "type": "object",
    "description": "the OCPI envelope without data; `status_code` 2000 and above says whose mistake it is",
    "properties": {
        "status_code": {"type": "integer", "minimum": 2000},
        "status_message": {"type": "string"},
        "timestamp": {"type": "string"},
    },
    "required": ["status_code", "status_message", "timestamp"],
}
_KEY: Row = {
    "name": HEADER,
    "in": "header",
    "description": "the same key and request gets the first answer again",
    "schema": {"type": "string", "minLength": 1, "maxLength": 200},
}


def document(routes: Sequence[Route], version: str) -> Row:
    """The document of all routes."""
    types = [kind for route in routes for kind in (route.query, route.body, route.answer) if _is_type(kind)]
    references, components = msgspec.json.schema_components(types, ref_template=_REFERENCES)
    schema_of = dict(zip(map(_key, types), references, strict=True))
    paths: dict[str, Row] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schema_of, components)
    used = {**components, **payload_schemas(), "Problem": _PROBLEM, "OcpiProblem": _OCPI_PROBLEM}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "chargerig reference CSMS: operations and records",
            "version": version,
            "description": "Instants are milliseconds since 1970 UTC and money minor units, but for OCPI and prices.",
        },
        "tags": [{"name": name, "description": said} for name, said in _TAGS.items()],
        "paths": paths,
        "components": {
            "schemas": used,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(route: Route, schema_of: dict[str, Row], components: dict[str, Any]) -> Row:
    shown: Row = {
        "operationId": re.sub(r"\W+", "-", f"{route.method.lower()}{route.path}").strip("-"),
        "summary": route.summary,
        "tags": [route.family],
        "parameters": [_path_parameter(name) for name in re.findall(r"\{(\w+)\}", route.path)],
        "responses": _responses(route, schema_of),
    }
    query = _resolved(schema_of[_key(route.query)], components)
    for name, schema in query.get("properties", {}).items():
        shown["parameters"].append({"name": name, "in": "query", "schema": schema})
    if route.method == "POST":
        shown["parameters"].append(_KEY)
    if route.body is not None:
        schema = route.body_schema or schema_of[_key(route.body)]
        needed = bool(_resolved(schema, components).get("required"))
        shown["requestBody"] = {"required": needed, "content": {"application/json": {"schema": schema}}}
    if route.scope is not None:
        shown["security"] = [{"token": []}]
        shown["description"] = f"Needs a token with the scope {route.scope}."
    return shown


def _responses(route: Route, schema_of: dict[str, Row]) -> Row:
    schema = route.answer if isinstance(route.answer, dict) else schema_of.get(_key(route.answer), {})
    responses: Row = {"200": {"description": "Done", "content": {route.media: {"schema": schema}}}}
    always = [422] if route.scope is None else [401, 403, 422, 503]
    of_body = [] if route.body is None else [409, 413, 415]
    media = "application/json" if route.ocpi else PROBLEM
    problem = {"$ref": f"#/components/schemas/{'OcpiProblem' if route.ocpi else 'Problem'}"}
    for status in sorted({*always, *of_body, *route.fails}):
        content = {media: {"schema": problem}}
        responses[str(status)] = {"description": HTTPStatus(status).phrase, "content": content}
    return responses


def _path_parameter(name: str) -> Row:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _resolved(schema: Row, components: dict[str, Any]) -> Row:
    reference = schema.get("$ref")
    return components.get(str(reference).rsplit("/", 1)[-1], {}) if reference else schema


def _is_type(kind: Any) -> bool:
    return kind is not None and not isinstance(kind, dict)


def _key(kind: Any) -> str:
    return f"{getattr(kind, '__module__', '')}.{kind!r}"

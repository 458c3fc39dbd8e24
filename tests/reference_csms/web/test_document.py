"""The OpenAPI document: well made, complete, and true of every route: a walk asks each of them for good and for bad."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import jsonschema_rs
import pytest

from reference_csms.web.actions import csms_actions, payload_schemas
from tests.reference_csms.web.examples import BODIES, PARTS, payload


@pytest.fixture(scope="module")
def document(walked: Any) -> Any:
    return walked.get("/openapi.json", None).json()


def operations(document: Any) -> list[tuple[str, str, Any]]:
    return [(path, method, one) for path, item in document["paths"].items() for method, one in item.items()]


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for one in node.values():
            yield from references(one)
    elif isinstance(node, list):
        for one in node:
            yield from references(one)


def good(path: str) -> tuple[str, Any]:
    """Address and body of a good request."""
    address = re.sub(r"\{(\w+)\}", lambda part: quote(PARTS.get(part[1], "x"), safe=""), path)
    address += "?site=hall" if path == "/prices" else ""
    if path in BODIES:
        return address, BODIES[path]
    action = path.rsplit("/", 1)[-1]
    versions = csms_actions().get(action, ())
    return address, payload(action, version=versions[0]) if versions else None


def fits(document: Any, schema: Any, value: Any) -> None:
    """Raises if a value breaks a schema of the document."""
    schemas = document["components"]["schemas"]
    needed, found = {}, list(references(schema))
    while found:
        name = found.pop().rsplit("/", 1)[-1]
        if name not in needed:
            needed[name] = schemas[name]
            found += references(schemas[name])
    jsonschema_rs.Draft202012Validator({**schema, "components": {"schemas": needed}}).validate(value)


def test_the_document_is_well_made(document: Any) -> None:
    assert document["openapi"] == "3.1.0" and len(operations(document)) > 100
    schemas = document["components"]["schemas"]
    found = sorted(set(references(document)))
    assert len(found) > 100
    for reference in found:
        assert reference.removeprefix("#/components/schemas/") in schemas, reference
    for name, schema in schemas.items():
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name)
        with pytest.raises(jsonschema_rs.ValidationError):
            fits(document, {"not": schema, "type": "null"}, 0)
    ids = [one["operationId"] for _, _, one in operations(document)]
    assert len(ids) == len(set(ids))
    for path, _, one in operations(document):
        told = sorted(parameter["name"] for parameter in one["parameters"] if parameter["in"] == "path")
        assert told == sorted(re.findall(r"\{(\w+)\}", path))
        assert one["summary"] and one["tags"][0] in [tag["name"] for tag in document["tags"]]
        assert len({(p["name"], p["in"]) for p in one["parameters"]}) == len(one["parameters"])


def test_every_route_is_in_the_document_and_nothing_else(walked: Any, document: Any) -> None:
    from starlette.routing import Route

    app = walked.client._client._transport.app
    served = {
        (route.path.replace(":path}", "}"), method.lower())
        for route in app.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert served - {("/openapi.json", "get")} == {(path, method) for path, method, _ in operations(document)}


def test_every_action_of_a_csms_is_a_route_with_its_payloads(document: Any) -> None:
    """OCPP 1.6 and its security whitepaper: 26 actions that a CSMS may start; 2.0.1 has more."""
    known = csms_actions()
    assert sum("1.6" in versions for versions in known.values()) == 26
    assert "Heartbeat" not in known and "TransactionEvent" not in known and "DataTransfer" in known
    for action in known:
        one = document["paths"][f"/operations/{{station}}/{action}"]["post"]
        assert list(references(one["requestBody"])) and list(references(one["responses"]["200"]))
    assert payload_schemas()["OCPP16.Reset"]["properties"]["type"]["enum"] == ["Hard", "Soft"]


def test_every_route_answers_as_it_says(walked: Any, document: Any) -> None:
    """A good request to each: the status is one of those told, the answer fits its schema; nearly all are 200."""
    walked.office.answers = {
        action: payload(action, answer=True) for action, versions in csms_actions().items() if "1.6" in versions
    }
    done: dict[int, int] = {}
    last = "/operations/{station}/close-station"
    for path, method, one in sorted(operations(document), key=lambda entry: (entry[0] == last, entry[0])):
        if path in ("/operations/{station}/hold-station",):
            continue  # after it nothing remote would be sent; it is asked below
        address, body = good(path)
        more = {} if method == "get" else {"json": body}
        response = walked.ask(method.upper(), address, **more)
        told = one["responses"].get(str(response.status_code))
        assert told is not None, (path, response.status_code, response.text)
        done[response.status_code] = done.get(response.status_code, 0) + 1
        media = response.headers["content-type"].partition(";")[0]
        schema = told["content"][media]["schema"]
        if "json" in media:
            fits(document, schema, response.json())
        versions = csms_actions().get(path.rsplit("/", 1)[-1])
        if versions and "1.6" in versions:
            assert response.status_code in (200, 409), (path, response.text)
    assert done[200] > 80, done
    for path in ("/operations/{station}/hold-station",):
        assert walked.post(good(path)[0]).status_code in (200, 404)


def test_every_route_refuses_as_it_says(walked: Any, document: Any) -> None:
    """Without a token, with one of another scope, an unknown parameter, and bodies that are none."""
    for path, method, one in operations(document):
        address, body = good(path)
        ask = lambda who="all", extra="", method=method, address=address, **more: walked.ask(  # noqa: E731
            method.upper(), address + extra, who, **more
        )
        sign = "&" if "?" in address else "?"
        expected = [(422, ask(extra=f"{sign}no-such-parameter=1", **({"json": body} if method == "post" else {})))]
        if "security" in one:
            expected.append((401, ask(None)))
            scope = one["description"].rstrip(".").rsplit(" ", 1)[-1]
            expected.append((403, ask("reader" if scope != "read" else "operator")))
        if method == "post":
            json_type = {"Content-Type": "application/json"}
            expected.append((415, ask(content=b"{}", headers={"Content-Type": "text/xml"})))
            expected.append((422, ask(content=b"{", headers=json_type)))
            expected.append((422, ask(content=b"[]", headers=json_type)))
            expected.append((413, ask(content=b" " * 60_000, headers=json_type)))
        for status, response in expected:
            assert response.status_code == status, (path, status, response.text)
            told = one["responses"][str(status)]["content"]
            media = response.headers["content-type"]
            fits(document, told[media]["schema"], response.json())
            sentence = response.json().get("detail") or response.json()["status_message"]
            assert sentence.endswith(".")

"""Whatever is asked, the API answers with a status that it has: never a mistake of ours, and it goes on serving."""

from __future__ import annotations

import copy
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reference_csms.web.actions import csms_actions
from reference_csms.web.app import all_routes
from tests.reference_csms.web.examples import BODIES, PARTS, payload

BOUNDED = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))

NASTY: tuple[Any, ...] = (
    None, True, 0, -1, 2**31, 2**63, 10**40, 1e308, "", " ", "x" * 300, "ü", "\x07", "\u2028", "../..", "%00",
    "1E-999999999", "NaN",
    "2026-02-31T00:00:00Z", "9999-12-31T23:59:59+14:00", "0001-01-01T00:00:00Z", "2026-02-31", [], {}, [[]],
    [None], [{}], {"key": "AuthorizationKey", "value": 1}, {"": ""}, "TOK-A", "CS-1", "ac", "hall", "city",
)  # fmt: skip
texts = st.text(max_size=12)
scalars = st.one_of(
    st.sampled_from(NASTY),
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
)
values = st.recursive(
    scalars, lambda one: st.lists(one, max_size=3) | st.dictionaries(texts, one, max_size=3), max_leaves=6
)
ACTIONS = [action for action, versions in csms_actions().items() if "1.6" in versions]
POSTS = [*BODIES, *(f"/operations/{{station}}/{action}" for action in ACTIONS)]


def check(api: Any, response: Any, *told: object) -> None:
    assert response.status_code < 500 or response.status_code == 504, (told, response.text)
    if response.status_code >= 400 and response.request.method != "HEAD":
        body = response.json()
        sentence = body.get("detail") or body["status_message"]
        assert sentence and "\n" not in sentence, (told, body)


def places(node: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a JSON value."""
    found = [way]
    if isinstance(node, dict):
        found += [place for key in node for place in places(node[key], (*way, key))]
    elif isinstance(node, list):
        found += [place for n, one in enumerate(node) for place in places(one, (*way, n))]
    return found


def changed(node: Any, way: tuple[Any, ...], value: Any) -> Any:
    """The value with another one in a place."""
    if not way:
        return value
    node = copy.deepcopy(node)
    inner = node
    for step in way[:-1]:
        inner = inner[step]
    inner[way[-1]] = value
    return node


def address(path: str, parts: dict[str, str]) -> str:
    for name, value in parts.items():
        path = path.replace(f"{{{name}}}", quote(value, safe=""))
    return path


WORST: tuple[Any, ...] = (
    None,
    10**40,
    -1,
    0.5,
    "",
    "x" * 300,
    "\x07",
    "1E-999999999",
    "2026-02-31T00:00:00Z",
    [None],
    {},
)
"""What has broken readers of rows before; tried in every place."""


@pytest.mark.parametrize("path", BODIES)
def test_the_worst_in_every_place_of_every_body(walked: Any, path: str) -> None:
    station = "CS-2" if path.endswith(("close-station", "hold-station")) else "CS-1"
    where = address(path, {**PARTS, "station": station})
    for way in places(BODIES[path]):
        for value in WORST:
            check(walked, walked.post(where, changed(BODIES[path], way, value)), path, way, value)


def test_the_worst_in_every_parameter_of_every_query(walked: Any) -> None:
    worst = ("", "9" * 40, "\x07", "2026-02-31T00:00:00Z", "2999-12-31T23:59:59+14:00", "a/b")
    tried = 0
    for route in all_routes(walked.office):
        fields = route.query.__struct_encode_fields__ if route.method == "GET" else ()
        for name in fields:
            for value in worst:
                check(
                    walked, walked.ask("GET", address(route.path, PARTS), params={name: value}), route.path, name, value
                )
                tried += 1
    assert tried > 500


@BOUNDED
@given(data=st.data())
def test_a_good_body_with_anything_anywhere(walked: Any, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(POSTS))
    body = BODIES[path] if path in BODIES else payload(path.rsplit("/", 1)[-1])
    for _ in range(data.draw(st.integers(0, 2))):
        body = changed(body, data.draw(st.sampled_from(places(body))), data.draw(values))
    station = data.draw(st.sampled_from(["CS-1", "CS-2", "CS-9"]))
    if path.endswith(("close-station", "hold-station")):
        station = "CS-2"
    check(walked, walked.post(address(path, {**PARTS, "station": station}), body), path, body)


@BOUNDED
@given(data=st.data())
def test_any_address_and_any_query(walked: Any, data: st.DataObject) -> None:
    paths = [*(route.path for route in all_routes(walked.office)), "/", "//", "/openapi.json", "/docs"]
    part = st.one_of(texts, st.sampled_from([*PARTS.values(), "a/b", "\x00", ".", "..", "bills", "%", "9" * 40]))
    path = address(data.draw(st.sampled_from(paths)), {name: data.draw(part) for name in PARTS})
    path = data.draw(st.sampled_from([path, path, path, path + "/", "/" + quote(data.draw(texts))]))
    known = st.sampled_from(
        ["limit", "after", "offset", "station", "from", "until", "date_from", "timeout", "site", "at"]
    )
    some = st.one_of(
        texts,
        st.sampled_from(["0", "1", "-1", "1e3", "1000", "9" * 30, "CS-1", "TOK-A/hall", "/", "2026-06-10T00:00:00Z"]),
    )
    query = data.draw(st.lists(st.tuples(st.one_of(known, texts), some), max_size=3))
    method = data.draw(st.sampled_from(["GET", "GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]))
    if method == "POST" and path.endswith(("close-station", "hold-station")):
        method = "GET"
    check(walked, walked.ask(method, path, params=query), method, path, query)


@BOUNDED
@given(data=st.data())
def test_any_bytes_and_any_headers(walked: Any, data: st.DataObject) -> None:
    path = address(data.draw(st.sampled_from(POSTS)), {**PARTS, "station": "CS-3"})
    headers = {
        "Content-Type": data.draw(
            st.sampled_from(["application/json", "application/json; charset=latin-1", "text/html", ""])
        ),
        "Idempotency-Key": data.draw(st.sampled_from(["k1", "k2", "", "ä".encode(), "x" * 300])),
        "Authorization": data.draw(
            st.sampled_from(["Bearer all-scopes-0123456789", "Bearer", "Token !", b"Bearer \xff\xfe", "Basic Og=="])
        ),
    }
    content = data.draw(
        st.one_of(st.binary(max_size=40), st.sampled_from([b"", b"{}", b"null", b'{"rows":[{}]}', b"\xff"]))
    )
    check(walked, walked.ask("POST", path, content=content, headers=headers), path, content, headers)

"""Routes for whoever runs the process: whether it lives, whether it serves, its metrics. No secret, no identity."""

from __future__ import annotations

from msgspec import Struct
from starlette.responses import Response

from reference_csms.web.answers import Problem, answer
from reference_csms.web.metrics import CONTENT_TYPE, Meters
from reference_csms.web.routes import Asked, Route
from reference_csms.web.tokens import READ
from sim.clock import iso


class Live(Struct):
    """The process answers."""

    status: str
    name: str
    started_at: str
    now: str


class Ready(Struct):
    """The back-end serves."""

    status: str


def routes(meters: Meters) -> list[Route]:
    """Health is open to everybody, metrics need a token: they tell how much business is done."""

    async def metrics(asked: Asked) -> Response:
        return Response(meters.text(), 200, media_type=CONTENT_TYPE)

    return [
        Route(
            method="GET",
            path="/health/live",
            family="health",
            summary="Whether the process answers",
            handler=_live,
            scope=None,
            answer=Live,
        ),
        Route(
            method="GET",
            path="/health/ready",
            family="health",
            summary="Whether the back-end serves; 503 with the reason if not",
            handler=_ready,
            scope=None,
            answer=Ready,
            fails=(503,),
        ),
        Route(
            method="GET",
            path="/metrics",
            family="health",
            summary="Metrics for Prometheus",
            handler=metrics,
            scope=READ,
            answer={"type": "string"},
            media="text/plain",
        ),
    ]


async def _live(asked: Asked) -> Response:
    desk = asked.desk
    return answer(Live("live", desk.name, iso(desk.started_at), iso(desk.now())))


async def _ready(asked: Asked) -> Response:
    why_not = asked.desk.ready()
    if why_not is not None:
        raise Problem(503, why_not, "unavailable")
    return answer(Ready("ready"))

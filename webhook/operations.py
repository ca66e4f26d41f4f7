"""The rows of the front door's own description: one per route. Here are those of what is told, and all together."""

from webhook import endpoints, events, schemas
from webhook.operation import EVENT, FLAG, JSON, LIMIT, SPEAKER, TEXT, TIME, Operation
from webhook.operations_in import BATCHES, SPEAKERS
from worker.contract.events import EventDocument

_P = schemas.Problem
_ONE_ENDPOINT, _ONE_CALLBACK = "/v1/endpoints/{endpoint_id}", "/v1/callbacks/{callback_id}"

OPERATIONS = (
    *SPEAKERS,
    *BATCHES,
    Operation(
        verb="get",
        path="/v1/events",
        name="listEvents",
        summary="Events, by page; as server-sent events where `text/event-stream` is accepted.",
        query=(
            ("types", TEXT),
            ("speaker", SPEAKER),
            ("after", EVENT),
            ("before", EVENT),
            ("since", TIME),
            ("full", FLAG),
            ("limit", LIMIT),
        ),
        answers={200: schemas.EventsPage, 410: _P, 422: _P},
        streams=True,
    ),
    Operation(
        verb="post",
        path="/v1/events",
        name="triggerEvent",
        summary="Have an event told in which nothing happened, to try who listens.",
        takes={JSON: events.Trial},
        answers={202: EventDocument, 408: _P, 409: _P, 413: _P, 422: _P},
    ),
    Operation(
        verb="get",
        path="/v1/events/{event_id}",
        name="getEvent",
        summary="One event.",
        answers={200: EventDocument, 404: _P, 422: _P},
    ),
    Operation(
        verb="get",
        path="/v1/events/{event_id}/trace",
        name="traceEvent",
        summary="One event from the callback that brought it to the endpoints that get it.",
        answers={200: schemas.Trace, 404: _P, 422: _P},
    ),
    Operation(
        verb="get",
        path="/v1/event-types",
        name="listEventTypes",
        summary="The catalogue of events, with a JSON Schema for each type.",
        answers={200: schemas.EventTypes},
    ),
    Operation(
        verb="post",
        path="/v1/endpoints",
        name="addEndpoint",
        summary="Have events posted to a URL; the secret that signs them is shown this once.",
        takes={JSON: endpoints.NewEndpoint},
        answers={201: schemas.EndpointMade, 408: _P, 409: _P, 413: _P, 422: _P},
    ),
    Operation(
        verb="get",
        path="/v1/endpoints",
        name="listEndpoints",
        summary="Where events are posted to, and how each does.",
        answers={200: schemas.Endpoints},
    ),
    Operation(
        verb="get",
        path=_ONE_ENDPOINT,
        name="getEndpoint",
        summary="One endpoint.",
        answers={200: schemas.Endpoint, 404: _P},
    ),
    Operation(
        verb="delete",
        path=_ONE_ENDPOINT,
        name="removeEndpoint",
        summary="Post nothing there any more, and forget what waits.",
        answers={204: None, 404: _P},
    ),
    Operation(
        verb="post",
        path=f"{_ONE_ENDPOINT}/rotate",
        name="rotateSecret",
        summary="Make another secret; for a time both sign.",
        takes={JSON: endpoints.Rotation},
        answers={200: schemas.EndpointMade, 404: _P, 408: _P, 413: _P, 422: _P},
    ),
    *(
        Operation(
            verb="post",
            path=f"{_ONE_ENDPOINT}/{what}",
            name=f"{what}Endpoint",
            summary=says,
            answers={200: schemas.Endpoint, 404: _P},
        )
        for what, says in (("enable", "Post there again, and what came meanwhile."), ("disable", "Post nothing there."))
    ),
    Operation(
        verb="post",
        path=f"{_ONE_ENDPOINT}/replay",
        name="replayEvents",
        summary="Send the events of a time once more, under the ids they had.",
        takes={JSON: endpoints.Replay},
        answers={202: schemas.Replayed, 404: _P, 408: _P, 413: _P, 422: _P},
    ),
    Operation(
        verb="post",
        path=_ONE_CALLBACK,
        name="receiveCallback",
        summary="webhookUrl: takes results of the enrollment API; the last part is the token of an attempt.",
        answers={200: schemas.Nothing, 400: _P, 403: _P, 408: _P, 413: _P},
    ),
    Operation(
        verb="get",
        path="/v1/callbacks",
        name="listCallbacks",
        summary="Callbacks as they came, newest first.",
        query=(
            ("speaker", TEXT),
            ("verdict", TEXT),
            ("refused", FLAG),
            ("limit", LIMIT),
            ("before", TEXT),
        ),
        answers={200: schemas.CallbacksPage, 422: _P},
    ),
    Operation(
        verb="get",
        path=_ONE_CALLBACK,
        name="getCallback",
        summary="One callback, with headers and body.",
        answers={200: schemas.CallbackContent, 404: _P},
    ),
    Operation(
        verb="post",
        path=f"{_ONE_CALLBACK}/replay",
        name="replayCallback",
        summary="Have one reconciled anew, byte for byte.",
        answers={202: schemas.Callback, 404: _P, 409: _P},
    ),
    Operation(verb="get", path="/healthz", name="health", summary="The process lives.", answers={200: schemas.Health}),
    Operation(
        verb="get",
        path="/readyz",
        name="readiness",
        summary="Whether it can do its work.",
        answers={200: schemas.Readiness, 503: schemas.Readiness},
    ),
)

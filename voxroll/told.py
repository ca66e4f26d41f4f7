"""What a front door tells: events and the endpoints they go to, and the callbacks that came."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from voxroll.documents import Callback, Endpoint, Event, Trace
from voxroll.door import Door
from voxroll.failure import CommandError
from voxroll.following import follow

D = TypeVar("D", bound=BaseModel)


class Told(Door):
    """The part of a client that reads what happened."""

    async def callbacks(self, **filters: str) -> AsyncGenerator[Callback, None]:
        """Callbacks that came, newest first, page by page: of one `speaker`, with one `verdict`, the `refused` ones."""
        before: dict[str, str] = {}
        while True:
            page = await self.ask("GET", "/v1/callbacks", params=filters | before)
            for document in page["callbacks"]:
                yield read(Callback, document)
            if not page.get("next"):
                return
            before = {"before": str(page["next"])}

    async def callback(self, callback_id: str) -> Callback:
        """One callback with headers and body; `CommandError` with code `callback_unknown` where there is none."""
        return read(Callback, await self.ask("GET", f"/v1/callbacks/{quote(callback_id, safe='')}"))

    async def replay(self, callback_id: str) -> Callback:
        """Have one callback reconciled once more."""
        return read(Callback, await self.ask("POST", f"/v1/callbacks/{quote(callback_id, safe='')}/replay"))

    async def events(
        self, *types: str, speaker: str = "", after: str = "", since: datetime | None = None, full: bool = False
    ) -> AsyncGenerator[Event, None]:
        """Events as they come, without end; behind the event `after` or from a time on, nothing is missed.

        `types` are names of the catalogue, with stars (`enrollment.*`). A connection that is lost is made again, and
        goes on behind the last event. `full` has the speaker's document in each.

        Raises:
            CommandError: `events_forgotten` where what came behind `after` is no longer kept.
        """
        query = {"types": ",".join(types), "speaker": speaker, "full": "true" if full else ""}
        query |= {"since": since.isoformat() if since else ""}
        async with aclosing(
            follow(self, {name: value for name, value in query.items() if value}, after=after)
        ) as found:
            async for document in found:
                yield read(Event, document)

    async def past_events(self, **filters: str) -> AsyncGenerator[Event, None]:
        """Events that were, page by page: newest first, or from `since` or `after` on oldest first."""
        forward = bool({"since", "after"} & filters.keys())
        while True:
            page = await self.ask("GET", "/v1/events", params=filters)
            for document in page["events"]:
                yield read(Event, document)
            if not page.get("next"):
                return
            filters = {name: value for name, value in filters.items() if name != "since"}
            filters["after" if forward else "before"] = str(page["next"])

    async def event(self, event_id: str) -> Event:
        """One event; `CommandError` with code `event_unknown` where there is none."""
        return read(Event, await self.ask("GET", f"/v1/events/{quote(event_id, safe='')}"))

    async def trace(self, event_id: str) -> Trace:
        """One event from the callback that brought it to the endpoints that get it."""
        return read(Trace, await self.ask("GET", f"/v1/events/{quote(event_id, safe='')}/trace"))

    async def trigger(self, kind: str, *, speaker: str = "", data: dict[str, Any] | None = None) -> Event:
        """Have an event told in which nothing happened, marked as a test."""
        body = {"type": kind, "speakerId": speaker or None, "data": data}
        return read(Event, await self.ask("POST", "/v1/events", json=body))

    async def endpoints(self) -> list[Endpoint]:
        """Where events are posted to."""
        return [read(Endpoint, one) for one in (await self.ask("GET", "/v1/endpoints"))["endpoints"]]

    async def add_endpoint(self, url: str, *types: str, full: bool = False, description: str = "") -> Endpoint:
        """Have events posted to a URL; the answer alone holds the secret that they are signed with."""
        body = {"url": url, "types": list(types), "full": full, "description": description}
        return read(Endpoint, await self.ask("POST", "/v1/endpoints", json=body))

    async def remove_endpoint(self, endpoint_id: str) -> None:
        """Post nothing more there, and forget what waits."""
        await self.ask("DELETE", f"/v1/endpoints/{quote(endpoint_id, safe='')}")

    async def change_endpoint(self, endpoint_id: str, what: str, **body: Any) -> dict[str, Any]:
        """`rotate` (`overlapS`), `enable`, `disable` or `replay` (`since`, `until`, `types`)."""
        return await self.ask("POST", f"/v1/endpoints/{quote(endpoint_id, safe='')}/{what}", json=body)


def read(kind: type[D], document: dict[str, Any]) -> D:
    """A document as its model.

    Raises:
        CommandError: `bad_answer`.
    """
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, part["loc"])) for part in error.errors(include_input=False))
        name = kind.__name__.lower()
        raise CommandError("bad_answer", f"the front door's {name} document lacks or spoils: {fields}") from error

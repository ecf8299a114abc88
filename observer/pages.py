"""The pages people see. They work without scripts; with them, the first one and the journal are live."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.responses import Response

from ai.clock import Clock
from ai.economy.tiers import TIERS
from ai.store.journal import KINDS
from observer.api import LARGEST_NUMBER, Kind, Number, OptionalNumber, Words
from observer.mood import Mood, mood_of
from observer.readers import PAGE_ESSAYS, PAGE_ROWS, Readers
from observer.rendering import render
from observer.view import BANDS, essay, front_view, purse, row
from observer.wire import Json


class Pages:
    """Renders every page about one being."""

    def __init__(self, readers: Readers, clock: Clock) -> None:
        self._readers = readers
        self._clock = clock

    def routes(self, openapi: Callable[[], dict[str, Any]]) -> APIRouter:
        """The routes of the pages; `openapi` gives the description that /docs lists."""
        routes = APIRouter(include_in_schema=False)
        routes.add_api_route("/", self._front)
        routes.add_api_route("/view", self._view)
        routes.add_api_route("/journal", self._journal)
        routes.add_api_route("/view/journal", self._rows)
        routes.add_api_route("/budget", self._budget)
        routes.add_api_route("/lives", self._lives)
        routes.add_api_route("/blog", self._blog)
        routes.add_api_route("/blog/{number}", self._essay)
        routes.add_api_route("/about", self._about)

        @routes.get("/docs")
        async def docs() -> Response:
            return await self._page("docs.html", "docs", paths=openapi()["paths"])

        return routes

    def refusal(self, status: int, sentence: str, headers: dict[str, str] | None = None) -> Response:
        """A page that says one sentence, and needs no store to say it."""
        mood = Mood("asleep", str(status), sentence)
        names = {"name": "Am I Alive?", "icon": "✨", "here": "", "mood": mood, "title": HTTPStatus(status).phrase}
        return render("refusal.html", status=status, headers=headers, sentence=sentence, **names)

    async def _front(self) -> Response:
        view = front_view(await self._readers.front(), self._clock.now())
        names = {key: view[key] for key in ("name", "icon", "mood", "title")}
        return render("front.html", here="front", view=view, bands=BANDS, **names)

    async def _view(self) -> Response:
        return Json(front_view(await self._readers.front(), self._clock.now()))

    async def _journal(self, upto: OptionalNumber = None, kind: Kind = None, q: Words = "") -> Response:
        events = await self._readers.page(upto=upto, kind=kind, query=q or None)
        more = len(events) == PAGE_ROWS
        return await self._page(
            "journal.html",
            "journal",
            rows=[row(event) | {"data": event.data, "life": event.life} for event in events],
            older=events[-1].id - 1 if more else None,
            newest=events[0].id if events and upto is None else 0,
            live=upto is None,
            kind=kind or "",
            kinds=KINDS,
            q=q,
        )

    async def _rows(self, after: Number = 0, kind: Kind = None, q: Words = "") -> Response:
        """Public rows that follow `after`, oldest first, for a journal page that is open."""
        events = await self._readers.events(after=after, kind=kind, query=q or None, limit=PAGE_ROWS)
        return Json([row(event) | {"data": event.data} for event in events])

    async def _budget(self) -> Response:
        budget = await self._readers.budget()
        days = [float(day["spent"]) for day in budget["by_day"]]
        return await self._page(
            "budget.html",
            "budget",
            budget=budget,
            purse=purse(budget, self._clock.now()),
            bands=BANDS,
            tiers=TIERS,
            dearest=max(days, default=0.0) or 1.0,
        )

    async def _lives(self) -> Response:
        life, minds = (await self._readers.state())["life"], await self._readers.minds()
        reborn_at = life["reborn_at"] if life["state"] == "dead" else None
        lives = await self._readers.lives()
        return await self._page("lives.html", "lives", lives=lives, minds=minds, reborn_at=reborn_at)

    async def _blog(self, upto: OptionalNumber = None) -> Response:
        essays = await self._readers.essays(upto)
        older = essays[-1].id - 1 if len(essays) == PAGE_ESSAYS and essays[-1].id > 1 else None
        return await self._page("blog.html", "blog", essays=[essay(one) for one in essays], older=older)

    async def _essay(self, number: Annotated[int, Path(ge=1, le=LARGEST_NUMBER)]) -> Response:
        one = await self._readers.essay(number)
        if one is None:
            return self.refusal(HTTPStatus.NOT_FOUND, "There is no such page in the blog.")
        return await self._page("essay.html", "blog", essay=essay(one))

    async def _about(self) -> Response:
        return await self._page("about.html", "about", tiers=TIERS)

    async def _page(self, template: str, here: str, **names: Any) -> Response:
        """A page with the being's name and mood at its head."""
        state = await self._readers.state()
        being, mood = state["being"], mood_of(state)
        title = f"{being['name']} · {here}"
        head = {"name": being["name"], "icon": being["icon"], "here": here, "mood": mood, "title": title}
        return render(template, **head, **names)

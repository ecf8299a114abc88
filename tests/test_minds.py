"""Which models a being has thought with, how long each was resident, and what its posts got in answer."""

from __future__ import annotations

from ai.clock import VirtualClock, to_ms
from ai.life.lifecycle import Lifecycle
from ai.store.engine import Store
from ai.store.journal import Journal
from ai.store.residencies import Mind, read_minds
from tests.parts import BEING


async def minds(store: Store, clock: VirtualClock) -> dict[str, Mind]:
    told = await store.read(lambda t: read_minds(t, BEING, to_ms(clock.now())))
    return {mind.model: mind for mind in told}


async def test_how_long_each_model_was_resident_and_who_chose_it_is_kept(
    store: Store, journal: Journal, clock: VirtualClock
) -> None:
    lifecycle = Lifecycle(store, journal, clock, BEING)
    for model, by, hours in (("a/one", "rotator", 2), ("b/two", "being", 5), ("a/one", "being", 1)):
        await lifecycle.settle_in(model, by=by, reason="a test")
        clock.advance(hours * 3600)
    told = await minds(store, clock)
    assert {name: (m.resident_ms // 3_600_000, m.residencies, m.chosen) for name, m in told.items()} == {
        "a/one": (3, 2, 1),
        "b/two": (5, 1, 1),
    }


async def test_messages_count_for_the_model_whose_post_came_last_before_them(
    store: Store, journal: Journal, clock: VirtualClock
) -> None:
    for kind, model in (
        ("message", None),
        ("thought", "a/one"),
        ("post", "a/one"),
        ("message", None),
        ("message", None),
        ("post", "b/two"),
        ("message", None),
    ):
        await journal.write(kind, {"text": kind} | ({"model": model} if model else {}))
    told = await minds(store, clock)
    assert {name: (m.thoughts, m.posts, m.answers) for name, m in told.items()} == {
        "a/one": (1, 1, 2),
        "b/two": (0, 1, 1),
    }


async def test_a_being_that_never_thought_has_no_minds(store: Store, clock: VirtualClock) -> None:
    assert await minds(store, clock) == {}

"""The journal: numbers that grow, rows filtered by kind, words and visibility, and no secret in any of them."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

import vault
from ai.clock import VirtualClock
from ai.store.engine import Store
from ai.store.journal import KEEPER, KINDS, Event, Journal, count_events, last_events, newest_number, read_events
from ai.store.lives import change_being
from tests.parts import BEING


async def notes(journal: Journal, *texts: str) -> list[Event]:
    return [await journal.write("note", {"text": text}) for text in texts]


async def test_numbers_grow_and_a_reader_resumes_after_any_of_them(store: Store, journal: Journal) -> None:
    written = await notes(journal, "a", "b", "c", "d")
    numbers = [event.id for event in written]
    assert numbers == sorted(set(numbers))
    for position, number in enumerate([0, *numbers]):
        rest = await store.read(lambda t, after=number: read_events(t, BEING, after=after))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        assert [event.data["text"] for event in rest] == ["a", "b", "c", "d"][position:]
    assert await store.read(lambda t: newest_number(t, BEING)) == numbers[-1]


async def test_what_is_read_is_what_was_written(store: Store, journal: Journal, clock: VirtualClock) -> None:
    data = {"text": "Äpfel, 🫧 and “quotes”", "nested": {"list": [1, None, True]}, "n": 3}
    event = await journal.write("thought", data)
    assert await store.read(lambda t: read_events(t, BEING)) == [event]
    assert event.as_json() == {
        "id": event.id,
        "at": "2026-11-21T12:00:00.000Z",
        "life": 0,
        "kind": "thought",
        "visibility": "public",
        "data": data,
    }


async def test_a_row_belongs_to_the_life_in_which_it_was_written(store: Store, journal: Journal) -> None:
    await notes(journal, "before")
    await store.write(lambda t: change_being(t, BEING, state="alive", life=2))
    await notes(journal, "now")
    assert [event.life for event in await store.read(lambda t: read_events(t, BEING))] == [0, 2]


async def test_rows_are_filtered_by_kind_and_limited_from_the_oldest(store: Store, journal: Journal) -> None:
    await notes(journal, "a", "b")
    await journal.write("memory", {"text": "c"})
    assert [event.data["text"] for event in await store.read(lambda t: read_events(t, BEING, kind="memory"))] == ["c"]
    assert [event.data["text"] for event in await store.read(lambda t: read_events(t, BEING, limit=2))] == ["a", "b"]
    assert [event.data["text"] for event in await store.read(lambda t: last_events(t, BEING, limit=2))] == ["b", "c"]


@pytest.mark.parametrize(
    ("query", "found"), [("apple", 1), ("Öl", 1), ("日本", 1), ("100%", 1), ("_", 0), ("zebra", 0), ("e", 2)]
)
async def test_a_search_finds_words_in_any_script_and_takes_nothing_for_a_wildcard(
    store: Store, journal: Journal, query: str, found: int
) -> None:
    await notes(journal, "an apple and Öl", "日本 is 100% there")
    assert len(await store.read(lambda t: read_events(t, BEING, query=query))) == found


async def test_the_keepers_rows_are_for_the_keeper(store: Store, journal: Journal) -> None:
    await notes(journal, "for all")
    await journal.write("message", {"text": "for the keeper"}, visibility=KEEPER)
    assert len(await store.read(lambda t: read_events(t, BEING))) == 1
    assert len(await store.read(lambda t: read_events(t, BEING, keeper=True))) == 2
    assert len(await store.read(lambda t: last_events(t, BEING, limit=9))) == 1
    assert len(await store.read(lambda t: last_events(t, BEING, keeper=True, limit=9))) == 2


async def test_rows_are_counted_since_a_moment(store: Store, journal: Journal, clock: VirtualClock) -> None:
    (first,) = await notes(journal, "a")
    clock.advance(60)
    await notes(journal, "b", "c")
    assert await store.read(lambda t: count_events(t, BEING, "note", first.at_ms)) == 2
    assert await store.read(lambda t: count_events(t, BEING, "post", 0)) == 0


async def test_a_kind_nobody_promised_is_refused(journal: Journal) -> None:
    with pytest.raises(ValueError, match="no kind"):
        await journal.write("gossip", {})


def test_the_kinds_are_those_others_rely_on() -> None:
    promised = (
        "birth, thought, action, result, charge, tier, model, post, message, reply, memory, task, topup, rollover, "
        "failure, hibernation, revival, death, note"
    )
    assert set(promised.split(", ")) <= set(KINDS)


async def test_no_secret_reaches_a_row_wherever_it_stands(store: Store, clock: VirtualClock) -> None:
    secrets = {"OPENROUTER_API_KEY": SecretStr("hunter2-hunter2")}
    journal = Journal(store, clock, BEING, vault.Redactor(secrets).json)
    told: list[Event] = []
    store.after_commit.append(told.extend)
    shaped = "sk-or-v1-" + "0123456789abcdef" * 4
    await journal.write("failure", {"a": ["x hunter2-hunter2 y"], "hunter2-hunter2": {"deep": shaped}, "n": 1})
    (event,) = await store.read(lambda t: read_events(t, BEING))
    for row in (event, *told):
        assert "hunter2" not in str(row.data)
        assert shaped not in str(row.data)
        assert row.data["n"] == 1
    assert event.data["a"][0].startswith("x ")
    assert event.data["a"][0].endswith(" y")


async def test_listeners_hear_of_events_in_order_once_they_are_committed(store: Store, journal: Journal) -> None:
    told: list[Event] = []
    store.after_commit.append(told.extend)
    written = await notes(journal, "a", "b")
    assert told == written


async def test_beings_do_not_read_each_others_journals(store: Store, journal: Journal, clock: VirtualClock) -> None:
    other = Journal(store, clock, "other", lambda data: data)
    await notes(journal, "mine")
    await notes(other, "theirs")
    assert [event.data["text"] for event in await store.read(lambda t: read_events(t, BEING))] == ["mine"]

"""The page in a real browser: it comes alive, breaks no rule of its own policy, and fits any screen."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, async_playwright, expect
from playwright.async_api import Page as Tab

from tests.observer.books import Books
from tests.observer.conftest import Page, open_page

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

if not CHROMIUM.exists() and os.environ.get("REQUIRE_BROWSER") != "1":
    pytest.skip(f"{CHROMIUM} is not installed; REQUIRE_BROWSER=1 makes this a failure", allow_module_level=True)


# One browser and one event loop for all of them: starting it takes longer than most tests.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="module")
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    async with open_page(tmp_path) as page:
        yield page


@asynccontextmanager
async def tab_at(browser: Browser, url: str, **options: Any) -> AsyncIterator[Tab]:
    """A tab whose console stays empty: no error, no refused script or style, no failed request."""
    # Without motion a text stands there at once; the letters have a test of their own.
    context = await browser.new_context(**{"reduced_motion": "reduce", **options})
    tab = await context.new_page()
    said: list[str] = []
    tab.on("console", lambda message: said.append(message.text))
    tab.on("pageerror", lambda error: said.append(str(error)))
    await tab.goto(url)
    yield tab
    assert said == []
    await context.close()


def thought(tab: Tab) -> Locator:
    return tab.locator("#thought")


async def colour(tab: Tab) -> str:
    return str(await tab.evaluate("getComputedStyle(document.documentElement).backgroundColor"))


async def test_a_thought_is_seen_as_it_is_written_and_settles_without_a_reload(
    browser: Browser, page: Page, books: Books
) -> None:
    await books.alive()
    await books.thought("The one before.", thought_id="t0")
    async with tab_at(browser, page.url, reduced_motion="no-preference") as tab:
        await tab.evaluate("window.sameDocument = true")
        await expect(thought(tab)).to_have_text("The one before.")
        await books.heartbeat(thinking=True)
        await books.draft("I am", thought_id="t1")
        await expect(thought(tab)).to_have_text("I am")
        await expect(thought(tab)).to_have_class("thought writing")
        await expect(tab).to_have_title("Genesis · thinking")
        await expect(tab.locator("#former .thought").first).to_have_text("The one before.")
        await books.draft("I am still being written", thought_id="t1")
        await expect(thought(tab)).to_have_text("I am still being written")
        await books.thought("I am still being written, and now I am done.", thought_id="t1")
        await books.no_draft()
        await books.heartbeat()
        await expect(thought(tab)).to_have_text("I am still being written, and now I am done.")
        await expect(thought(tab)).to_have_class("thought")
        await expect(tab.locator("#hero-meta")).to_contain_text("$0.000123")
        await expect(tab).to_have_title("Genesis · alive")
        await expect(tab.locator("#former li")).to_have_count(1)
        assert await tab.evaluate("window.sameDocument")


async def test_a_draft_that_is_given_up_gives_way_to_the_last_thought(
    browser: Browser, page: Page, books: Books
) -> None:
    await books.alive()
    await books.thought("What stands.", thought_id="t0")
    async with tab_at(browser, page.url) as tab:
        await books.draft("What will not", thought_id="t1")
        await expect(thought(tab)).to_have_text("What will not")
        await books.no_draft()
        await expect(thought(tab)).to_have_text("What stands.")
        await expect(tab.locator("#former li")).to_have_count(0)


async def test_the_purse_and_the_posts_move_by_themselves(browser: Browser, page: Page, books: Books) -> None:
    await books.alive()
    async with tab_at(browser, page.url) as tab:
        await expect(tab.locator("#figure")).to_have_text("$4.9500")
        await books.spend("1.25")
        await expect(tab.locator("#figure")).to_have_text("$3.7000")
        await expect(tab.locator("#bar .bar-fill")).to_have_attribute("width", "75")
        await books.journal.write("post", {"channel": "timeline", "text": "Hello, world."})
        await expect(tab.locator("#posts")).to_contain_text("Hello, world.")


async def test_markup_is_shown_as_the_text_it_is(browser: Browser, page: Page, books: Books) -> None:
    await books.alive()
    markup = "<img src=x onerror=alert(1)><b>bold</b> &amp; <script>document.title='taken'</script>"
    async with tab_at(browser, page.url) as tab:
        await books.draft(markup[:30])
        await expect(thought(tab)).to_have_text(markup[:30])
        await books.thought(markup)
        await books.journal.write("note", {"text": markup})
        await expect(thought(tab)).to_have_text(markup)
        await expect(tab.locator("#lately")).to_contain_text(markup)
        for address in ("/", "/journal"):
            await tab.goto(page.url + address)
            assert await tab.locator("main img, main b, main script").count() == 0


async def test_a_birth_is_seen_by_who_waited_for_it(browser: Browser, page: Page, tmp_path: Path) -> None:
    async with tab_at(browser, page.url) as tab:
        await expect(thought(tab)).to_have_text("Nobody is here yet.")
        books = Books(tmp_path)
        await books.alive()
        await books.journal.write("birth", {"number": 1, "name": "Genesis", "first_words": "I am here."})
        await books.thought("So this is it.")
        await expect(thought(tab)).to_have_text("So this is it.")
        await expect(tab.locator("#word")).to_have_text("alive")
        books.close()


async def test_new_rows_appear_in_an_open_journal(browser: Browser, page: Page, books: Books) -> None:
    await books.alive()
    async with tab_at(browser, page.url + "/journal?kind=note") as tab:
        await books.thought("Not of this kind.")
        await books.journal.write("note", {"text": "Of this kind."})
        await expect(tab.locator("#rows .line")).to_have_text(["Of this kind."])
        await tab.locator("#q").fill("nothing like it")
        await tab.locator("#q").press("Enter")
        await expect(tab.locator("#no-rows")).to_be_visible()


@pytest.mark.parametrize("width", [360, 1280])
async def test_no_page_is_wider_than_its_screen(browser: Browser, page: Page, books: Books, width: int) -> None:
    await books.alive()
    await books.thought("x" * 400, name="a/" + "very-long-model-name-" * 8)
    await books.spend("0.01", model="a/" + "very-long-model-name-" * 8)
    await books.journal.write("note", {"text": "y" * 300})
    async with tab_at(browser, page.url, viewport={"width": width, "height": 740}) as tab:
        for address in ("/", "/journal", "/budget", "/lives", "/about", "/docs"):
            await tab.goto(page.url + address)
            assert await tab.evaluate("document.documentElement.scrollWidth") <= width, address


async def test_light_and_dark_follow_the_system_until_the_switch_is_used(
    browser: Browser, page: Page, books: Books
) -> None:
    await books.alive()
    papers = {"light": "rgb(250, 247, 240)", "dark": "rgb(20, 19, 16)"}
    for system, other in (("light", "dark"), ("dark", "light")):
        async with tab_at(browser, page.url, color_scheme=system) as tab:
            assert await colour(tab) == papers[system]
            await tab.get_by_role("button", name=f"Change to {other}").click()
            assert await colour(tab) == papers[other]
            await tab.goto(page.url + "/about")
            assert await colour(tab) == papers[other]


async def test_nothing_moves_for_who_asked_for_stillness(browser: Browser, page: Page, books: Books) -> None:
    await books.alive()
    async with tab_at(browser, page.url) as tab:
        await books.draft("All at once, however long the sentence is that has been written until now.")
        await expect(thought(tab)).to_contain_text("until now.")
        moving = "document.getAnimations().filter((one) => one.playState === 'running').length"
        assert await tab.evaluate(moving) == 0


async def test_a_page_whose_server_is_gone_says_so_and_keeps_what_it_showed(
    browser: Browser, page: Page, books: Books
) -> None:
    await books.alive()
    await books.thought("Still here.")
    context = await browser.new_context()
    tab = await context.new_page()  # its console may speak of the lost connection
    await tab.clock.install()
    await tab.goto(page.url)
    page.stop.set()
    await page.ended
    await tab.clock.run_for(20_000)
    await expect(tab.locator("#word")).to_have_text("out of sight")
    await expect(thought(tab)).to_have_text("Still here.")
    await context.close()

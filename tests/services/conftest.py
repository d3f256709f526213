"""A real browser, and visitors of the page in it."""

from collections.abc import Callable, Iterator

import pytest
from served_page import CHROMIUM, Site


@pytest.fixture(scope="module")
def browser() -> Iterator:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        microphone = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        yield playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required", *microphone]
        )


@pytest.fixture
def visit(browser) -> Iterator[Callable]:
    """Open the page as a new visitor; whatever happens there, nothing is asked of another machine."""
    contexts, foreign, broken = [], [], []

    def visit(site: Site, width: int = 1280, height: int = 800, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30000)
        page.on("request", lambda r: r.url.startswith((site.url, "data:", "blob:")) or foreign.append(r.url))
        page.on("websocket", lambda socket: foreign.append(socket.url))
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.goto(site.url)
        page.wait_for_function("document.querySelector('#network input')?.value || document.querySelector('#notice p')")
        return page

    yield visit
    for context in contexts:
        context.close()
    assert not foreign, "asked of another machine"
    assert not broken, "errors in the page's script"

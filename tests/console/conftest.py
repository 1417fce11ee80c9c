"""A real Chromium, and a page of it that is logged in and fails the test for every error it reports."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial

import pytest

__all__ = ["connected", "dosing", "press"]

playwright = pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
from console_plant import connected, dosing, press  # noqa: E402 - it needs what may not be installed

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 30_000
"""Milliseconds that a page may take on a busy machine; every wait ends as soon as its condition holds."""


@pytest.fixture(scope="module")
def flags() -> list[str]:
    """What a module's Chromium is started with besides."""
    return []


@pytest.fixture(scope="module")
def chromium(flags) -> Iterator[playwright.Browser]:
    """The system's Chromium where there is one, else the one that playwright brings."""
    found = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
    with playwright.sync_playwright() as runner:
        try:
            browser = runner.chromium.launch(executable_path=found, args=[*FLAGS, *flags])
        except playwright.Error as error:
            pytest.skip(f"no Chromium can be started: {error.message.splitlines()[0]}")
        yield browser
        browser.close()


class Visit:
    """One person's browser: a context of its own, and what went wrong in it."""

    def __init__(self, browser: playwright.Browser, url: str, **options: object) -> None:
        settings = {"viewport": {"width": 1280, "height": 800}, "locale": "en-US", "accept_downloads": True, **options}
        self.context = browser.new_context(base_url=url, **settings)
        self.context.set_default_timeout(PATIENCE)
        playwright.expect.set_options(timeout=PATIENCE)
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._heard)

    def _heard(self, message: playwright.ConsoleMessage) -> None:
        if "Content Security Policy" in message.text or "Content-Security-Policy" in message.text:
            self.errors.append(message.text)

    def login(self, user: str, password: str, *, chosen: str = "") -> playwright.Page:
        """By name and password. ``chosen`` is the password that a new user takes at the first login."""
        self.page.goto("/")
        self.page.get_by_label("User").fill(user)
        self.page.locator("input[name=password]").fill(password)
        self.page.get_by_role("button", name="Log in").click()
        if chosen:
            fields = self.page.locator("input[autocomplete=new-password]")
            fields.nth(0).fill(chosen)
            fields.nth(1).fill(chosen)
            self.page.get_by_role("button", name="Change the password").click()
        return self.overview()

    def admit(self, cookies: list[dict[str, object]]) -> playwright.Page:
        """With what an earlier login left in a browser."""
        self.context.add_cookies(cookies)
        self.page.goto("/")
        return self.overview()

    def overview(self) -> playwright.Page:
        playwright.expect(self.page.get_by_role("heading", name="Overview", level=1)).to_be_visible()
        return self.page


@pytest.fixture(scope="module")
def visiting(chromium, platform) -> Callable[..., Visit]:
    """Makes visits that last as long as their maker wants; who makes one closes its context and looks at its errors."""
    return partial(Visit, chromium, platform.url)


@pytest.fixture
def visit(chromium, platform) -> Iterator[Visit]:
    """A visit that nobody has logged in to yet."""
    visit = Visit(chromium, platform.url)
    yield visit
    visit.context.close()
    assert visit.errors == []


@pytest.fixture
def another(chromium, platform) -> Iterator[Visit]:
    """A visit of somebody else, at the same time."""
    visit = Visit(chromium, platform.url)
    yield visit
    visit.context.close()
    assert visit.errors == []


@pytest.fixture(scope="module")
def admitted(visiting, platform) -> list[dict[str, object]]:
    """The cookies of one login of the administrator: each costs the platform a second, and a module has many visits."""
    visit = visiting()
    visit.login(platform.user, platform.password)
    cookies = visit.context.cookies()
    visit.context.close()
    return cookies


@pytest.fixture
def page(visit, admitted) -> playwright.Page:
    """A page of the administrator, on the overview."""
    return visit.admit(admitted)


@pytest.fixture
def phone(chromium, platform, admitted) -> Iterator[playwright.Page]:
    """The same on a telephone of 360 pixels."""
    visit = Visit(
        chromium,
        platform.url,
        viewport={"width": 360, "height": 760},
        device_scale_factor=2,
        has_touch=True,
        is_mobile=True,
    )
    yield visit.admit(admitted)
    visit.context.close()
    assert visit.errors == []

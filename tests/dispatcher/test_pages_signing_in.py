"""Who may see pages: signing in and out, and what one session may be used for."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from dispatcher.api.rate_limits import Limits, Rate
from dispatcher.api.scopes import Scope
from dispatcher.api.sessions import SESSION_MS
from dispatcher.pages.refusals import way_back
from dispatcher.pages.static_files import static_files
from tests.dispatcher.api_client import EXPIRED_TOKEN, OTHER_TOKEN, token_of
from tests.dispatcher.page_client import FROM_OUR_PAGE, WANTS_PAGES, Browser, running_browser

BACKENDS = ("sqlite",)  # nothing here asks the database


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    async with running_browser() as browser:
        yield browser


async def test_who_has_not_signed_in_is_led_to_the_sign_in_and_then_to_the_page_that_was_asked_for(
    browser: Browser,
) -> None:
    shown = await browser.open("/incidents")
    assert (shown.status_code, shown.url.path) == (200, "/sign-in")
    shown = await browser.sign_in()
    assert shown.url.path == "/incidents"


async def test_a_program_is_told_as_ever(browser: Browser) -> None:
    answer = await browser.http.get("/")
    assert (answer.status_code, answer.json()["reason"]) == (401, "missing_token")
    answer = await browser.http.get("/api/v1/stations", headers=WANTS_PAGES)
    assert (answer.status_code, answer.json()["reason"]) == (401, "missing_token")


@pytest.mark.parametrize(
    ("token", "says"), [("nobody's", "not known"), (EXPIRED_TOKEN, "has expired"), ("", "not")]
)
async def test_a_wrong_token_opens_no_session_and_is_not_repeated(browser: Browser, token: str, says: str) -> None:
    answer = await browser.sign_in(token)
    assert answer.status_code == 401
    assert says in answer.text
    assert not token or token not in answer.text
    assert not browser.http.cookies


async def test_a_session_is_a_cookie_that_no_script_reads_and_no_other_site_uses(browser: Browser) -> None:
    answer = await browser.http.post("/sign-in", data={"token": OTHER_TOKEN}, headers=FROM_OUR_PAGE)
    cookie = next(each for each in answer.headers.get_list("set-cookie") if "carshare-session" in each)
    assert cookie.startswith("carshare-session=")
    assert {"HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert OTHER_TOKEN not in cookie


async def test_over_tls_the_cookie_is_held_to_tls_and_to_this_host(browser: Browser) -> None:
    browser.http.base_url = "https://api"
    answer = await browser.http.post("/sign-in", data={"token": OTHER_TOKEN}, headers=FROM_OUR_PAGE)
    cookie = next(each for each in answer.headers.get_list("set-cookie") if "carshare-session" in each)
    assert cookie.startswith("__Host-carshare-session=")
    assert "Secure" in cookie.split("; ")
    assert (await browser.open("/")).url.path == "/"


async def test_a_session_may_what_its_token_may_and_nothing_else(browser: Browser) -> None:
    await browser.sign_in(token_of(Scope.BOOKINGS_READ))
    refused = await browser.open("/")
    assert (refused.status_code, "may not do this" in refused.text) == (403, True)
    assert (await browser.http.get("/api/v1/bookings")).status_code == 200
    assert (await browser.http.get("/api/v1/incidents")).json()["reason"] == "insufficient_scope"


async def test_the_author_of_what_a_page_does_is_the_tokens_name(browser: Browser) -> None:
    await browser.sign_in()
    answer = await browser.call(
        "/blocks", {"vehicle_id": "v-city-1", "kind": "cleaning", "start": "2026-10-04T11:00:00Z"}
    )
    assert (answer.status_code, answer.json()["author"]) == (201, "api/operators")


async def test_a_session_ends_after_twelve_hours(browser: Browser) -> None:
    await browser.sign_in()
    browser.api.clock.at_ms += SESSION_MS - 1
    assert (await browser.open("/")).url.path == "/"
    browser.api.clock.at_ms += 1
    assert (await browser.open("/")).url.path == "/sign-in"


async def test_signing_out_takes_the_session_from_the_browser(browser: Browser) -> None:
    await browser.sign_in()
    answer = await browser.http.post("/sign-out", headers=FROM_OUR_PAGE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
    assert (await browser.open("/")).url.path == "/sign-in"


# --- requests that another site makes a browser send


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({"sec-fetch-site": "cross-site"}, "foreign_origin"),
        ({"sec-fetch-site": "same-site", "origin": "http://api"}, "foreign_origin"),
        ({"sec-fetch-site": "none"}, "foreign_origin"),
        ({"origin": "http://elsewhere"}, "foreign_origin"),
        ({"origin": "https://api"}, "foreign_origin"),
        ({}, "foreign_origin"),
        ({"sec-fetch-site": "same-origin", "x-csrf-token": ""}, "wrong_csrf_token"),
        ({"sec-fetch-site": "same-origin", "x-csrf-token": "0" * 32}, "wrong_csrf_token"),
        ({"origin": "http://api"}, "not_found"),
        ({"sec-fetch-site": "same-origin"}, "not_found"),
    ],
)
async def test_a_change_by_cookie_needs_our_origin_and_the_sessions_secret(
    browser: Browser, headers: dict[str, str], reason: str
) -> None:
    await browser.sign_in()
    sent = {"x-csrf-token": await browser.csrf(), **headers}
    answer = await browser.http.post("/api/v1/incidents/none/acknowledge", headers=sent)
    assert answer.json()["reason"] == reason


async def test_a_token_in_a_header_needs_neither(browser: Browser) -> None:
    headers = {"authorization": f"Bearer {OTHER_TOKEN}", "sec-fetch-site": "cross-site"}
    answer = await browser.http.post("/api/v1/incidents/none/acknowledge", headers=headers)
    assert answer.json()["reason"] == "not_found"


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out", "/preferences"])
async def test_no_other_site_signs_anybody_in_or_out(browser: Browser, path: str) -> None:
    headers = {"sec-fetch-site": "cross-site"}
    answer = await browser.http.post(path, data={"token": OTHER_TOKEN, "theme": "dark"}, headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == (403, "foreign_origin")
    assert not answer.headers.get_list("set-cookie")


async def test_a_link_in_a_message_leads_past_the_sign_in_once_a_page_of_ours_asks(browser: Browser) -> None:
    await browser.sign_in()
    session = dict(browser.http.cookies)
    browser.http.cookies.clear()  # a strict cookie does not come with a request that another site began
    first = await browser.open("/", **{"sec-fetch-site": "cross-site"})
    assert (first.url.path, 'http-equiv="refresh"' in first.text) == ("/", True)
    browser.http.cookies.update(session)
    second = await browser.open("/", **{"sec-fetch-site": "same-origin"})
    assert (second.url.path, second.status_code) == ("/", 200)


@pytest.mark.parametrize(
    ("asked", "to"),
    [
        (None, "/"),
        ("/", "/"),
        ("/incidents/AbC-_9", "/incidents/AbC-_9"),
        ("//elsewhere", "/"),
        ("/\\elsewhere", "/"),
        ("https://elsewhere/", "/"),
        ("/a?b", "/"),
        ("/" + "a" * 400, "/"),
    ],
)
def test_the_way_back_leads_to_a_page_of_ours(asked: str | None, to: str) -> None:
    assert way_back(asked) == to


async def test_guessing_tokens_is_slowed_down_as_for_any_stranger() -> None:
    async with running_browser(Limits(Rate(1, 1000), Rate(1, 3))) as browser:
        statuses = [(await browser.sign_in("a guess")).status_code for _ in range(5)]
        assert statuses == [401, 401, 401, 429, 429]


# --- what every answer carries


@pytest.mark.parametrize("path", ["/sign-in", "/", "/api/v1/stations", "/nothing"])
async def test_every_answer_forbids_what_no_page_of_ours_does(browser: Browser, path: str) -> None:
    answer = await browser.http.get(path, headers=WANTS_PAGES)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers.get_list("cache-control") == ["no-store"]


async def test_files_are_kept_for_a_year_under_the_digest_of_their_content(browser: Browser) -> None:
    path = static_files().address("pages.css")
    answer = await browser.http.get(path)
    assert answer.headers.get_list("cache-control") == ["public, max-age=31536000, immutable"]
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert path in (await browser.open("/sign-in")).text
    assert (await browser.http.get("/static/000000000000/pages.css")).status_code == 404


async def test_language_and_theme_are_chosen_and_kept(browser: Browser) -> None:
    assert '<html lang="fr">' in (await browser.open("/sign-in", **{"accept-language": "de, fr;q=0.5"})).text
    assert '<html lang="en">' in (await browser.open("/sign-in")).text
    form = {"language": "fr", "theme": "dark", "back": "/sign-in"}
    await browser.http.post("/preferences", data=form, headers=FROM_OUR_PAGE)
    assert '<html lang="fr" data-theme="dark">' in (await browser.open("/sign-in")).text
    await browser.http.post("/preferences", data={"language": "xx", "theme": "pink"}, headers=FROM_OUR_PAGE)
    assert '<html lang="fr" data-theme="dark">' in (await browser.open("/sign-in")).text

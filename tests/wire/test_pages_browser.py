"""The operators' pages in a real browser, before a dispatcher at work: what a person does at two in the morning."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from dispatcher.core.incidents import IncidentKind
from dispatcher.core.windows import HOUR_MS, round_up, utc_text
from simulator.world.demand import MORNING_MS
from tests.wire.pages_bench import CABINET, STATION, STATIONS, Bench, live, running_bench

SOON_MS = 1000.0  # from a fact to the eye
SERIOUS = {"serious", "critical"}
expect.set_options(timeout=20_000)  # on a machine that others use; how soon is measured where it matters
pytestmark = pytest.mark.xdist_group("pages in a browser")  # one demo and one browser for all of them


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with running_bench(tmp_path_factory.mktemp("pages"), STATIONS, 1, "--nobody") as bench:
        yield bench


@pytest.fixture(autouse=True)
def _no_complaints(bench: Bench) -> Iterator[None]:
    """Neither an error of a script nor anything that the content security policy stopped."""
    bench.complaints.clear()
    yield
    assert bench.complaints == []


def strip(page: Page, title: str) -> Any:
    return page.locator(".strip").filter(has=page.get_by_role("heading", name=title))


def test_an_incident_appears_while_one_looks_is_acknowledged_once_and_goes_when_it_is_over(bench: Bench) -> None:
    with bench.context() as context:
        page = context.pages[0]
        expect(strip(page, "Mains lost")).to_have_count(0)
        before = page.evaluate("performance.now()")
        bench.wrong(IncidentKind.MAINS_LOST)
        strip(page, "Mains lost").wait_for()
        assert page.evaluate("performance.now()") - before < 2 * SOON_MS  # of a loaded machine, too
        asked: list[str] = []
        page.on("request", lambda sent: asked.append(sent.url) if sent.method == "POST" else None)
        strip(page, "Mains lost").get_by_role("button", name="Acknowledge").dblclick()
        expect(strip(page, "Mains lost")).to_contain_text("seen by first")
        assert len([url for url in asked if url.endswith("/acknowledge")]) == 1
        bench.well(IncidentKind.MAINS_LOST)
        expect(strip(page, "Mains lost")).to_have_count(0)


def test_what_is_being_written_and_looked_at_stays_while_the_page_changes_around_it(bench: Bench) -> None:
    bench.wrong(IncidentKind.CABINET_TAMPERED)
    with bench.context() as context:
        page = context.pages[0]
        tampered = strip(page, "Cabinet's housing open")
        tampered.locator("summary").click()
        tampered.get_by_role("link", name="Cabinet's housing open").click()
        live(page)
        page.get_by_label("Comment").fill("the caretaker is on the way")
        page.get_by_label("Comment").evaluate("field => field.setSelectionRange(4, 13)")
        page.get_by_label("Comment").focus()
        bench.well(IncidentKind.CABINET_TAMPERED)
        expect(page.locator(".closed")).to_be_visible()
        field = page.get_by_label("Comment")
        expect(field).to_have_value("the caretaker is on the way")
        expect(field).to_be_focused()
        assert field.evaluate("field => [field.selectionStart, field.selectionEnd]") == [4, 13]
        page.get_by_role("button", name="Write").click()
        expect(page.locator("#history")).to_contain_text("the caretaker is on the way")
        expect(field).to_have_value("")


def test_a_page_says_that_it_is_not_live_while_it_is_cut_off_and_is_true_again_after(bench: Bench) -> None:
    with bench.context() as context:
        page = context.pages[0]
        context.set_offline(True)
        page.locator("#live[data-state=lost]").wait_for()
        expect(page.locator("#live")).to_contain_text("Not live since")
        bench.wrong(IncidentKind.BATTERY_LOW)
        expect(strip(page, "Cabinet's battery low")).to_have_count(0)
        context.set_offline(False)
        live(page)
        strip(page, "Cabinet's battery low").wait_for()
        bench.well(IncidentKind.BATTERY_LOW)
        bench.complaints.clear()  # the browser names each request that failed


def test_language_and_theme_are_switched_and_kept(bench: Bench) -> None:
    with bench.context() as context:
        page = context.pages[0]
        page.locator("#preferences summary").click()
        page.get_by_role("button", name="Français").click()
        expect(page.locator("#incidents-title")).to_have_text("Anomalies")
        page.locator("#preferences summary").click()
        page.get_by_role("button", name="Sombre").click()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        page.locator("#preferences summary").click()
        page.get_by_role("button", name="Se déconnecter").click()
        expect(page.get_by_role("heading", name="Se connecter")).to_be_visible()


def test_the_keyboard_reaches_the_content_first_and_every_button_after(bench: Bench) -> None:
    with bench.context() as context:
        page = context.pages[0]
        page.locator("body").press("Tab")
        expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "content"


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.long)])
def test_axe_finds_nothing_serious_on_any_page(bench: Bench, scheme: str) -> None:
    bench.wrong(IncidentKind.DEVICE_LOST)
    bench.wrong(IncidentKind.MAINS_LOST)
    bench.wrong(IncidentKind.VEHICLE_HANDED_BACK)
    with bench.context(signed_in=False, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto("/sign-in")
        found = {"/sign-in": serious(page)}
        bench.sign_in(page)
        found["/"] = serious(page)
        page.goto("/incidents")
        found["/incidents"] = serious(page)
        page.locator("#open th a").first.click()
        live(page)
        found["/incidents/{id}"] = serious(page)
        page.goto(f"/stations/{STATION}")
        found["/stations/{id}"] = serious(page)
        page.locator(".slot .car a").first.click()
        live(page)
        found["/vehicles/{id}"] = serious(page)
        page.goto("/caller")
        found["/caller"] = serious(page)
        page.goto(f"/caller/{book(bench)[0]['id']}")
        live(page)
        found["/caller/{id}"] = serious(page)
    assert {path: some for path, some in found.items() if some} == {}


def serious(page: Page) -> list[str]:
    violations = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {node['target']} {node.get('failureSummary', '')}"
        for each in violations
        if each["impact"] in SERIOUS
        for node in each["nodes"][:3]
    ]


def test_nothing_is_wider_than_a_phone(bench: Bench) -> None:
    with bench.context(viewport={"width": 360, "height": 740}) as context:
        page = context.pages[0]
        for path in ("/", "/incidents", f"/stations/{STATION}"):
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, path


def test_a_slot_is_opened_from_the_page_of_its_station_with_a_reason(bench: Bench) -> None:
    with bench.context() as context:
        page = context.pages[0]
        page.goto(f"/stations/{STATION}")
        live(page)
        form = page.locator(f"#release-{CABINET}")
        form.get_by_label("Slot").select_option("1")
        form.get_by_role("button", name="Open now").click()  # the reason is lacking: the browser asks for it
        expect(form.locator("output")).to_be_empty()
        form.get_by_label("Reason").fill("the member stands there, known by their voice")
        form.get_by_role("button", name="Open now").click()
        expect(form.locator("output")).to_have_text("The box opened the slot.", timeout=15_000)
    bench.pull("close 1")  # a box opens one slot after the other


def test_the_board_shows_each_cabinet_slot_by_slot(bench: Bench) -> None:
    with bench.context() as context:
        slots = context.pages[0].locator(f"#cabinet-{CABINET} .slot")
        expect(slots).to_have_count(8)
        expect(slots.first).to_contain_text("Lilas 001")


def test_a_page_whose_session_has_ended_says_so_and_leads_to_the_sign_in(bench: Bench) -> None:
    with bench.context() as context:
        page = context.pages[0]
        context.clear_cookies()
        bench.wrong(IncidentKind.READER_TAMPERED, f"{CABINET}/reader")
        expect(page.locator("#live")).to_contain_text("Signed out: sign in again")
        page.get_by_role("link", name="Signed out: sign in again").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        bench.complaints.clear()  # the browser names the request that was refused


# --- a member is on the phone


def book(bench: Bench) -> tuple[Any, Any]:
    """Somebody whose name is nobody else's books a car of the cabinet; who it is, and the booking."""
    made = bench.ask("/bookings?limit=200")["items"]
    booked = {each["member_id"] for each in made}
    known = bench.ask("/members/search", {"standing": "active", "limit": 200})["items"]
    member = next(
        each
        for each in known
        if each["id"] not in booked and len(bench.ask("/members/search", {"name": each["name"]})["items"]) == 1
    )
    start_ms = round_up(MORNING_MS, HOUR_MS) + (2 + len(made)) * HOUR_MS  # the four cars are free again
    window = {"start": utc_text(start_ms), "end": utc_text(start_ms + HOUR_MS)}
    query = f"from={window['start']}&until={window['end']}&station={STATION}"
    free = bench.ask(f"/availability?{query}")["free"][0]["vehicle_id"]
    body = {"member_id": member["id"], "vehicle_id": free, "accept_unreachable": True, **window}
    return member, bench.ask("/bookings", body)


def identify(page: Page, reason: str) -> None:
    page.get_by_label("I have made sure who is calling").press("Space")
    page.get_by_label("Reason").fill(reason)


def test_a_caller_is_found_by_name_and_the_slot_opens_once_the_identity_is_checked_and_why_is_said(
    bench: Bench,
) -> None:
    member, booking = book(bench)
    with bench.context() as context:
        page = context.pages[0]
        page.goto("/caller")
        live(page)
        page.locator("#sought").fill(member["name"])
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/caller/{member['id']}")
        live(page)
        expect(page.locator("#right")).to_have_attribute("data-grant", "on_box")
        release = page.get_by_role("button", name="Open the slot")
        expect(release).to_be_disabled()
        identify(page, "ok")
        expect(release).to_be_disabled()
        page.get_by_label("Reason").fill("badge broken")
        release.press("Enter")
        expect(page.locator("#release output")).to_have_text("The box opened the slot.", timeout=15_000)
        expect(page.locator("#told")).to_contain_text("opened by an operator's order")
        expect(page.locator("#code")).to_be_hidden()
    given = bench.ask(f"/cabinets/{CABINET}/commands?limit=200")["items"][-1]
    assert (given["booking_id"], given["reason"]) == (booking["id"], "identity checked on the phone: badge broken")


def test_another_car_is_given_and_the_page_says_when_the_right_is_on_its_box(bench: Bench) -> None:
    member, booking = book(bench)
    with bench.context() as context:
        page = context.pages[0]
        page.goto(f"/caller/{member['id']}?booking={booking['id']}")
        live(page)
        identify(page, "scratched mirror")
        other = page.locator("#others form").first
        car = other.locator("strong").inner_text()
        other.get_by_role("button").press("Enter")
        expect(page.locator("#outcome")).to_contain_text("Given.")
        expect(page.locator("#who .facts")).to_contain_text(car)
        expect(page.locator("#right")).to_have_attribute("data-grant", "on_box")
    history = bench.ask(f"/bookings/{booking['id']}/history")["items"]
    assert history[-1]["detail"]["reason"] == "identity checked on the phone: scratched mirror"


def test_where_the_box_is_cut_off_a_code_is_offered_and_shown_in_two_groups(bench: Bench) -> None:
    member, _ = book(bench)
    bench.pull("cut-network")
    try:
        with bench.context() as context:
            page = context.pages[0]
            page.goto(f"/caller/{member['id']}")
            live(page)
            identify(page, "no network")
            page.get_by_role("button", name="Open the slot").press("Enter")
            page.get_by_role("button", name="Make a code").click(timeout=20_000)
            expect(page.locator("#digits")).to_contain_text(re.compile(r"^\d{4} \d{4} valid until \d\d:\d\d$"))
    finally:
        bench.pull("mend-network")

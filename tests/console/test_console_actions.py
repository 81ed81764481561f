"""What is done in the console, by mouse and by keyboard alone, and what the server makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.console.browsing import Browsing, axe
from tests.console.world import SLOWLY

pytestmark = pytest.mark.browser
MOST_TABS = 80


def tab_to(page: Any, name: str) -> None:
    """Press Tab until the element of this name has the focus."""
    for _ in range(MOST_TABS):
        page.keyboard.press("Tab")
        shown = page.evaluate(
            "document.activeElement.ariaLabel ?? document.activeElement.innerText ?? ''"
        )
        if shown.strip().startswith(name):
            return
    raise AssertionError(f"no way by Tab to {name}")


def state_of(browsing: Browsing, record_id: str) -> str:
    found: str = browsing.served.ask("GET", f"/v1/memory/records/{record_id}")["state"]
    return found


def records(browsing: Browsing, state: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = browsing.served.ask("GET", f"/v1/memory/records?state={state}")[
        "data"
    ]
    return found


def test_views_are_come_to_by_keyboard_alone(browsing: Browsing) -> None:
    with browsing.page() as watched:
        page = watched.page
        browsing.go(watched, "live")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.innerText") == "Skip to the content"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        browsing.go(watched, "live")
        tab_to(page, "Memory")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Memory", level=1).wait_for()
        assert page.evaluate("document.activeElement.tagName") == "H1"
        tab_to(page, "Review")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Review", level=1).wait_for()


def test_the_menu_of_a_phone_opens_by_keyboard(browsing: Browsing) -> None:
    with browsing.page(viewport={"width": 360, "height": 740}) as watched:
        page = watched.page
        browsing.go(watched, "live")
        menu = page.get_by_role("button", name="Menu")
        assert not page.get_by_role("link", name="Ledger").is_visible()
        menu.focus()
        page.keyboard.press("Enter")
        assert menu.get_attribute("aria-expanded") == "true"
        assert axe(page) == []
        tab_to(page, "Ledger")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Ledger", level=1).wait_for()
        assert menu.get_attribute("aria-expanded") == "false"


def test_a_queue_is_reviewed_by_keyboard_alone(browsing: Browsing) -> None:
    first, second, third, fourth = (each["id"] for each in records(browsing, "pending")[:4])
    with browsing.page() as watched:
        page = watched.page
        browsing.go(watched, "review")
        tab_to(page, "Records to review")
        page.keyboard.press("a")
        page.get_by_role("status").get_by_text("The record is active.").wait_for()
        page.locator(f"#row-{first}").wait_for(state="detached")
        assert state_of(browsing, first) == "active"
        page.keyboard.press("ArrowDown")
        page.keyboard.press("q")
        page.locator(f"#row-{third}").wait_for(state="detached")
        assert state_of(browsing, third) == "quarantined"
        page.locator(f"#row-{fourth}").click()
        page.get_by_role("listbox").focus()
        page.keyboard.press("r")
        page.get_by_role("dialog").wait_for()
        page.keyboard.press("Escape")
        page.get_by_role("dialog").wait_for(state="detached")
        page.locator("ul[role=listbox]:focus").wait_for()  # the focus comes back
        page.keyboard.press("r")
        page.get_by_role("dialog").wait_for()  # the page behind it has a button of that name
        tab_to(page, "Reject")
        page.keyboard.press("Enter")
        page.locator(f"#row-{fourth}").wait_for(state="detached")
        assert state_of(browsing, fourth) == "expired"
        assert state_of(browsing, second) == "pending"
        assert watched.complaints == []


def test_a_record_is_edited_and_a_refusal_is_shown_where_it_was_asked(browsing: Browsing) -> None:
    record = records(browsing, "active")[0]
    with browsing.page() as watched:
        page = watched.page
        browsing.go(watched, f"memory/{record['id']}")
        page.get_by_role("button", name="Edit").click()
        dialog = page.get_by_role("dialog")
        assert axe(page) == []
        dialog.get_by_label("Answer", exact=True).fill("77")
        dialog.get_by_label("Solution").fill("It is 78.\n#### 78")
        dialog.get_by_role("button", name="Save").click()
        dialog.get_by_role("alert").wait_for()
        dialog.get_by_label("Solution").fill("It is 77.\n#### 77")
        dialog.get_by_role("button", name="Save").click()
        dialog.wait_for(state="detached")
        page.locator(".big-answer", has_text="77").wait_for()
        found = browsing.served.ask("GET", f"/v1/memory/records/{record['id']}")
        assert (found["answer"], found["rationale"]) == ("77", "It is 77.\n#### 77")


def test_of_two_contradicting_answers_one_is_kept(browsing: Browsing) -> None:
    with browsing.page() as watched:
        page = watched.page
        browsing.go(watched, "review?tab=contradictions")
        card = page.locator("section.card").first
        question = card.locator("h2").inner_text()
        kept = card.locator(".side .big-answer").nth(1).inner_text()
        card.get_by_role("button", name="Keep this answer").nth(1).click()
        page.get_by_role("dialog").get_by_role("button", name="Keep this answer").click()
        page.get_by_role("heading", name=question).wait_for(state="detached")
        found = browsing.served.ask("GET", "/v1/memory/records", params={"q": question})["data"]
        assert {each["state"]: each["answer"] for each in found}["active"] == kept
        assert sorted(each["state"] for each in found) == ["active", "expired"]


def test_votes_are_seen_as_they_fall(browsing: Browsing) -> None:
    """In the playground that asks, and in the live view that watches."""
    story = browsing.served.ask("GET", "/v1/traces?limit=1")["data"][0]["question"]
    with browsing.page() as watching, browsing.page() as asking:
        browsing.go(watching, "live")
        watching.page.get_by_text("Watching").wait_for()
        browsing.go(asking, "playground")
        page = asking.page
        page.get_by_label("Question").fill(f"{SLOWLY} {story}")
        page.get_by_label("plain").uncheck()
        page.get_by_label("auto").uncheck()
        page.get_by_label("Question").press("Control+Enter")
        seen = watching.page.locator(".request[data-running=true]").filter(has_text=SLOWLY)
        seen.locator(".votes li").first.wait_for()
        assert seen.locator(".dots i").count() >= 2
        page.locator(".outcome .votes li").first.wait_for()
        page.get_by_role("link", name="Show the trace").wait_for(timeout=60_000)
        answer = page.locator(".outcome .big-answer").inner_text()
        ended = watching.page.locator(".request[data-running=false]").filter(has_text=SLOWLY)
        ended.locator(".votes .leader", has_text=answer).wait_for()
        assert axe(page) == []
        page.get_by_role("button", name="It is right").click()
        page.get_by_role("link", name="Show the record").wait_for()
        page.get_by_role("link", name="Show the trace").click()
        page.get_by_role("heading", name="Trace", level=1).wait_for()
        assert watching.complaints == asking.complaints == []


def test_a_version_is_promoted_and_rolled_back_when_it_is_confirmed(browsing: Browsing) -> None:
    def champion() -> int:
        versions = browsing.served.ask("GET", "/v1/adapters")["data"]
        found: int = next(v["number"] for v in versions if "champion" in v["aliases"])
        return found

    with browsing.page() as watched:
        page = watched.page
        browsing.go(watched, "adapters")
        page.get_by_role("link", name="Generation 2", exact=True).click()
        page.get_by_role("button", name="Promote").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("button", name="Cancel").click()
        dialog.wait_for(state="detached")
        assert champion() == 6
        page.get_by_role("button", name="Promote").click()
        dialog.get_by_role("button", name="Promote").click()
        dialog.wait_for(state="detached")
        assert champion() == 2
        browsing.go(watched, "adapters")
        page.get_by_role("heading", name="Generation 2 is served").wait_for()
        page.get_by_role("button", name="Roll back").click()
        dialog.get_by_role("button", name="Roll back").click()
        page.get_by_role("heading", name="Generation 6 is served").wait_for()
        assert champion() == 6


def test_whoever_may_approve_of_a_version_may_reject_it(browsing: Browsing) -> None:
    with browsing.page() as watched:
        page = watched.page
        browsing.go(watched, "adapters")
        page.get_by_role("link", name="Generation 7", exact=True).click()
        page.get_by_role("button", name="Approve").wait_for()
        page.get_by_role("button", name="Reject").click()
        dialog = page.get_by_role("dialog", name="Reject the version?")
        dialog.get_by_role("button", name="Cancel").click()  # the others look at it, too
        dialog.wait_for(state="detached")
        page.get_by_role("link", name="Adapters").first.click()
        page.get_by_role("link", name="Generation 6", exact=True).click()
        page.get_by_role("heading", name="Generation 6").wait_for()
        assert page.get_by_role("button", name="Reject").count() == 0


def test_a_key_is_shown_once_and_revoked(browsing: Browsing) -> None:
    with browsing.page() as watched:
        page = watched.page
        browsing.go(watched, "access")
        page.get_by_role("button", name="Make a key").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Name").fill("a phone")
        dialog.get_by_role("button", name="Make").click()
        secret = dialog.locator(".secret").inner_text()
        assert secret.startswith("whet-")
        page.keyboard.press("Escape")
        assert dialog.locator(".secret").is_visible(), "it is not lost by a slip"
        dialog.get_by_role("button", name="I have copied it").click()
        row = page.get_by_role("row").filter(has_text="a phone")
        row.get_by_text("valid").wait_for()
        assert secret not in page.content()
        row.get_by_role("button", name="Revoke").click()
        dialog.get_by_role("button", name="Revoke").click()
        row.get_by_text("revoked").wait_for()


def test_a_job_is_cancelled_when_it_is_confirmed(browsing: Browsing) -> None:
    job = browsing.served.ask("GET", "/v1/jobs?kind=reindex")["data"][0]
    assert job["status"] == "queued"
    with browsing.page() as watched:
        page = watched.page
        _hold_the_log(page, f"**/v1/jobs/{job['id']}")
        browsing.go(watched, f"jobs/{job['id']}")
        page.get_by_role("button", name="Cancel").click()
        page.get_by_role("dialog").get_by_role("button", name="Cancel the job").click()
        page.locator("main .badge", has_text="cancelled").first.wait_for()
        page.get_by_text("The job was cancelled").wait_for()
    shown = browsing.served.ask("GET", f"/v1/jobs/{job['id']}")
    assert shown["status"] == "cancelled"


def _hold_the_log(page: Any, path: str) -> None:
    """Have the log stay empty until the page is told that the job has ended."""
    ended, empty = list[bool](), {"object": "list", "data": [], "has_more": False}

    def tell(route: Any) -> None:
        response = route.fetch()
        ended.extend([True] if response.json()["status"] == "cancelled" else [])
        route.fulfill(response=response)

    def log(route: Any) -> None:
        if ended:
            route.continue_()
        else:
            route.fulfill(json=empty)

    page.route(path, tell)
    page.route(f"{path}/events?*", log)


def test_a_server_that_refuses_is_told_in_a_sentence(browsing: Browsing) -> None:
    with browsing.page() as watched:
        browsing.go(watched, "memory/rec_nobody")
        alert = watched.page.get_by_role("alert")
        alert.get_by_role("button", name="Try again").wait_for()
        assert "no record rec_nobody" in alert.inner_text()

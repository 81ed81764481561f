"""The console in a real browser, beside a real server: what it shows, to whom, and how."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from loadtests.measure.first_view import NOTE_CHANGES, first_view
from tests.console.browsing import NEWCOMER, Browsing, Served, Watched, axe

pytestmark = pytest.mark.browser

SHOWN: dict[str, tuple[str, ...]] = {
    "live": ("Under way", "Answered lately", "whet-pebble"),
    "traces": ("Agreement", "consistency", "best of n"),
    "playground": ("Strategies", "Settings"),
    "memory": ("How many", "executable", "quarantined"),
    "review": ("Doubted", "Most like it", "pending"),
    "review?tab=quarantined": ("quarantined",),
    "review?tab=contradictions": ("2 records answer this question", "Keep this answer"),
    "adapters": ("Generation 6 is served", "Generation 7", "rejected"),
    "learning": ("Right answers", "Guards lost", "Points an hour"),
    "ledger": ("Gained or lost", "Tokens a gain", "best_of_n"),
    "evaluations": ("Stories", "vote-4", "Totals", "15 of 20"),
    "jobs": ("Evaluate", "solving, 18 of 40", "the file holds no record"),
    "access": ("content team", "acme", "Requests a minute: 120"),
}
"""Of each view, what it shows of the server that was filled."""
ONE: dict[str, tuple[Callable[[Served], str], tuple[str, ...]]] = {
    "traces": (
        lambda served: _newest(served, "/v1/traces?strategy=ttt&limit=1"),
        ("Samples (", "Training", "Neighbours", "Course", "Cost", "Lineage"),
    ),
    "memory": (
        lambda served: _newest(served, "/v1/memory/records?state=pending&limit=1"),
        ("Standing", "Evidence", "Solution", "Lineage"),
    ),
    "adapters": (
        lambda served: _newest(served, "/v1/adapters"),
        ("Before and after", "Gate", "Guards", "Release", "it passed the gate"),
    ),
    "jobs": (
        lambda served: _newest(served, "/v1/jobs?kind=evaluate"),
        ("Log", "stories, consistency:", "Show the figures"),
    ),
    "evaluations": (lambda served: _run(served), ("Item 1", "Passed", "right")),
}
"""Of each view of one thing, which one, and what is shown of it."""
SCHEMES, WIDTHS = ("light", "dark"), (1280, 360)
TWO_FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"


def _newest(served: Served, path: str) -> str:
    found: str = served.ask("GET", path)["data"][0]["id"]
    return found


def _run(served: Served) -> str:
    found = _newest(served, "/v1/evals")
    return f"{found}%2F{_newest(served, f'/v1/evals/{found}/runs')}"


def require(watched: Watched, view: str, texts: tuple[str, ...]) -> None:
    """Check that texts are shown, and that the page is sound in both schemes at both widths."""
    page = watched.page
    main = page.locator("main")
    for text in texts:
        main.get_by_text(text).first.wait_for(state="attached")
    for scheme in SCHEMES:
        for width in WIDTHS:
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 800})
            page.evaluate(TWO_FRAMES)  # charts are drawn anew for the width
            root = "document.documentElement"
            wider = page.evaluate(f"{root}.scrollWidth - {root}.clientWidth")
            assert wider <= 0, f"{view} is wider than {width} px"
            assert axe(page) == [], f"{view}, {scheme}, {width} px"
    assert watched.complaints == []
    assert len(watched.hosts) == 1, "nothing is asked of another host"


@pytest.mark.parametrize("view", SHOWN)
def test_a_view_shows_what_there_is_soundly_in_both_schemes_on_desk_and_phone(
    browsing: Browsing, view: str
) -> None:
    with browsing.page() as watched:
        browsing.go(watched, view)
        require(watched, view, SHOWN[view])


@pytest.mark.parametrize("view", ONE)
def test_a_view_of_one_thing_shows_all_of_it_soundly(browsing: Browsing, view: str) -> None:
    find, texts = ONE[view]
    with browsing.page() as watched:
        browsing.go(watched, f"{view}/{find(browsing.served)}")
        require(watched, view, texts)


EMPTY = {
    "live": ("Nothing is being asked right now", "curl http://"),
    "traces": ("Nothing was asked yet", "playground"),
    "playground": ("No answer yet", "One sample, as any server would answer."),
    "memory": ("Memory is empty", "whet memory import FILE"),
    "review": ("Nothing waits for review", "come here"),
    "review?tab=contradictions": ("No answers contradict each other", "wait here for a decision"),
    "adapters": ("Nothing was distilled yet", "Begin a generation under"),
    "learning": ("No generation yet", "Begin one under"),
    "ledger": ("No answer was counted yet", "judged by verifiers"),
    "evaluations": ("Nothing was evaluated yet", "Press Evaluate"),
    "jobs": ("No job yet", "Distil what memory holds"),
}
"""Of each view, what it says to a tenant that has nothing: that, and what to do next."""


@pytest.mark.parametrize("view", EMPTY)
def test_a_view_without_anything_says_what_to_do_next(browsing: Browsing, view: str) -> None:
    with browsing.page(role=NEWCOMER) as watched:
        browsing.go(watched, view)
        require(watched, view, EMPTY[view])


def test_words_are_explained_to_whoever_has_a_keyboard_alone(browsing: Browsing) -> None:
    with browsing.page() as watched:
        browsing.go(watched, "traces")
        said = watched.page.get_by_text("More samples would gain less than they cost.")
        assert not said.is_visible()
        watched.page.locator("summary", has_text="Why a vote stops").focus()
        watched.page.keyboard.press("Enter")
        said.wait_for()
        assert axe(watched.page) == []


def test_a_plain_answer_is_shown_with_its_one_sample_and_no_vote(browsing: Browsing) -> None:
    found = _newest(browsing.served, "/v1/traces?strategy=plain&limit=1")
    with browsing.page() as watched:
        browsing.go(watched, f"traces/{found}")
        require(watched, f"traces/{found}", ("Samples (1)", "Cost", "Identity"))
        main = watched.page.locator("main")
        assert main.get_by_text("Agreement").count() == main.get_by_text("no vote").count() == 0


def test_the_first_view_is_measured_by_what_is_seen_and_sent(browsing: Browsing) -> None:
    url = f"{browsing.served.url}/console#/memory"
    with browsing.page() as watched:
        watched.page.add_init_script(NOTE_CHANGES)
        cold, warm = (first_view(watched.page, url) for _ in range(2))
        assert watched.page.locator("main tbody tr").count() > 0
    assert 0 < cold.loaded_ms < cold.shown_ms
    assert cold.file_bytes > 10 * 1024 > 10 * warm.file_bytes, "only the page is asked for again"
    assert cold.data_bytes > 0


def test_a_key_is_asked_for_and_a_wrong_one_is_refused_in_a_sentence(browsing: Browsing) -> None:
    with browsing.page(role=None) as watched:
        page = watched.page
        page.goto(f"{browsing.served.url}/console")
        field = page.get_by_label("API key")
        field.fill("whet-wrong")
        assert axe(page) == []
        field.press("Enter")
        page.get_by_role("alert").get_by_text("key").wait_for()
        field.fill(browsing.served.keys["reviewer"])
        field.press("Enter")
        page.get_by_role("heading", name="Live").wait_for()
        page.get_by_role("button", name="Sign out").click()
        page.get_by_label("API key").wait_for()
        assert page.evaluate("Object.keys(sessionStorage)") == []


def test_who_signs_in_where_no_server_answers_is_told_so(browsing: Browsing) -> None:
    with browsing.page(role=None) as watched:
        page = watched.page
        page.goto(f"{browsing.served.url}/console")
        field = page.get_by_label("API key")
        field.fill("\u201cquoted\u201d")
        field.press("Enter")
        assert field.evaluate("each => each.validity.patternMismatch")
        page.route("**/v1/console", lambda route: route.abort())
        field.fill(browsing.served.keys["reviewer"])
        field.press("Enter")
        page.get_by_role("alert").get_by_text("cannot be reached").wait_for()


def test_an_address_that_is_none_leads_to_no_view_and_breaks_nothing(browsing: Browsing) -> None:
    with browsing.page() as watched:
        browsing.go(watched, "%zz")
        watched.page.get_by_role("heading", name="Not found").wait_for()
        assert watched.complaints == []


NEWS = """
async () => {
  const { after } = await import('/console/lib/requests.js');
  const [one, two] = ['one', 'two'].map((id) => ({ event: 'started', data: { id } }));
  const sample = { event: 'sample', data: { id: 'two', votes: [] } };
  const found = [one, two, { event: 'opened' }, two, sample].reduce(after, []);
  return found.map(({ id, isRunning, samples }) => [id, isRunning, samples.length]);
}
"""


def test_a_request_that_ended_while_the_stream_was_broken_is_under_way_no_more(
    browsing: Browsing,
) -> None:
    with browsing.page() as watched:
        browsing.go(watched, "live")
        assert watched.page.evaluate(NEWS) == [["two", True, 1], ["one", False, 0]]


AXES = """charts => charts.map(
    chart => [...chart.querySelectorAll("g > .tick")].map(tick => tick.textContent))"""
"""Of each chart, the figures up its side."""


def test_an_axis_of_small_figures_says_each_once(browsing: Browsing) -> None:
    def small(route: Any) -> None:
        found = route.fetch().json()
        for version in found["data"]:
            version["metrics"]["training"]["loss"] = [0.08, 0.01]
            version["metrics"]["guards"]["lost"] = ["one"]
            version["metrics"]["near_guards"]["lost"] = []
        route.fulfill(json=found)

    with browsing.page() as watched:
        watched.page.route("**/v1/adapters*", small)
        browsing.go(watched, "learning")
        charts = watched.page.locator("figure")
        charts.first.wait_for()
        told = charts.evaluate_all(AXES)
    assert ["0", "0.02", "0.04", "0.06", "0.08"] in told, "losses"
    assert ["0", "1"] in told, "guards lost"


ROLES = {
    "user": ({"Playground", "Evaluations"}, {"Live", "Memory", "Jobs", "Tenants & keys"}),
    "reviewer": ({"Live", "Review", "Adapters", "Jobs"}, {"Tenants & keys"}),
    "admin": ({"Live", "Review", "Jobs", "Tenants & keys"}, set[str]()),
}


@pytest.mark.parametrize("role", ROLES)
def test_what_a_role_may_not_do_is_not_offered(browsing: Browsing, role: str) -> None:
    offered, hidden = ROLES[role]
    with browsing.page(role=role) as watched:
        browsing.go(watched, "evaluations")
        names = set(watched.page.locator("nav a").all_inner_texts())
        assert offered <= names
        assert not hidden & names
        makes = watched.page.get_by_role("button", name="Evaluate", exact=True).count()
        assert makes == (role == "admin")
        watched.page.goto(f"{browsing.served.url}/console#/access")
        if role != "admin":
            watched.page.get_by_text("This view asks for the role admin").wait_for()
        assert watched.complaints == []


HOSTILE = "<img src=x onerror=\"document.title='broken'\"> & {{ 1 }} How many?"


def test_what_is_stored_is_shown_as_text_whatever_it_is(browsing: Browsing) -> None:
    served = browsing.served
    line = {"question": HOSTILE, "answer": "<b>7</b>"}
    response: Any = served.ask("POST", "/v1/memory/import", json=line)
    assert response["imported"] == 1
    with browsing.page() as watched:
        browsing.go(watched, "memory?q=onerror")
        watched.page.get_by_role("link", name="<img src=x").click()
        watched.page.get_by_text(HOSTILE).first.wait_for()
        assert watched.page.locator("main img, main b").count() == 0
        assert watched.page.title() == "Record · Whet"
        assert watched.complaints == []


def test_the_first_view_asks_for_each_thing_once(browsing: Browsing) -> None:
    with browsing.page() as watched:
        asked: list[str] = []
        watched.page.on("request", lambda request: asked.append(urlsplit(request.url).path))
        browsing.go(watched, "memory")
        watched.page.locator("main tbody tr").first.wait_for()
        assert len(asked) == len(set(asked)), "no file and no answer is loaded twice"
        data = {path for path in asked if path.startswith("/v1/")}
        assert data == {"/v1/console", "/v1/memory/records"}


def test_a_list_that_is_read_anew_keeps_the_pages_that_were_shown(browsing: Browsing) -> None:
    with browsing.page() as watched:
        page = watched.page
        page.route("**/v1/jobs?*", lambda route: route.continue_(url=_shorter(route.request.url)))
        browsing.go(watched, "jobs")
        rows = page.locator("main tbody tr")
        assert rows.count() == PAGE
        page.get_by_role("button", name="Show more").click()
        rows.nth(PAGE).wait_for()
        shown = rows.count()
        with page.expect_response(lambda response: "after=" not in response.url):
            pass  # a job runs: the list is read anew
        with page.expect_response(lambda response: "after=" in response.url):
            pass
        assert rows.count() == shown
        page.get_by_label("Kind").select_option("evaluate")
        rows.nth(1).wait_for(state="detached")
        page.get_by_label("Kind").select_option("")
        rows.nth(1).wait_for()
        assert rows.count() == PAGE, "another list begins with its first page"


PAGE = 2


def _shorter(url: str) -> str:
    return url.replace("limit=50", f"limit={PAGE}")

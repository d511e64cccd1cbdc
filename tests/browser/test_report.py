"""The report in a browser: it asks for nothing, holds hostile names, zooms, reads and follows."""

import json

import pytest

from flaxgan.report import main as report
from flaxgan.reports.page import Report
from flaxgan.reports.watching import Watch
from tests.made_runs import made_run, row, rows_of

HOSTILE = "</script><script>window.hacked=1</script><img src=x onerror='window.hacked=1'>\"'&amp;"
TURNED = "\u202egnp.exe\u2066 \u05d0\u05d1 \u0627\u0628"
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def requests(page):
    """The addresses that the page asked for."""
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    return asked


@pytest.fixture
def opened(page, requests, tmp_path):
    """Write the report of runs and open it, from disk; check that it asked for nothing else."""

    def open_report(*folders):
        output = tmp_path / "page.html"
        report([*map(str, folders), "--output", str(output)])
        page.goto(output.as_uri())
        assert [url for url in requests if not url.startswith("data:")] == [output.as_uri()]
        return page

    return open_report


@pytest.fixture
def run(tmp_path):
    evaluations = [row(step, fd_efficientnet_lite0=100.0 / step) for step in (10, 20, 40)]
    rows = [line | {"d_loss": 1 / line["step"]} for line in rows_of(40)]
    return made_run(tmp_path / "flowers", [*rows, *evaluations], [10, 20, 30, 40])


def chart(page, title):
    return page.locator("figure.chart").filter(has=page.get_by_text(title, exact=True)).first


def legend(page, title):
    return chart(page, title).locator(".legend").inner_text().split("\n")


def until(page, holds):
    """Wait for it; the page's policy lets Playwright's own waiting evaluate nothing."""
    for _ in range(100):
        if page.evaluate(holds):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"{holds} does not come about")


def fits(page):
    """Whether the page is no wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_what_a_report_shows(opened, run):
    page = opened(run)
    assert page.title() == "flowers – flaxgan"
    assert page.get_by_role("heading", level=1).inner_text() == "flowers"
    sections = page.get_by_role("heading", level=2).all_inner_texts()
    assert sections[:4] == ["Pictures", "Curves", "Metrics", "What next"]
    assert "step 40 of 100" in page.locator(".how-far").inner_text()
    widths = page.locator("img").evaluate_all("all => all.map(x => x.naturalWidth)")
    assert len(widths) == 2 and all(widths), "real beside generated"
    page.get_by_text("All fields").click()
    assert page.get_by_role("region", name="all fields").get_by_text("--beta1").is_visible()


def test_the_slider_goes_through_the_snapshots(opened, run):
    page = opened(run)
    slider, words = page.get_by_role("slider", name="snapshot"), page.locator(".where")
    assert "step 40" in words.inner_text()
    last = page.locator("img").first.get_attribute("src")
    slider.focus()
    page.keyboard.press("Home")
    assert "step 10 · epoch 1" in words.inner_text()
    assert page.locator("img").first.get_attribute("src") != last
    page.keyboard.press("ArrowRight")
    assert slider.get_attribute("aria-valuetext") == "step 20 · epoch 2"
    page.get_by_role("button", name="Play").click()
    until(page, "document.querySelector('.where').textContent.includes('step 40')")
    page.get_by_role("button", name="Play").wait_for()


def test_a_chart_is_read_zoomed_and_hidden_with_the_mouse(opened, run):
    page = opened(run)
    plot = chart(page, "loss").locator("svg.plot")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert legend(page, "loss") == ["d_loss", "0.025", "g_loss", "0.9"], "the last values"
    page.mouse.move(box["x"] + 52 + (box["width"] - 64) / 2, box["y"] + 90)
    assert legend(page, "loss")[1] == "0.05", "in the middle"
    assert "160 pictures seen" in plot.text_content()
    span = lambda: page.evaluate("view.range")  # noqa: E731
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 12, box["y"] + 90)
    page.mouse.up()
    assert span() == pytest.approx([160, 320], abs=1)
    assert page.get_by_role("button", name="Show all").is_enabled()
    plot.dblclick()
    assert span() is None and page.get_by_role("button", name="Show all").is_disabled()
    curves = plot.locator("g.curve")
    shown = curves.count()
    chart(page, "loss").get_by_role("button", name="g_loss").click()
    assert curves.count() == shown - 1
    page.get_by_label("time trained").check()
    assert " s" in plot.text_content() and page.evaluate("view.axis") == "seconds"


def test_a_chart_is_read_and_zoomed_with_keys_and_is_a_table_too(opened, run):
    page = opened(run)
    figure = chart(page, "loss")
    figure.locator("svg.plot").focus()
    page.keyboard.press("Home")
    assert "8 pictures seen: d_loss 1, g_loss 0.9" in figure.locator("[aria-live]").inner_text()
    page.keyboard.press("ArrowRight")
    assert legend(page, "loss")[1] == "0.5"
    page.keyboard.press("+")
    low, high = page.evaluate("view.range")
    assert low < 16 < high < 200
    page.keyboard.press("Escape")
    assert page.evaluate("view.range") is None
    figure.get_by_text("As a table").click()
    figure.locator("tbody tr").nth(11).wait_for()
    assert figure.locator("tbody tr").count() == 12
    assert figure.locator("tbody tr").first.inner_text().split() == ["8", "1", "0.9"]


@pytest.mark.parametrize("viewport", [{"width": 1280, "height": 800}, PHONE], ids=["desk", "phone"])
def test_hostile_texts_are_shown_as_texts(opened, page, tmp_path, viewport):
    page.set_viewport_size(viewport)
    name = HOSTILE.replace("/", "") + TURNED
    folder = made_run(
        tmp_path / name,
        [line | {HOSTILE: 1.0, "x" * 10_000: 2.0} for line in rows_of(9)],
        [9],
        class_names=[HOSTILE, "y" * 10_000, TURNED, *(f"class {i}" for i in range(20))],
        dataset=HOSTILE + "z" * 10_000,
        conditional=True,
        num_classes=23,
    )
    saved = json.loads((folder / "config.json").read_text())
    saved["chosen"] = {"batch_size": HOSTILE, "dataset": "w" * 10_000}
    saved["starts"][0] |= {"command": HOSTILE + "v" * 10_000, "device": TURNED, "date": HOSTILE}
    saved["changes"] = [{"step": HOSTILE, HOSTILE: [TURNED]}]
    (folder / "config.json").write_text(json.dumps(saved))
    evaluation = {"date": HOSTILE, "real": {HOSTILE: TURNED}, "caveats": [HOSTILE + "u" * 10_000]}
    evaluation["metrics"] = {HOSTILE: {"value": 1, "reference": HOSTILE}, "x": 3}
    (folder / "evaluation.json").write_text(json.dumps(evaluation))
    opened(folder)
    assert page.evaluate("window.hacked") is None and page.locator("img[src=x]").count() == 0
    heading = page.get_by_role("heading", level=1).inner_text()
    assert "<script>window.hacked=1" in heading and "\\u202egnp.exe\\u2066" in heading
    assert HOSTILE in page.locator(".what").inner_text()
    for summary in page.locator("summary").all():
        summary.click()
    assert fits(page) and page.evaluate("document.body.scrollHeight") < 30_000


def test_several_runs_over_one_another(opened, page, tmp_path, run):
    other = made_run(tmp_path / HOSTILE.replace("/", ""), rows_of(20), [20], ema=77)
    opened(run, other)
    assert page.get_by_role("heading", level=1).inner_text() == "2 runs compared"
    assert legend(page, "d_loss")[0] == "flowers" and len(legend(page, "d_loss")) == 4
    assert "77" in page.get_by_role("region", name="differences").inner_text()
    assert page.get_by_role("region", name="overview").locator("tbody tr").count() == 2
    assert page.get_by_role("slider").count() == 1, "of one with several snapshots"
    page.set_viewport_size(PHONE)
    assert fits(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_in_either_light(opened, page, run, scheme):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size(PHONE)
    opened(run)
    assert fits(page)
    colours = page.evaluate(
        """["body", "section", ".how-far", ".muted"].map((at) => {
            const style = getComputedStyle(document.querySelector(at));
            return [style.color, style.backgroundColor].map((c) => c.match(/[\\d.]+/g).map(Number));
        })"""
    )
    light = lambda c: sum(c[:3]) / 3  # noqa: E731
    for text, _ in colours:
        assert abs(light(text) - light(colours[1][1])) > 100, "against the card"
    assert (light(colours[0][1]) > 128) == (scheme == "light")


def test_an_empty_run(opened, tmp_path):
    page = opened(made_run(tmp_path / "empty"))
    text = page.locator("main").inner_text()
    assert "not begun" in text and "No pictures have been drawn yet" in text
    assert "Nothing has been logged yet" in text


def test_a_page_that_is_served_follows_the_training(page, requests, run):
    shown = Report([run])
    with Watch("127.0.0.1", 0) as watch:
        now = {"step": 40, "total": 100, "epoch": 4.0, "left": 30.0, "next_evaluation": 70.0}
        watch.follow(lambda: now)
        watch.show(*shown.write(run / "report.html"))
        page.goto(watch.address)
        until(page, "document.querySelector('.how-far').textContent.includes('70 s')")
        page.get_by_label("time trained").check()
        page.get_by_role("slider").focus()
        now["step"] = 77
        until(page, "document.querySelector('.how-far').textContent.includes('77')")
        content = shown.runs[0](rows_of(80), goes_on=True)
        watch.show(*shown.write(run / "report.html", content))
        until(page, "data.runs[0].rows === 80")
        assert page.evaluate("view.axis") == "seconds", "what was chosen stays"
        assert page.evaluate("document.activeElement.id") == "slider"
        page.wait_for_timeout(100)
    assert {url.removeprefix(watch.address) for url in requests if "data:" not in url} == {
        "", "status.json", "report.json"
    }  # fmt: skip
    page.goto("about:blank")

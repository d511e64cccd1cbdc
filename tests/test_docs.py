"""The documentation shows what the CSV files, the command line and the configuration say, and its
links lead somewhere.
"""

import csv
import re

import pytest

from docs import generate
from docs.curves import CURVES
from docs.generate import documents, draw, rendered, rows_of
from docs.views import TABLES, Table
from flaxgan.config import fields_of
from flaxgan.fields import flag
from tests.conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
STALE = "is not what it is made from; python -m docs.generate writes it"


@pytest.fixture(scope="module")
def made():
    return documents()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_tables_and_help_are_those_of_the_data_and_the_commands(page, made):
    assert page.read_text(encoding="utf-8") == made[page], f"{page.name} {STALE}"


def test_every_table_and_every_picture_is_shown():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert {*re.findall(r"<!-- table: (\w+) -->", text)} == TABLES.keys()
    assert {*re.findall(r"\(pictures/(\w+)\.png\)", text)} == CURVES.keys()
    assert {path.stem for path in (ROOT / "docs" / "pictures").glob("*.png")} == CURVES.keys()


def _anchor(heading):
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_to_a_file_and_a_heading(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        assert linked.is_file(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in map(_anchor, headings), target


def test_the_page_on_resuming_names_what_a_resumed_run_can_change():
    rows = [
        line
        for line in (ROOT / "docs" / "resuming.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| ")
    ]
    fixed = next(line for line in rows if line.startswith("| needs a new run"))
    measuring = next(line for line in rows if line.startswith("| may change until"))
    changing = "".join(line for line in rows if line not in (fixed, measuring))
    flags = {
        flag(name): field.metadata["fixed"]
        for name, field in fields_of("gan").items()
        if field.metadata["flag"]
    }
    named = {
        part: {*re.findall(r"--[a-z0-9-]+", part)} & flags.keys()
        for part in (changing, measuring, fixed)
    }
    assert named[changing] == {name for name, is_fixed in flags.items() if not is_fixed}
    assert named[measuring] == {"--evaluate-num", "--extractor"}
    assert named[fixed] == {name for name, is_fixed in flags.items() if is_fixed} - named[measuring]


def test_every_recipe_has_been_measured():
    rows = [row for name in ("recipes", "translations") for row in rows_of(TABLES[name].source)]
    measured = {row["recipe"] for row in rows if row["recipe"].isidentifier()}
    assert measured == {path.stem for path in (ROOT / "experiments").glob("[a-z]*.py")}


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Render a table of these rows as a page beside its data."""
    monkeypatch.setattr(generate, "ROOT", tmp_path)

    def render(rows, columns, **view):
        with (tmp_path / "a.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        return rendered(Table("a.csv", columns, **view), tmp_path).splitlines()

    return render


def test_a_value_is_shown_with_its_range_and_what_all_rows_share_below(table):
    rows = [
        {"net": "x", "speed": speed, "speed_low": 10000, "speed_high": 30000, "note": ""}
        for speed in (20000, 21000)
    ]
    assert table(rows, "net speed note") == [
        "| speed |",
        "| --- |",
        "| 20,000 (10,000 to 30,000) |",
        "| 21,000 (10,000 to 30,000) |",
        "",
        "In every row: net x. Data: [a.csv](a.csv)",
    ]


def test_the_best_row_of_each_run_and_seed(table):
    rows = [
        {"run": "a", "seed": seed, "epoch": epoch, "fd": 100 - epoch * seed}
        for seed in (0, 1)
        for epoch in (5, 10)
    ]
    assert table(rows, "seed epoch fd", best=True)[2:4] == ["| 0 | 5 | 100 |", "| 1 | 10 | 90 |"]


def test_rows_that_agree_are_joined(table):
    rows = [{"run": run, "fd": fd, "kid": 1} for run, fd in (("a", 3), ("b", 4), ("a", 5))]
    assert table(rows, "run fd", joined="run")[2:4] == ["| a | 3, 5 |", "| b | 4 |"]


def test_a_column_that_is_not_there_is_a_mistake(table):
    with pytest.raises(KeyError):
        table([{"run": "a"}], "run fd")


@pytest.mark.parametrize("name", CURVES)
def test_a_curve_has_points_for_each_of_its_runs(name):
    curve = CURVES[name]
    for run in curve.runs:
        assert sum(row["run"] == run and bool(row[curve.x]) for row in rows_of(curve.source)) > 1, (
            run
        )


def test_curves_are_drawn(tmp_path):
    draw(next(iter(CURVES.values())), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")

"""The report on two tables: its figures, its words, its page."""

import base64
import io
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from html import escape
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from sksynth import evaluation
from sksynth.evaluation import report

SVG = "data:image/svg+xml;base64,"
HOSTILE = [
    "<script>alert(1)</script>",
    "a&b\"'>",
    "$x^$",
    "x\ny",
    "😀",
    "\ud800\x00",
    "</style><img src=x onerror=alert(1)>",
    7,
]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
MEASURED = {
    "likeness": ["quality", "column_shapes", "pair_trends", "c2st"],
    "use": ["utility"],
    "validity": ["valid_share", "coverage", "missing_values", "dtype_changes"],
    "privacy": [
        "copied_rows", "copied_cells", "nearest_neighbour_ratio", "dcr_share", "membership_auc", "membership_tpr",
        "membership_tpr_low",
    ],
}  # fmt: skip


def people(n_rows, seed, **changed):
    """Return a table of every kind of column."""
    rng = np.random.default_rng(seed)
    size = rng.normal(170, 10, n_rows).round(1)
    table = pd.DataFrame(
        {
            "name": [f"secret {rng.integers(10**9)}" for _ in range(n_rows)],
            "size": np.where(rng.uniform(size=n_rows) < 0.1, np.nan, size),
            "tall": np.where(size > 170, "yes", "no"),
            "born": (pd.Timestamp("1980-01-01") + pd.to_timedelta(rng.integers(0, 9000, n_rows), "D")).strftime("%Y-%m-%d"),
            "weight": (size - 100 + rng.normal(0, 5, n_rows)).round(),
        }
    )
    return table.assign(**changed)


def words(rng, n_rows):
    """Return a column of such values; strings of pyarrow do not hold all of them."""
    return pd.Series(rng.choice(HOSTILE[:7], n_rows), dtype=object)


def hostile(n_rows, seed):
    """Return a table whose names and values are markup, formulas and what no page can hold."""
    rng = np.random.default_rng(seed)
    columns = [rng.normal(size=n_rows) if place % 3 == 2 else words(rng, n_rows) for place in range(len(HOSTILE))]
    names = [
        name.strip("\ud800") if isinstance(name, str) else name for name in HOSTILE
    ]  # pandas would not find it by pyarrow
    return pd.DataFrame(dict(enumerate(columns))).set_axis(pd.Index(names, dtype=object), axis=1)


@pytest.fixture(scope="module")
def tables():
    """Return a real, a synthetic and a held-out table; not to be changed."""
    return [people(200, 0), people(200, 1), people(150, 2)]


@pytest.fixture(scope="module")
def found(tables):
    """Return their report; not to be changed."""
    return report(*tables, target="tall", privacy_statement="This fit is private, or <b>not</b>.")


@pytest.fixture(scope="module")
def found_page(found):
    """Return its page."""
    pytest.importorskip("matplotlib")
    return found.to_html()


@pytest.fixture(scope="module")
def hostile_page():
    """Return the page on hostile tables."""
    pytest.importorskip("matplotlib")
    tables = (hostile(60, seed) for seed in range(3))
    return report(*tables, target=HOSTILE[0], privacy_statement=" ".join(map(str, HOSTILE[:5]))).to_html()


class Page(HTMLParser):
    """What a page holds: tags, attributes, text, pictures."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(page)
        addresses = [value for name, value in self.attributes if name == "src"]
        assert all(address.startswith(SVG) for address in addresses)
        self.pictures = [base64.b64decode(address.removeprefix(SVG)).decode() for address in addresses]

    def handle_starttag(self, tag, attributes):
        """Note a tag."""
        self.tags.append(tag)
        self.attributes += attributes

    def handle_data(self, data):
        """Note text."""
        self.text += data


def whole(found, metric):
    """Return the figure of the whole table, and what real rows reach."""
    (row,) = found.figures[
        found.figures["metric"].eq(metric) & ~found.figures["section"].isin(["columns", "pairs", "triples"])
    ].itertuples()
    return row.value, row.real


def test_figures_are_those_of_the_metrics(found, tables):
    """Likeness is measured against the holdout, closeness against what was learned from, each beside what real rows reach."""
    real, synthetic, holdout = tables
    assert whole(found, "quality") == (
        evaluation.quality(holdout, synthetic, reference=real), evaluation.quality(holdout, real, reference=real),
    )  # fmt: skip
    assert whole(found, "c2st") == (
        evaluation.c2st(holdout, synthetic, reference=real).auc, evaluation.c2st(holdout, real, reference=real).auc,
    )  # fmt: skip
    assert whole(found, "utility") == (
        evaluation.utility(synthetic, holdout, "tall", reference=real), evaluation.utility(real, holdout, "tall"),
    )  # fmt: skip
    assert whole(found, "valid_share") == (evaluation.valid_share(real, synthetic), evaluation.valid_share(real, holdout))
    assert whole(found, "dcr_share") == (evaluation.dcr_share(real, synthetic, holdout), 0.5)
    attack = evaluation.membership_inference(real, synthetic, holdout)
    assert whole(found, "membership_tpr_low") == (attack.tpr_low, attack.fpr_high)


def test_frame_has_every_figure_once_the_worst_first(found, tables):
    """The frame has a row for every metric of the whole, of every column and of every pair, the worst of these first."""
    frame = found.to_frame()
    assert list(frame.columns) == ["section", "metric", "column", "column_2", "column_3", "value", "real"]
    assert {section: list(frame.loc[frame["section"] == section, "metric"]) for section in MEASURED} == MEASURED
    columns = frame[frame["section"] == "columns"].set_index(["column", "metric"])
    assert len(columns) == 5 * 5
    shapes = evaluation.column_shapes(tables[2], tables[1], reference=tables[0])
    assert columns.xs("column_shapes", level="metric")["value"].to_dict() == pytest.approx(shapes.to_dict(), nan_ok=True)
    shape, fall = (columns.xs(metric, level="metric") for metric in ("column_shapes", "auc_fall"))
    behind = np.fmax(shape["real"] - shape["value"], fall["value"] - fall["real"])
    pairs = frame[frame["section"] == "pairs"]
    for worst_first in (behind, pairs["real"] - pairs["value"]):
        assert worst_first.is_monotonic_decreasing
    expected = evaluation.pair_trends(tables[2], tables[1], reference=tables[0]).set_index(["column_1", "column_2"])
    found_by_pair = pairs.set_index(["column", "column_2"])["value"]
    assert found_by_pair.to_dict() == pytest.approx((1 - expected["shortfall"].clip(lower=0)).to_dict())
    assert len(frame[frame["section"] == "pairs"]) == 6


def test_frame_is_a_copy(found):
    """Who writes to the frame does not change the report."""
    frame = found.to_frame()
    frame["value"] = 0.0
    assert found.to_frame()["value"].max() > 0.5


def test_report_without_holdout_stands_alone(tables):
    """Without a holdout likeness is measured against the real table, and nothing is said of what real rows reach."""
    alone = report(*tables[:2])
    assert whole(alone, "quality")[0] == evaluation.quality(*tables[:2])
    assert alone.figures.loc[alone.figures["section"] != "triples", "real"].isna().all()
    assert not {"dcr_share", "membership_auc", "utility"} & set(alone.figures["metric"])
    assert "pass further real rows as holdout" in alone.summary[-1]
    assert "No further real rows were given" in Page(alone.to_html()).text


def test_report_leaves_the_tables_as_they_are(tables):
    """Nothing is written to the tables, whose columns may stand in any order."""
    before = [table.copy() for table in tables]
    real, synthetic, holdout = tables
    shuffled = report(real, synthetic[synthetic.columns[::-1]], holdout, n_plots=0)
    assert whole(shuffled, "quality") == whole(report(real, synthetic, holdout, n_plots=0), "quality")
    for table, copy in zip(tables, before, strict=True):
        pd.testing.assert_frame_equal(table, copy)


def test_json_holds_the_report(found, tmp_path):
    """JSON has every figure, null where there is none, and is written in UTF-8 where a path is given."""
    content = json.loads(found.to_json(), parse_constant=pytest.fail)
    frame = pd.DataFrame(content["figures"], dtype=object).astype({"value": float, "real": float})
    pd.testing.assert_frame_equal(frame, found.to_frame(), check_dtype=False)
    assert content["n_rows"] == {"real": 200, "synthetic": 200, "holdout": 150}
    assert (content["target"], content["summary"]) == ("tall", found.summary)
    assert found.to_json(tmp_path / "report.json") is None
    assert json.loads((tmp_path / "report.json").read_text(encoding="utf-8")) == content


def test_text_says_what_was_found(found):
    """The repr has every figure of the whole with what real rows reach, and the summary."""
    text = repr(found)
    assert re.search(rf"Overall quality +{whole(found, 'quality')[0]:.3f} +{whole(found, 'quality')[1]:.3f}  good", text)
    assert all(f"- {sentence}" in text for sentence in found.summary)


def test_a_good_table_is_called_good(found):
    """Rows of the same origin are hardly told apart, and show no sign of having been memorised."""
    summary = " ".join(found.summary)
    assert "hardly tells synthetic rows from real ones" in summary
    assert "No sign that rows were memorised was found" in summary
    assert "“tall” from synthetic rows scores" in summary


def test_copies_are_called_copies(tables):
    """A table that is the real one is said to hold copies, memorised."""
    real, _, holdout = tables
    summary = " ".join(report(real, real, holdout).summary)
    assert "100.00% of the synthetic rows are copies of real rows in all their columns; of further real rows" in summary
    assert "Rows were memorised" in summary


def test_a_bad_table_is_called_bad(tables):
    """A table with a column that is all wrong is told easily, by that column, which comes first."""
    bad = tables[1].assign(weight=500.0, size=1)
    found = report(tables[0], bad, tables[2])
    summary = " ".join(found.summary)
    assert "easily tells synthetic rows from real ones" in summary
    assert "0.0% of the synthetic rows, and of further real rows" in summary
    assert found.figures.loc[found.figures["section"] == "columns", "column"].iloc[0] in ("weight", "size")
    assert "The dtypes of 1 columns differ" in summary


@pytest.mark.parametrize("value", [np.nan, 1.0])
def test_columns_of_next_to_nothing_are_reported(value):
    """A column that is wholly missing or constant breaks neither figures nor page."""
    tables = [people(60, seed).assign(weight=value, tall="yes") for seed in range(3)]
    found = report(*tables)
    scores = found.figures.query("section == 'pairs'")["value"].dropna()
    assert len(Page(found.to_html()).pictures) == 5 + len(scores) > 5


def test_tables_of_identifiers_alone_are_reported():
    """Of what cannot be compared the summary says nothing: neither of shapes and pairs, nor of learning by heart."""
    tables = [
        pd.DataFrame({"key": [f"K{i:03}" for i in np.random.default_rng(seed).permutation(900)[:60]]}) for seed in range(3)
    ]
    found = report(*tables)
    assert np.isnan([whole(found, name)[0] for name in ("column_shapes", "pair_trends", "dcr_share")]).all()
    assert [line.split()[:3] for line in found.summary] == [
        ["A", "classifier", "that"],
        ["100.0%", "of", "the"],
        ["3.33%", "of", "the"],
    ]
    assert "nan" not in " ".join(found.summary)


def test_arrays_are_reported():
    """Columns of arrays go by their places; one column has no pairs."""
    real, synthetic = np.random.default_rng(0).normal(size=(2, 50, 1))
    found = report(real, synthetic)
    assert set(found.figures["column"].dropna()) == {0}
    assert "There are no two columns that can be compared" in Page(found.to_html()).text


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"target": "age"}, ValueError, "target must be a column of real, got 'age'"),
        ({"n_plots": -1}, ValueError, "n_plots must be an int >= 0, got -1"),
        ({"privacy_statement": 3.0}, TypeError, "privacy_statement must be a str or None, got float"),
        ({"holdout": people(20, 3)[["size"]]}, ValueError, "holdout lacks .*'name', 'tall', 'born', 'weight'"),
    ],
)
def test_what_cannot_be_reported_is_refused(tables, arguments, error, message):
    """Parameters and tables that do not fit are refused by name."""
    with pytest.raises(error, match=message):
        report(*tables[:2], **arguments)


def test_page_holds_words_figures_and_pictures(found, found_page):
    """The page has the summary, every figure, a picture of every column and pair, and the statement of the model."""
    page = Page(found_page)
    assert all(sentence in page.text for sentence in found.summary)
    assert f"{whole(found, 'quality')[0]:.3f}" in page.text
    assert "This fit is private, or <b>not</b>." in page.text
    assert len(page.pictures) == 5 + 6
    assert page.text.index("Columns, the worst first") < page.text.index("Pairs of columns, the worst first")
    assert [name for name, _ in page.attributes].count("alt") == len(page.pictures)


def test_page_is_the_same_for_the_same_tables(found_page, tables, tmp_path):
    """A report is a function of its tables and its seed, to the last character of the page that is written."""
    again = report(*tables, target="tall", privacy_statement="This fit is private, or <b>not</b>.")
    assert again.to_html(tmp_path / "report.html") is None
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == found_page


def test_pictures_are_of_the_worst(tables):
    """Where pictures are few, they are those of the worst columns and pairs, and the page says so."""
    pytest.importorskip("matplotlib")
    page = Page(report(*tables, n_plots=2).to_html())
    assert len(page.pictures) == 2 + 1
    assert "Pictures of the 2 worst of 5 columns." in page.text
    assert "Pictures of the 1 worst of 6 pairs." in page.text


def test_report_holds_no_rows(found, found_page):
    """Neither the report nor its page holds a cell of a column of names."""
    assert b"secret" not in pickle.dumps(found)
    assert "secret" not in found_page + "".join(Page(found_page).pictures)
    assert pickle.loads(pickle.dumps(found)).to_json() == found.to_json()


def test_page_escapes_names_and_values(hostile_page):
    """Whatever names and values are, they are text: no tag, no attribute, no address comes of them."""
    page = Page(hostile_page)
    assert not {"script", "b", "iframe", "object", "svg"} & set(page.tags)
    assert page.tags.count("style") == 1
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert {value[:1] for name, value in page.attributes if name == "href"} == {"#", "d"}
    for name in (
        "<script>alert(1)</script>",
        "a&b\"'>",
        "$x^$",
        "x y",
        "😀",
        "\ufffd",
        "</style><img src=x onerror=alert(1)>",
        "7",
    ):
        assert f"{name} " in page.text.replace("\n", " ") + " "
    hostile_page.encode("utf-8")


def test_pictures_of_the_page_hold_text_as_it_is(hostile_page):
    """Pictures are well-formed, without scripts and links, and names are text in them, not formulas."""
    pictures = [ElementTree.parse(io.StringIO(picture)) for picture in Page(hostile_page).pictures]
    tags = {element.tag.rpartition("}")[2] for picture in pictures for element in picture.iter()}
    assert not {"script", "a", "foreignObject"} & tags
    texts = {"".join(element.itertext()) for picture in pictures for element in picture.iter() if element.tag.endswith("text")}
    assert {"<script>alert(1)</script>", "$x^$", "x y", "😀"} <= texts
    links = {value for picture in pictures for element in picture.iter() for name, value in element.items() if "href" in name}
    assert all(link.startswith("#") for link in links)


def test_notebooks_show_the_page_in_a_frame(found, found_page):
    """In a notebook the page stands in a frame of its own, without scripts."""
    frame = Page(found._repr_html_())
    assert frame.tags == ["iframe"]
    assert dict(frame.attributes)["srcdoc"] == found_page
    assert dict(frame.attributes)["sandbox"] is None


@pytest.mark.parametrize("package", ["matplotlib", "jinja2"])
def test_page_without_its_packages_says_what_to_install(package):
    """Where a package of the page is not installed, the page fails with the remedy, and all else works."""
    code = (
        f"import sys; sys.modules['{package}'] = None\n"
        "import numpy as np\n"
        "from sksynth.evaluation import report\n"
        "found = report(*np.random.default_rng(0).normal(size=(2, 20, 2)))\n"
        "assert found._repr_html_() is None\n"
        "repr(found), found.to_json()\n"
        "found.to_html()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert re.search(r"ImportError: the page of a report needs \w+: pip install 'sksynth\[report\]'", done.stderr)


@pytest.fixture
def browse(tmp_path):
    """Return a function that loads a page in Chromium and returns what it found, and what stood in the console."""
    if CHROMIUM is None:
        pytest.skip("no Chromium was found")
    look = (
        "const page = frame.contentDocument.documentElement, loaded = frame.contentWindow.performance.getEntries();"
        "found.textContent = JSON.stringify({wide: page.scrollWidth, room: page.clientWidth, high: page.scrollHeight,"
        "fetched: loaded.filter(e => e.entryType == 'resource').map(e => e.name),"
        "broken: [...page.querySelectorAll('img')].filter(i => !i.naturalWidth).length,"
        "pictures: page.querySelectorAll('img').length})"
    )
    command = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path}",
        "--enable-logging=stderr",
    ]

    def load(page, width):
        harness = tmp_path / "harness.html"
        frame = f'<iframe id="frame" width="{width}" height="800" onload="look()" srcdoc="{escape(page)}"></iframe>'
        script = f'<script>function look() {{ {look} }}</script><style>iframe {{ border: 0 }}</style><pre id="found"></pre>'
        harness.write_text(f'<!DOCTYPE html><meta charset="utf-8">{script}{frame}', encoding="utf-8")
        done = subprocess.run(
            [*command, "--dump-dom", harness.as_uri()], capture_output=True, text=True, timeout=120, check=True
        )
        found = re.search(r'<pre id="found">(.*?)</pre>', done.stdout).group(1)
        return json.loads(found), re.findall(r"CONSOLE.*", done.stderr)

    return load


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1200])
def test_page_in_a_browser(hostile_page, browse, width):
    """In a browser, on a telephone too, the page fits, shows every picture, fetches nothing and complains of nothing."""
    found, console = browse(hostile_page, width)
    assert console == []
    assert found["fetched"] == []
    assert found["wide"] <= found["room"]
    assert (found["pictures"], found["broken"]) == (8 + 8, 0)
    assert found["high"] > 3000


@pytest.mark.browser
def test_browser_would_have_complained(browse):
    """A page that is too wide, has a script error and fetches a picture is seen to."""
    bad = (
        '<body><p style="width: 900px">wide</p><img src="http://127.0.0.1:9/x.png"><script>throw Error("bad")</script></body>'
    )
    found, console = browse(bad, 390)
    assert found["wide"] > found["room"]
    assert found["fetched"] == ["http://127.0.0.1:9/x.png"]
    assert found["broken"] == 1
    assert any("bad" in line for line in console)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_reports_can_be_printed_in_any_encoding(encoding):
    """Printing a report never fails: what standard output cannot show is replaced."""
    code = (
        "import numpy as np, pandas as pd\n"
        "from sksynth.evaluation import report\n"
        "tables = [pd.DataFrame(np.random.default_rng(seed).normal(size=(30, 2)), columns=['東京', 'b']) for seed in (0, 1)]\n"
        "print(report(*tables, n_plots=0))\n"
    )
    environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode(encoding)
    assert "Overall quality" in text
    assert ("東京" if encoding == "utf-8" else "??") in text


def test_a_column_may_be_called_none():
    """A column whose name is None is measured and reported like any other."""
    named = [
        people(80, seed).set_axis(pd.Index(["name", None, "tall", "born", "weight"], dtype=object), axis=1)
        for seed in range(3)
    ]
    plain = [table.set_axis(["name", "size", "tall", "born", "weight"], axis=1) for table in named]
    found, expected = (report(*tables, target="tall") for tables in (named, plain))
    assert found.figures["value"].equals(expected.figures["value"])
    own = found.figures.loc[found.figures["section"].isin(["columns", "pairs"]), "column"]
    assert None in set(own) and not any(isinstance(name, float) for name in own)
    assert len(Page(found.to_html()).pictures) == 5 + 6
    json.loads(found.to_json())
    assert evaluation.utility(*named[:2], None) == evaluation.utility(*plain[:2], "size")
    assert evaluation.dtype_changes(named[0], named[1].iloc[:, ::-1]).empty
    evaluation.ColumnComparisonDisplay.from_predictions(*named[:2], None)


def test_a_holdout_that_is_no_random_part_is_named(tables):
    """Where the holdout is the tail of a sorted table the report says so first, and gives no grades."""
    real, synthetic, holdout = tables
    both = pd.concat([real, holdout]).sort_values("weight")
    found = report(both[:250], synthetic, both[250:], n_plots=0)
    assert found.holdout_shift[0] == "weight"
    assert (
        "not a random part" in found.summary[0] and "“weight”" in found.summary[0] and "train_test_split" in found.summary[0]
    )
    assert found.summary[-1] == "Whether rows were memorised cannot be said with this holdout."
    assert repr(found).splitlines()[2] == f"WARNING: {found.summary[0]}"
    copied, quality = (next(line for line in repr(found).splitlines() if name in line) for name in ("Copied rows", "Overall"))
    assert not {*copied.split(), *quality.split()} & {"good", "fair", "poor"}
    assert json.loads(found.to_json())["holdout_shift"] == found.holdout_shift
    text = Page(found.to_html()).text
    assert text.count(found.summary[0]) == 1
    assert text.index(found.summary[0]) < text.index("Overall quality")


def test_a_random_holdout_is_none_that_differs(found):
    """Of a holdout that was drawn at random, nothing is said, and copying gets its grades."""
    assert found.holdout_shift is None
    assert "WARNING" not in repr(found)
    assert re.search("Copied rows .* good", repr(found))


def orders(n_rows, seed):
    """Return a table of which one column follows from two others, with names and telephone numbers."""
    rng = np.random.default_rng(seed)
    price, quantity = rng.gamma(3, 10, n_rows).round(2), rng.integers(1, 8, n_rows)
    phone = rng.integers(10**9, 10**10, n_rows)
    name = [f"{seed} {number}" for number in phone]
    table = {"name": name, "phone": phone, "price": price, "quantity": quantity, "total": (price * quantity).round(2)}
    return pd.DataFrame(table).assign(noise=rng.normal(size=n_rows))


def test_a_broken_rule_between_three_columns_is_named():
    """Totals that are no longer price times quantity are the worst triple, and named in words; kept ones are not."""
    real, kept, holdout = (orders(900, seed) for seed in range(3))
    broken = kept.assign(total=kept["total"] * np.exp(np.random.default_rng(0).normal(0, 0.4, 900)))
    triples = evaluation.triple_trends(real, broken, holdout)
    assert set(triples.iloc[0][["column", "column_1", "column_2"]]) == {"total", "price", "quantity"}
    assert triples["real"][0] - triples["score"][0] > 0.2
    alike = evaluation.triple_trends(real, kept, holdout)
    assert (alike["real"] - alike["score"]).abs().max() < 0.1
    found = report(real, broken, holdout, n_plots=0)
    worst = found.figures[found.figures["section"] == "triples"].iloc[0]
    assert (worst.value, worst.real) == (triples["score"][0], triples["real"][0])
    assert any("what ties these three columns is partly lost" in sentence for sentence in found.summary)
    assert "Columns told by two others" in Page(found.to_html()).text
    assert evaluation.triple_trends(real[["name"]], kept[["name"]]).empty


def test_single_cells_of_real_rows_are_a_figure_of_their_own():
    """Names and numbers of single real rows are counted where whole rows differ; values of several rows tell of nobody."""
    real, synthetic, holdout = (orders(100, seed) for seed in range(3))
    synthetic.loc[:8, "name"], synthetic.loc[:3, "phone"] = real.loc[:8, "name"], real.loc[:3, "phone"]
    shares = evaluation.copied_cells(real, synthetic)
    assert shares[["name", "phone"]].tolist() == [0.09, 0.04]
    assert shares[["price", "total", "noise"]].isna().all()
    twice = pd.concat([real, real])
    assert evaluation.copied_cells(twice, synthetic)["name"] == 0.0
    found = report(real, synthetic, holdout, n_plots=0)
    assert whole(found, "copied_rows")[0] == 0.0
    assert whole(found, "copied_cells") == (0.09, 0.0)
    summary = " ".join(found.summary)
    assert "9.00% of the synthetic rows hold a value of “name” that exactly one real row has" in summary
    assert "Rows were memorised" in summary and "No sign" not in summary


def test_progress_names_the_stages(capsys, tables):
    """With `verbose` a bar goes through all stages to its end, on standard error; without, nothing is printed."""
    small = [table.head(60) for table in tables]
    report(*small, n_plots=0, verbose=1)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "pictures" in shown.err and "8/8" in shown.err
    report(*small, n_plots=0)
    assert capsys.readouterr().err == ""

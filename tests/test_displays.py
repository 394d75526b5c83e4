"""Pictures of fits and of columns."""

import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression

from sksynth import BatchLSTMSynthesizer, ColumnClusterer
from sksynth.evaluation import AssociationDisplay, ColumnComparisonDisplay, HistoryDisplay, PrivacyLedgerDisplay
from sksynth.evaluation._displays._drawing import mark_dates
from sksynth.privacy import Ledger, gaussian_event

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402

HOSTILE = ["$x^$", "a\nb", "<script>alert(1)</script>", r"\frac{", "x" * 200, "\x00", "", 7, ("a", 1)]


@pytest.fixture(autouse=True)
def close_figures():
    """Close what a test has drawn."""
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def clusterer():
    """Return a clusterer fitted on two groups of columns that depend on each other; not to be changed."""
    a, b = np.random.default_rng(0).normal(size=(2, 500))
    table = pd.DataFrame({"a": a, "b": b, "a_sign": np.where(a > 0, "plus", "minus"), "b_squared": b**2})
    return ColumnClusterer(max_columns=2).fit(table)


@pytest.fixture
def ledger():
    """Return a ledger of three steps."""
    ledger = Ledger(delta=1e-6)
    for step, noise in [("counts", 10.0), ("shapes", 10.0), ("training", 2.0)]:
        ledger.add(step, "DP-SGD" if step == "training" else "Gaussian mechanism", gaussian_event(noise), covers="")
    return ledger


def history(n_batches, n_epochs=3, **changed):
    """Return a history."""
    records = [
        {"batch": batch, "epoch": epoch, "loss": 3.0 - epoch, "val_loss": 3.5 - epoch, "best": epoch == 1}
        for batch in range(n_batches)
        for epoch in range(n_epochs)
    ]
    return pd.DataFrame(records).assign(**changed)


def heights(bars):
    """Return the lengths of horizontal bars."""
    return [bar.get_width() for bar in bars]


def texts(display):
    """Return every text of a picture, once it was drawn."""
    display.figure_.canvas.draw()
    return [text.get_text() for text in display.figure_.findobj(matplotlib.text.Text)]


def test_history_of_an_estimator_is_drawn(fitted_orders):
    """Every batch has a line of training and one of validation rows, through the figures of its epochs."""
    display = HistoryDisplay.from_estimator(fitted_orders)
    assert len(display.lines_) == 2 * len(fitted_orders.batches_)
    own = fitted_orders.history_.query("batch == 1")
    assert list(display.lines_[2].get_ydata()) == list(own["loss"])
    assert list(display.lines_[3].get_ydata()) == list(own["val_loss"])
    assert (display.lines_[2].get_linestyle(), display.lines_[3].get_linestyle()) == ("-", "--")
    assert {"batch 0", "batch 2", "training rows", "validation rows", "epoch that was kept", "epoch"} <= set(texts(display))


def test_history_without_validation_has_one_line():
    """Where nothing was validated there is one line a batch, and no word of validation."""
    display = HistoryDisplay(history(1, val_loss=np.nan)).plot()
    assert len(display.lines_) == 1
    assert "validation rows" not in texts(display)


def test_history_without_a_best_epoch_has_no_ring():
    """Where no epoch is marked as the one that was kept, none is drawn as such, and no word says so."""
    assert "epoch that was kept" in texts(HistoryDisplay(history(1)).plot())
    assert "epoch that was kept" not in texts(HistoryDisplay(history(1).drop(columns="best")).plot())


def test_history_of_many_batches_tells_none_apart():
    """With more batches than there are markers the legend says how many there are."""
    found = texts(HistoryDisplay(history(9)).plot())
    assert "training rows (9 batches)" in found
    assert "batch 0" not in found


def test_history_of_a_private_fit_is_what_it_spent():
    """Where no loss was measured, epsilon is drawn."""
    private = history(1, loss=np.nan, val_loss=np.nan, epsilon=[0.5, 0.8, 1.0])
    display = HistoryDisplay(private).plot()
    assert display.metric == "epsilon"
    assert list(display.lines_[0].get_ydata()) == [0.5, 0.8, 1.0]


@pytest.mark.parametrize(
    ("metric", "message"),
    [("size", "metric must be one of 'auto', 'loss', .*got 'size'"), ("epsilon", r"no finite 'epsilon', only \['loss'\]")],
)
def test_history_refuses_figures_that_it_has_not(metric, message):
    """A figure that is unknown or was not measured is refused by name."""
    with pytest.raises(ValueError, match=message):
        HistoryDisplay(history(1, epsilon=np.inf), metric=metric)


def test_association_is_drawn_batch_by_batch(clusterer):
    """The heat map stands in the order of the batches, each of which is framed; the tree has a fork less than columns."""
    display = AssociationDisplay.from_estimator(clusterer)
    assert sorted(map(sorted, (display.order[:2], display.order[2:]))) == sorted(map(sorted, clusterer.batches_))
    expected = clusterer.association_.loc[display.order, display.order]
    np.testing.assert_array_equal(display.im_.get_array(), expected)
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == display.order
    assert sorted(frame.get_bbox().bounds for frame in display.frames_) == [(-0.5, -0.5, 2, 2), (1.5, 1.5, 2, 2)]
    assert len(display.tree_ax_.lines) == 3


def test_links_are_framed_in_the_rows_of_their_batch(clusterer):
    """The column that a batch reads first is framed in that batch's rows."""
    association = clusterer.association_
    display = AssociationDisplay(association, batches=[["a", "a_sign"], ["b", "b_squared"]], links=[[], ["a"]]).plot()
    (frame,) = display.link_frames_
    column, row = display.order.index("a"), min(map(display.order.index, ["b", "b_squared"]))
    assert frame.get_bbox().bounds == (column - 0.5, row - 0.5, 1, 2)
    assert "column that the batch of these rows reads first" in texts(display)
    assert display.tree_ax_ is None


@pytest.mark.parametrize("n_columns", [1, 2, 40])
def test_association_of_any_number_of_columns_is_drawn(n_columns):
    """One column has no tree; many have no figures in their cells."""
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(50, n_columns))).rename(columns=str)
    display = AssociationDisplay.from_estimator(ColumnClusterer().fit(table))
    assert (display.tree_ax_ is None) == (n_columns == 1)
    assert len(display.ax_.texts) == (2 if n_columns == 2 else 0)


def test_association_that_was_not_measured_is_refused(fitted_small):
    """Batches that were given have no association to draw, a model of one batch has no batches."""
    with pytest.raises(ValueError, match="this BatchLSTMSynthesizer measured no association, as its batches were given"):
        AssociationDisplay.from_estimator(fitted_small)
    with pytest.raises(TypeError, match="must be a ColumnClusterer or a BatchLSTMSynthesizer, got LSTMTextModel"):
        AssociationDisplay.from_estimator(fitted_small.models_[0])


def test_ledger_is_drawn_step_by_step(ledger):
    """Every step has a bar of its own epsilon, and the last bar is that of all together."""
    display = PrivacyLedgerDisplay(ledger.to_frame(), ledger.epsilon(), ledger.delta).plot()
    assert heights(display.bars_) == [*ledger.to_frame()["epsilon"], ledger.epsilon()]
    assert {"counts", "training", "all together", "DP-SGD", "epsilon at delta = 1e-06"} <= set(texts(display))
    assert display.bars_[0].get_hatch() != display.bars_[2].get_hatch()


def test_ledger_without_steps_has_one_bar():
    """Before anything was released there is the bar of all together alone, of length 0."""
    empty = Ledger(delta=1e-6)
    assert heights(PrivacyLedgerDisplay(empty.to_frame(), empty.epsilon(), empty.delta).plot().bars_) == [0.0]


def test_ledger_shows_what_is_not_private(ledger):
    """A step without epsilon has the longest bar, marked as infinite."""
    ledger.add_unaccounted("bins", "cut at quantiles of the rows")
    display = PrivacyLedgerDisplay(ledger.to_frame(), ledger.epsilon(), ledger.delta).plot()
    assert heights(display.bars_)[-2:] == [max(heights(display.bars_))] * 2
    assert sum("infinite" in text for text in texts(display)) == 2


def test_ledger_of_an_estimator(fitted_small, ledger):
    """The ledger is read from a private fit; one that is not private is refused with the remedy."""
    with pytest.raises(ValueError, match="has no privacy_ledger_, as it was fitted without epsilon: fit it with one"):
        PrivacyLedgerDisplay.from_estimator(fitted_small)
    private = LinearRegression()
    private.epsilon_, private.delta_, private.privacy_ledger_ = 1.5, 1e-6, ledger.to_frame()
    assert heights(PrivacyLedgerDisplay.from_estimator(private).bars_)[-1] == 1.5


@pytest.mark.parametrize("display", [HistoryDisplay, AssociationDisplay, PrivacyLedgerDisplay])
def test_nothing_is_drawn_before_fit(display):
    """Estimators that are not fitted are refused as scikit-learn refuses them."""
    with pytest.raises(NotFittedError):
        display.from_estimator(BatchLSTMSynthesizer())


def test_categories_are_bars():
    """Every category has two bars, the commonest first, missing cells last; what only the synthetic table has is there."""
    real = pd.DataFrame({"colour": ["red"] * 3 + ["blue"] * 2 + [None] * 5})
    synthetic = pd.DataFrame({"colour": ["red"] * 4 + ["green"] * 4})
    display = ColumnComparisonDisplay.from_predictions(real, synthetic, "colour")
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["red", "blue", "green", "(missing)"]
    np.testing.assert_allclose(heights(display.real_), [0.3, 0.2, 0.0, 0.5])
    np.testing.assert_allclose(heights(display.synthetic_), [0.5, 0.0, 0.5, 0.0], atol=1e-9)


def test_numbers_of_few_values_are_bars_in_their_order():
    """Numbers that are compared as categories stand in their order, whole ones without a point."""
    real = pd.DataFrame({"n": [3.0, 3.0, 10.0, 2.5, np.nan]})
    display = ColumnComparisonDisplay.from_predictions(real, real, "n")
    assert [label.get_text() for label in display.ax_.get_yticklabels()] == ["2.5", "3", "10", "(missing)"]


def test_categories_of_which_there_are_none_are_drawn():
    """A column without any value is one bar, of what is missing."""
    table = pd.DataFrame({"c": pd.Series([None, None], dtype=object)})
    display = ColumnComparisonDisplay.from_predictions(table, table, "c")
    np.testing.assert_allclose(heights(display.real_), [0.0, 1.0])


def test_quantities_of_which_the_synthetic_table_has_none_are_drawn():
    """Where a whole column is missing in the synthetic table, the real one decides on the bins."""
    real, synthetic = pd.DataFrame({"n": np.arange(50.0)}), pd.DataFrame({"n": [np.nan] * 50})
    display = ColumnComparisonDisplay.from_predictions(real, synthetic, "n")
    assert display.missing == (0.0, 1.0)


def test_rare_categories_share_a_bar():
    """Twelve categories have a bar of their own, the others one together."""
    names = [f"c{number:02d}" for number in range(30) for _ in range(40 - number)]
    real = pd.DataFrame({"c": names})
    display = ColumnComparisonDisplay.from_predictions(real, real, "c")
    assert list(display.real.index) == [*(f"c{number:02d}" for number in range(12)), "(18 others)"]
    assert display.real.iloc[-1] == pytest.approx(sum(40 - number for number in range(12, 30)) / len(names))
    assert display.missing == (0.0, 0.0)


def test_numbers_are_histograms():
    """Whole numbers fall into bins of whole width that hold all of them; missing cells are told in the legend."""
    real = pd.DataFrame({"n": [*range(100), np.nan, np.nan]})
    display = ColumnComparisonDisplay.from_predictions(real, real.dropna(), "n", n_bins=20)
    np.testing.assert_allclose(display.real, 5 / 102)
    np.testing.assert_allclose(display.synthetic, 5 / 100)
    assert display.real.index[0] == pd.Interval(-0.5, 4.5, closed="left")
    assert {"real, 2.0% missing", "synthetic, 0.0% missing"} <= set(texts(display))


def test_values_far_out_do_not_hide_the_others():
    """Few values far out are in the last bin, and the others are told apart."""
    real = pd.DataFrame({"n": [*np.linspace(0, 1, 999), 1e9]})
    shares = ColumnComparisonDisplay.from_predictions(real, real, "n", n_bins=10).real
    assert shares.sum() == pytest.approx(1.0)
    assert shares.max() < 0.2


@pytest.mark.parametrize("convert", [str, pd.Timestamp, lambda day: pd.Timestamp(day, tz="Europe/Berlin")])
def test_dates_are_histograms_over_time(convert):
    """Dates, as text or moments, are drawn on an axis of dates."""
    days = pd.date_range("1850-01-01", periods=200, freq="40D").strftime("%Y-%m-%d")
    real = pd.DataFrame({"day": [convert(day) for day in days]})
    display = ColumnComparisonDisplay.from_predictions(real, real, "day")
    assert display.real.index.left[0].year in (1849, 1850)
    assert display.real.sum() == pytest.approx(1.0)
    assert "1860" in texts(display)


@pytest.mark.parametrize("n_ticks", [5, 7])
def test_dates_of_any_range_are_marked_without_a_warning(n_ticks):
    """From milliseconds to centuries, an axis of dates has two to `n_ticks` marks or so, and nothing is warned of."""
    axis = pyplot.figure().add_subplot().xaxis
    for days in np.geomspace(1e-7, 1e5, 120):
        mark_dates(axis, n_ticks)
        axis.axes.set_xlim(18_000.3, 18_000.3 + days)
        assert 1 <= len(axis.get_ticklabels()) <= n_ticks + 2, days


def test_texts_are_compared_by_length():
    """Of identifiers and free text the lengths are drawn."""
    real = pd.DataFrame({"id": [f"{number:04d}" for number in range(50)]})
    display = ColumnComparisonDisplay.from_predictions(real, real + "56", "id")
    assert "characters" in texts(display)
    assert display.real.to_dict() == {pd.Interval(3.5, 4.5, closed="left"): 1.0} | dict.fromkeys(display.real.index[1:], 0.0)
    assert display.synthetic.iloc[-1] == 1.0


@pytest.mark.parametrize("values", [[np.nan] * 4, [3.0] * 4, [1.5, 2.5, np.nan, 2.5], [pd.NaT] * 4])
def test_columns_of_next_to_nothing_are_drawn(values):
    """Columns that are wholly missing or constant are drawn too."""
    table = pd.DataFrame({"x": values})
    display = ColumnComparisonDisplay.from_predictions(table, table, "x")
    assert display.missing == (table["x"].isna().mean(),) * 2
    display.figure_.canvas.draw()


def test_columns_of_arrays_are_drawn():
    """Columns of arrays go by their place."""
    table = np.random.default_rng(0).normal(size=(50, 2))
    assert ColumnComparisonDisplay.from_predictions(table, table, 1).real.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"column": "y"}, r"column must be one of real, \['x'\], got 'y'"),
        ({"column": "x", "n_bins": 1}, "n_bins must be an int >= 2, got 1"),
    ],
)
def test_what_cannot_be_compared_is_refused(arguments, message):
    """A column that is not there, and bins that are none, are refused by name."""
    table = pd.DataFrame({"x": [1.0, 2.0]})
    with pytest.raises(ValueError, match=message):
        ColumnComparisonDisplay.from_predictions(table, table, **arguments)
    with pytest.raises(ValueError, match="must have the same index"):
        ColumnComparisonDisplay("x", pd.Series([1.0], ["a"]), pd.Series([1.0], ["b"]))


@pytest.mark.parametrize("draw", ["column", "association", "ledger"])
def test_names_are_drawn_as_they_are(draw, ledger):
    """No name and no value is read as a formula, breaks a line, or is left out."""
    if draw == "column":
        table = pd.DataFrame({HOSTILE[0]: [str(value) for value in HOSTILE] * 3})
        display = ColumnComparisonDisplay.from_predictions(table, table, HOSTILE[0])
    elif draw == "association":
        names = pd.Index(HOSTILE, dtype=object, tupleize_cols=False)
        display = AssociationDisplay(pd.DataFrame(np.eye(len(names)), index=names, columns=names)).plot()
    else:
        frame = pd.concat([ledger.to_frame().assign(step=name, mechanism=name) for name in HOSTILE[:5]])
        display = PrivacyLedgerDisplay(frame, 1.0, 1e-6).plot()
    found = texts(display)
    assert {"$x^$", "a b", r"\frac{"} <= set(found)
    assert not any("\n" in text or len(text) > 60 for text in found)


def test_displays_draw_where_they_are_told(clusterer, ledger):
    """Axes that are given are used, and every plot returns the display itself."""
    table = pd.DataFrame({"x": [1.0, 2.0]})
    displays = [
        HistoryDisplay(history(2)),
        AssociationDisplay(clusterer.association_, linkage=clusterer.linkage_),
        PrivacyLedgerDisplay(ledger.to_frame(), 1.0, 1e-6),
        ColumnComparisonDisplay.from_predictions(table, table, "x"),
    ]
    for display in displays:
        figure, ax = pyplot.subplots()
        assert display.plot(ax) is display
        assert display.ax_ is ax
        assert display.figure_ is figure


def test_pictures_without_matplotlib_say_what_to_install():
    """Where matplotlib is not installed, drawing fails with the remedy, and nothing else does."""
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "import pandas as pd\n"
        "from sksynth.evaluation import HistoryDisplay\n"
        "HistoryDisplay(pd.DataFrame({'batch': [0], 'epoch': [0], 'loss': [1.0]})).plot()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert re.search(r"ImportError: HistoryDisplay needs matplotlib: pip install 'sksynth\[report\]'", done.stderr)

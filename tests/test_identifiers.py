"""Identifiers of whole tables: fresh keys as long as there are any, and patterns that fit."""

import numpy as np
import pandas as pd
import pytest

from sksynth import fields
from sksynth._sampling import SamplingError


@pytest.fixture(scope="module")
def table():
    """Return a table of a key of 100 values in int8, a key in which cells are missing, and a number."""
    rng = np.random.default_rng(0)
    keys = pd.Series(np.arange(100), dtype="int8")
    codes = pd.Series([f"030{number:07d}" for number in rng.choice(10**7, 100, replace=False)], dtype="str")
    return pd.DataFrame({"key": keys, "code": codes.mask(np.arange(100) % 2 == 0), "x": rng.normal(size=100).round(1)})


@pytest.fixture(scope="module")
def fitted(table, synthesizer):
    """Return a synthesizer that was fitted on the table; not to be changed."""
    return synthesizer().fit(table)


def test_small_dtypes_are_used_up(fitted, table):
    """Of the 128 numbers of int8 that are not negative the 28 that fit has not seen can be sampled, each once, and no more."""
    rows = fitted.sample(28, random_state=0)
    assert sorted(rows["key"]) == list(range(100, 128)) and rows["key"].dtype == "int8"
    assert fitted.sample(20, random_state=0)["key"].tolist() == rows["key"].tolist()[:20]
    for draw in (fitted.sample, fitted.sample_iter):
        with pytest.raises(ValueError, match=r"column 'key': got a request for 29 rows, expected at most 28: .* wider dtype"):
            draw(29)
    assert len(fitted.sample(29, given={"key": 5})) == 29
    assert set(fitted.sample(29, given={"key": [5, 7]})["key"]) <= {5, 7}


def test_refused_rows_use_up_keys(fitted):
    """A validator sees no row without a key; where keys end before the rows are valid, the valid ones are not lost."""
    rows = fitted.sample(5, validator=lambda row: row["key"] % 2 == 0, random_state=0)
    assert len(rows) == 5 and (rows["key"] % 2 == 0).all()
    with pytest.raises(SamplingError, match=r"only 28 records can be drawn.*longer pattern") as caught:
        fitted.sample(15, validator=lambda row: row["key"] % 2 == 0, random_state=0)
    assert sorted(caught.value.valid["key"]) == list(range(100, 128, 2))


def test_samples_are_kept_apart(fitted, tmp_path):
    """Samples of stretches of identifiers share none, whatever their seeds, and continue one another."""
    parts = [fitted.sample(14, identifiers_from=start, random_state=start)["key"] for start in (0, 14)]
    assert sorted(pd.concat(parts)) == list(range(100, 128))
    whole = fitted.sample(28, identifiers_from=0, random_state=5)
    assert whole["key"].tolist() == pd.concat(parts).tolist()
    plain = fitted.sample(28, random_state=5)
    pd.testing.assert_series_equal(whole["x"], plain["x"])
    with pytest.raises(ValueError, match="got a request for 29 rows, expected at most 28"):
        fitted.sample(9, identifiers_from=20)
    chunks = pd.concat(fitted.sample_iter(14, identifiers_from=14, chunk_size=5, random_state=1), ignore_index=True)
    assert chunks["key"].tolist() == parts[1].tolist()
    fitted.sample_to(tmp_path / "rows.csv", 14, identifiers_from=14)
    assert pd.read_csv(tmp_path / "rows.csv")["key"].tolist() == parts[1].tolist()


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"identifiers_from": -1}, ValueError, "identifiers_from must be an int from 0"),
        ({"identifiers_from": 1.5}, TypeError, "identifiers_from must be an int >= 0 or None, got 1.5"),
        ({"identifiers_from": 0, "validator": bool}, ValueError, "identifiers_from and validator.*Leave validator out"),
    ],
)
def test_wrong_stretches_are_refused(fitted, wrong, error, message):
    """Where identifiers are counted from is a number of rows, and rows that are drawn anew would not count."""
    with pytest.raises(error, match=message):
        fitted.sample(2, **wrong)


def test_columns_of_one_pattern_differ(synthesizer):
    """Two keys of one pattern are not the same number in every row."""
    rng = np.random.default_rng(0)
    keys = {name: [f"{number:08d}" for number in rng.choice(10**8, 60, replace=False)] for name in ("customer", "order")}
    rows = synthesizer().fit(pd.DataFrame({**keys, "x": np.arange(60) % 3})).sample(50, random_state=0)
    assert (rows["customer"] != rows["order"]).all()


@pytest.mark.parametrize(
    ("values", "pattern", "message"),
    [
        ([f"K-{number:03d}" for number in range(30)], "C-[0-9]{3}", "column 'key': 30 of 30 values do not fit .*'K-000'"),
        (["C-001", "C-002", "c-003"] * 10, "C-[0-9]{3}", "10 of 30 values do not fit the pattern 'C-.*, such as 'c-003'"),
        (list(range(80, 110)), "[0-9]{2}", r"10 of 30 .* such as '100'.*fields.Identifier\(\)"),
        ([5.0, 6.0, None] * 10, "[0-9]{2}", "20 of 20 values"),
        (["7", "8", "-9"] * 10, "-?[0-9]{1,2}", r"column 'key': pattern .* position 1"),
    ],
)
def test_patterns_that_do_not_fit_are_refused(values, pattern, message):
    """A pattern that is given fits every value, or the error tells how many it does not fit, one of them, and what to do."""
    with pytest.raises(ValueError, match=message):
        fields.infer_schema(pd.DataFrame({"key": values}), schema={"key": fields.Identifier(pattern)})
    fields.infer_schema(pd.DataFrame({"key": values}), schema={"key": fields.Identifier()})


def test_learned_patterns_need_not_fit_all(synthesizer, table):
    """A schema of a fit can be used again, strays of the pattern that it learned included."""
    keys = [f"K-{number:04d}" for number in range(0, 9000, 90)]
    X = pd.DataFrame({"key": [*keys[:-2], "none", "K"], "x": table["x"]})
    schema = synthesizer(schema={"key": fields.Identifier()}).fit(X).schema_
    assert schema["key"].pattern == "K-[0-9]{4}"
    assert synthesizer(schema=schema).fit(X).schema_["key"] == schema["key"]

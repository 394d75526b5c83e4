"""Categories and booleans <-> tokens."""

import re

import numpy as np
import pandas as pd
import pytest

from sksynth import fields
from sksynth.tokenizers import TableTokenizer

MISSING, OTHER = 0, 1


def fit(column, field=None, min_frequency=5):
    """Return the tokenizer of a table of one column."""
    schema = None if field is None else {"x": field}
    return TableTokenizer(schema, min_frequency=min_frequency).fit(pd.DataFrame({"x": column}))


def slot(tokenizer):
    """Return the only slot."""
    (slot,) = tokenizer.grammar_.slots
    return slot


def decode(tokenizer, tokens):
    """Return the column that tokens stand for."""
    return tokenizer.decode(np.array(tokens, np.int32)[:, None])["x"]


def test_rare_values_are_neither_stored_nor_sampled():
    """A value in fewer rows than min_frequency is OTHER: not in the schema, scored, never drawn, missing when decoded."""
    tokenizer = fit(["a"] * 9 + ["b"] * 5 + ["secret"] * 4)
    field = tokenizer.schema_["x"]
    assert field.categories == ("a", "b")
    assert (field.n_folded, field.n_folded_values) == (4, 1)
    assert "secret" not in tokenizer.schema_.to_json()
    assert slot(tokenizer).unsampled.tolist() == [True, True, False, False]
    assert tokenizer.encode(pd.DataFrame({"x": ["secret", "new", "b"]}))[:, 0].tolist() == [OTHER, OTHER, 3]
    assert decode(tokenizer, [OTHER, 2]).isna().tolist() == [True, False]


def test_a_label_for_other_is_sampled():
    """With a label for other values, OTHER may be drawn and comes back as the label."""
    tokenizer = fit(["a"] * 9 + ["b", "c"], fields.Category(other="Other"))
    assert slot(tokenizer).unsampled.tolist() == [True, False, False]
    assert decode(tokenizer, [OTHER, 2]).tolist() == ["Other", "a"]


def test_the_label_may_be_a_category_too():
    """A label that is one of the categories adds no second value of that name."""
    tokenizer = fit(["a"] * 9 + ["Other"] * 6 + ["c"], fields.Category(other="Other"))
    assert decode(tokenizer, [OTHER, 2, 3]).tolist() == ["Other", "Other", "a"]


def test_given_categories_are_public():
    """Given categories are tokens in their order, whether rows hold them or not."""
    tokenizer = fit(["a"] * 3, fields.Category(["z", "a"]))
    assert tokenizer.schema_["x"].categories == ("z", "a")
    assert decode(tokenizer, [2, 3]).tolist() == ["z", "a"]
    assert not slot(tokenizer).unsampled[2:].any()


def test_unused_levels_stay_and_rare_levels_go():
    """A categorical column keeps its order and unused levels; a level that few rows hold is dropped, as it is not stored."""
    dtype = pd.CategoricalDtype(["low", "rare", "unused", "high"], ordered=True)
    tokenizer = fit(pd.Series(["high"] * 6 + ["low"] * 5 + ["rare"], dtype=dtype))
    again = decode(tokenizer, [2, 3, MISSING])
    assert again.dtype == pd.CategoricalDtype(["low", "unused", "high"], ordered=True)
    assert again[:2].tolist() == ["low", "high"]
    assert tokenizer.schema_["x"].categories == ("low", "high")


def test_a_label_becomes_a_level():
    """The label for other values is added to the levels of a categorical column."""
    column = pd.Series(["a"] * 6 + ["b"], dtype="category")
    again = decode(fit(column, fields.Category(other="rest")), [OTHER, 2])
    assert again.tolist() == ["rest", "a"]
    assert list(again.cat.categories) == ["a", "rest"]


def test_a_text_label_for_numbers_makes_objects():
    """Numbers declared a category with a text label come back as objects, as the label does not fit their dtype."""
    again = decode(fit([1] * 6 + [2] * 2, fields.Category(other="many")), [OTHER, 2])
    assert again.tolist() == ["many", 1]


def test_values_are_told_apart_by_type():
    """1, True, "1" and 2.5 in one column are four categories."""
    cells = [1, True, "1", 2.5]
    tokenizer = fit(pd.Series(cells * 5, dtype=object))
    again = tokenizer.decode(tokenizer.encode(pd.DataFrame({"x": pd.Series(cells, dtype=object)})))["x"]
    assert [(type(cell), cell) for cell in again] == [(type(cell), cell) for cell in cells]


def test_codes_of_another_categorical_do_not_matter():
    """A categorical column is read by value: other levels, or another order of them, give the same tokens."""
    tokenizer = fit(pd.Series(["a", "b"] * 5, dtype="category"))
    other = pd.Series(pd.Categorical(["b", "z", None, "a"], categories=["z", "b", "a"]))
    assert tokenizer.encode(pd.DataFrame({"x": other}))[:, 0].tolist() == [3, OTHER, MISSING, 2]
    assert tokenizer.encode(pd.DataFrame({"x": ["b", "z", None, "a"]}))[:, 0].tolist() == [3, OTHER, MISSING, 2]


def test_booleans_have_both_values_and_no_other():
    """Both booleans are legal where rows hold only one of them, and nothing else is."""
    tokenizer = fit([True] * 3)
    assert decode(tokenizer, [2, 3]).tolist() == [False, True]
    assert slot(tokenizer).transitions[0].tolist() == [0, -1, 0, 0]
    assert slot(tokenizer).unsampled.tolist() == [True, True, False, False]


@pytest.mark.parametrize("cells", [[1, 0], ["yes", "no"]])
def test_booleans_are_true_and_false(cells):
    """A Boolean field on numbers or strings is refused by name."""
    with pytest.raises(ValueError, match=r"column 'x': expected True and False, got .*schema=.*fields.Category"):
        fit(cells, fields.Boolean())


@pytest.mark.parametrize(("cells", "dtype"), [([True, False], "boolean"), ([1, 2], "Int64")])
def test_missing_cells_that_the_dtype_cannot_hold_widen_it(cells, dtype):
    """nullable=True on a bool or integer column gives pandas' nullable dtype, said in the schema."""
    kind = fields.Boolean if dtype == "boolean" else fields.Category
    tokenizer = fit(cells * 5, kind(nullable=True))
    assert tokenizer.schema_["x"].dtype == dtype
    assert not slot(tokenizer).unsampled[MISSING]
    again = decode(tokenizer, [MISSING, 2])
    assert str(again.dtype) == dtype
    assert again.isna().tolist() == [True, False]


def test_a_category_without_values_can_always_be_drawn():
    """Where every value is folded, a label is drawn for strings and missing for others; a note says so and its remedy."""
    tokenizer = fit(["a", "b"])
    assert re.search("all values are sampled as 'other'.*no value is in 5 or more.*min_freq", str(tokenizer.schema_.notes))
    assert slot(tokenizer).unsampled.tolist() == [True, False]
    assert tokenizer.schema_["x"].other == "other"
    tokenizer = fit(pd.Series([("a", 1)[i] for i in range(2)], dtype=object))
    assert "as missing" in str(tokenizer.schema_.notes)
    assert slot(tokenizer).unsampled.tolist() == [False, True]
    assert tokenizer.schema_["x"].nullable


def test_the_marker_of_a_missing_cell_comes_back():
    """None in an object column stays None, nan stays nan."""
    for marker in (None, np.nan):
        tokenizer = fit(pd.Series(["a"] * 5 + [marker], dtype=object))
        assert decode(tokenizer, [MISSING])[0] is marker

"""Columns that two others tell: how far they still do in a synthetic table."""

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from ._draws import check_count, draw, seed_of
from ._features import features
from ._kinds import kinds_of, plain_tables

N_LIKELY = 6  # columns of which every two are tried, those that a tree on all columns uses most
N_TRIED = 30  # columns that such a tree looks at in a split, so that wide tables are done in time
MAX_COLUMNS = 300
LEAF = 3  # rows in a leaf
TOLD = 0.3  # of its variation, at least, of a column that counts as told
MISSING = -2.0  # the class of missing cells
FIELDS = ["column", "column_1", "column_2", "score", "real"]


def triple_trends(
    real: Any, synthetic: Any, holdout: Any = None, *, n_samples: int = 4_000, random_state: Any = 0
) -> pd.DataFrame:
    """Return which columns two others tell in a real table, and how far they do in a synthetic one.

    For every column a decision tree learns from two thirds of the real rows to predict it from two other columns, those two
    that do it best on the last third. Then it predicts further real rows and the synthetic ones. Where it is right about
    real rows and wrong about synthetic ones, a rule of the real table is broken that no pair of columns shows, such as
    a total that is price times quantity.

    Parameters
    ----------
    real, synthetic : DataFrame or ndarray, shape (n_rows, n_columns)
        Of the same columns.
    holdout : DataFrame or ndarray, default=None
        Further real rows; None: the last third of the rows of `real` stands in for them.
    n_samples : int, default=4_000
        Rows drawn of each table, if it has as many.
    random_state : int, Generator or None, default=0
        Of the draw and the trees.

    Returns
    -------
    triples : DataFrame, shape (n_triples, 5)
        Those that lack most first; of the triples of the same three columns the first:

        - column: the column that is predicted;
        - column_1, column_2: the two that predict it;
        - score: how much of the column they tell in the synthetic table: of a number the share of the mean absolute
          deviation from the real median that is explained, of a category the share of the errors of always guessing the
          commonest that are avoided; 1 is all, 0 nothing;
        - real: the same of real rows, at least 0.3.

        Columns of kind "unique" and constant ones are left out, as are all beyond the first 300.

    Raises
    ------
    TypeError, ValueError
        If a table is none, or the columns differ; the message names the column.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sksynth.evaluation import triple_trends
    >>> one, other = np.random.default_rng(0).uniform(1, 9, (2, 900))
    >>> real = pd.DataFrame({"price": one, "amount": other, "total": one * other})
    >>> triple_trends(real, real.assign(total=(one * other)[::-1]))[["column", "column_1", "column_2"]].values.tolist()
    [['total', 'price', 'amount']]
    """
    check_count("n_samples", n_samples, 3)
    tables = {"real": real, "synthetic": synthetic} | ({} if holdout is None else {"holdout": holdout})
    real, *others = plain_tables(**tables)
    kinds, seed = kinds_of(real), seed_of(random_state)
    varies = np.array([column.nunique() + column.isna().any() > 1 for _, column in real.items()])
    kept = np.flatnonzero(varies & (kinds != "unique").to_numpy())[:MAX_COLUMNS]
    drawn = [draw(table, min(n_samples, len(table)), seed) for table in (real, *others)]
    seen = [features(table, real, kinds).to_numpy()[:, kept] for table in drawn]
    third = len(seen[0]) // 3
    learned, chosen = seen[0][third:], seen[0][:third]
    judged = seen[2] if len(seen) > 2 else chosen
    if len(kept) < 3 or third < LEAF:
        return _as_table([])
    numbers, names, rows = kinds.to_numpy()[kept] == "number", list(real.columns), []
    for place in range(len(kept)):
        predict, pair = _best(learned, chosen, place, numbers[place], seed)
        scores = [_told(predict, table, pair, place, learned, numbers[place]) for table in (seen[1], judged)]
        rows.append((names[kept[place]], *(names[kept[other]] for other in pair), *scores))
    return _as_table(rows)


def _as_table(rows):
    rows = sorted((row for row in rows if row[4] >= TOLD), key=lambda row: row[3] - row[4])
    first = list({frozenset(row[:3]): row for row in reversed(rows)}.values())[::-1]
    first.sort(key=lambda row: row[3] - row[4])
    return pd.DataFrame(first, columns=FIELDS, dtype=object).astype({"score": float, "real": float})


def _best(learned, chosen, place, is_number, seed):
    """Return the predictor of a column by the two others that tell it best, and their places."""
    others = np.delete(np.arange(learned.shape[1]), place)
    tree = _fit(learned, others, place, is_number, seed)
    likely = np.sort(others[np.argsort(-tree.feature_importances_, kind="stable")[:N_LIKELY]])
    tried = [(_fit(learned, pair, place, is_number, seed), pair) for pair in map(list, combinations(likely, 2))]
    return max(tried, key=lambda found: _told(*[found[0], chosen, found[1]], place, learned, is_number))


def _fit(learned, others, place, is_number, seed):
    rows, target = _known(learned, place, is_number)
    kind = DecisionTreeRegressor if is_number else DecisionTreeClassifier
    tree = kind(min_samples_leaf=LEAF, max_features=min(N_TRIED, len(others)), random_state=seed)
    return tree.fit(rows[:, others], target)


def _known(table, place, is_number):
    """Return the rows of which a column is known, and the column; missing is a class of categories."""
    column = table[:, place]
    if not is_number:
        return table, np.where(np.isnan(column), MISSING, column)
    known = ~np.isnan(column)
    return table[known], column[known]


def _told(tree, table, others, place, learned, is_number):
    """Return how much of a column of a table two others tell, 0 to 1."""
    rows, target = _known(table, place, is_number)
    if not len(rows):
        return 0.0
    found, usual = tree.predict(rows[:, others]), _known(learned, place, is_number)[1]
    if is_number:
        errors, guesses = np.abs(target - found).mean(), np.abs(target - np.median(usual)).mean()
    else:
        values, counts = np.unique(usual, return_counts=True)
        errors, guesses = (target != found).mean(), (target != values[counts.argmax()]).mean()
    return float(max(1.0 - errors / guesses, 0.0)) if guesses > 0 else float(errors == 0)

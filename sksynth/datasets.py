"""Small tables to try things on: a real one, and a made one that has every kind of column."""

from importlib import resources
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

__all__ = ["load_adult", "make_mixed"]

_CURRENCY = {"Austria": "EUR", "Germany": "EUR", "Switzerland": "CHF", "Czechia": "CZK", "Hungary": "HUF"}
_SIZES = ["S", "M", "L", "XL"]
_TODAY = np.datetime64("2025-01-01", "D")
_PHRASES = {
    "bad": ["late", "too late", "broken", "wrong colour", "not again", "no answer", "rude", "waste of money"],
    "fair": ["fine", "as expected", "nothing special", "could be faster", "fair price", "does the job", "so-so", "okay"],
    "good": ["quick", "very quick", "lovely", "what a gift", "thank you!", "friendly", "well packed", "worth every cent"],
}


def load_adult() -> pd.DataFrame:
    """Load 4,000 rows of the Adult table: people in the United States census of 1994 and what they earn.

    Returns
    -------
    adult : DataFrame, shape (4000, 15)
        Six columns of integers: age and education-num (years), fnlwgt (people whom the row stands for), capital-gain and
        capital-loss (US dollars a year, mostly 0), hours-per-week; nine of strings: workclass, education, marital-status,
        occupation, relationship, race, sex, native-country and income (``"<=50K"`` or ``">50K"``). Cells that the source
        marks with ``?`` (in workclass, occupation and native-country) are missing.

    Notes
    -----
    A random sample of the training part of the table of Becker and Kohavi [1]_, licensed under CC BY 4.0.

    References
    ----------
    .. [1] Becker, B. & Kohavi, R. (1996). Adult [Dataset]. UCI Machine Learning Repository.
       https://doi.org/10.24432/C5XW20

    Examples
    --------
    >>> from sksynth.datasets import load_adult
    >>> load_adult().shape
    (4000, 15)
    """
    with resources.files(__package__).joinpath("data", "adult.csv.gz").open("rb") as file:
        return pd.read_csv(file, compression="gzip", na_values="?", keep_default_na=False)


def make_mixed(n_samples: int = 1000, *, random_state=None) -> pd.DataFrame:
    """Make a table of orders of a small shop: every kind of column, missing cells, and dependencies that are known.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of rows, at least 1.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws; the same integer gives the same table.

    Returns
    -------
    orders : DataFrame, shape (n_samples, 20)
        In this order:

        ============= ====================== ==========================================================================
        column        dtype                  values
        ============= ====================== ==========================================================================
        order         str                    identifier such as ``"ORD-004217"``, unique
        country       str                    one of five, from 40 % Austria to 5 % Hungary
        currency      category               determined by country: EUR, CHF, CZK, HUF
        birth_date    str                    ISO date, 1935-01-02 to 2007-01-01
        age           int64                  whole years from birth_date to 2025-01-01: 18 to 89
        member        bool                   share rises with age, from about 20 % below 30 to about 80 % above 70
        member_since  datetime64[ns]         whole days from 2019-01-01; missing exactly where member is False
        newsletter    boolean                never missing for members, missing in 70 % of the rows of others
        children      Int64                  0 to 8; missing in 10 % of the rows, whatever the others hold
        size          category, ordered      S < M < L < XL < XXL; XXL is never used
        weight        float64                kilograms, no limit of decimals; mean 2, 4, 8, 16 for S, M, L, XL
        temperature   float32                degrees Celsius when packed, one decimal, depends on nothing
        price         float64                two decimals, 5 and more; grows with weight (rank correlation about 0.8)
        discount      float64                two decimals; 0 for all who are not members and for 40 % of the members, else
                                             1 to 20 % of the price
        points        int32                  0 for all who are not members, else the price rounded down
        ordered_at    datetime64[s, tz]      2024 in Europe/Vienna, to the second, from 8 to 21 o'clock
        status        str                    delivered 85 %, cancelled 10 %, lost 5 %
        delivery      timedelta64[s]         2 hours and more, longer abroad; missing exactly where status is not delivered
        rating        Int8                   1 to 5, falls with delivery; missing exactly where status is cancelled
        comment       str                    free text, three phrases which tell a rating of 1 or 2 from 3 and from 4 or 5;
                                             present in 90 % of the rows rated 1 or 2, in 40 % of the others with a rating
        ============= ====================== ==========================================================================

    Raises
    ------
    ValueError
        If n_samples is not an integer of at least 1.

    Examples
    --------
    >>> from sksynth.datasets import make_mixed
    >>> orders = make_mixed(200, random_state=0)
    >>> bool((orders["member_since"].isna() == ~orders["member"]).all())
    True
    """
    if not isinstance(n_samples, Integral) or isinstance(n_samples, bool) or n_samples < 1:
        raise ValueError(f"The 'n_samples' parameter of make_mixed must be an int >= 1, got {n_samples!r}.")
    rng = check_random_state(random_state)
    orders = pd.DataFrame({"order": _identifiers(n_samples, rng)})
    return orders.pipe(_add_customers, rng).pipe(_add_goods, rng).pipe(_add_delivery, rng)


def _strings(values) -> pd.Series:
    """Strings as pandas itself would hold them: str in pandas 3, object before."""
    return pd.Series(np.asarray(values).tolist())


def _identifiers(n, rng) -> pd.Series:
    """Give distinct numbers with gaps between them, in no order."""
    numbers = rng.permutation(3 * n)[:n].astype(str)
    return _strings(np.char.add("ORD-", np.char.zfill(numbers, 6)))


def _add_customers(orders, rng) -> pd.DataFrame:
    """Add who ordered: country to children."""
    n = len(orders)
    country = _strings(rng.choice(list(_CURRENCY), n, p=[0.4, 0.3, 0.15, 0.1, 0.05]))
    birth = np.datetime64("1935-01-02", "D") + rng.randint(0, 26_297, n)  # the last: 2007-01-01
    age = _whole_years(birth)
    member = rng.uniform(size=n) < np.interp(age, [30, 70], [0.2, 0.8])
    since = np.datetime64("2019-01-01", "D") + rng.randint(0, 5 * 365, n)
    told = member | (rng.uniform(size=n) < 0.3)
    return orders.assign(
        country=country,
        currency=pd.Categorical(country.map(_CURRENCY), categories=["CHF", "CZK", "EUR", "HUF"]),
        birth_date=_strings(birth.astype(str)),
        age=age,
        member=member,
        member_since=pd.Series(since.astype("datetime64[ns]")).where(member),
        newsletter=pd.Series(rng.uniform(size=n) < 0.5).astype("boolean").where(told),
        children=pd.Series(np.minimum(rng.poisson(1.2, n), 8)).astype("Int64").where(rng.uniform(size=n) >= 0.1),
    )


def _whole_years(birth) -> np.ndarray:
    """Count the birthdays up to today, a first of January: each year after that of birth had one."""
    years = _TODAY.astype("datetime64[Y]") - birth.astype("datetime64[Y]")
    had_none_today = birth > birth.astype("datetime64[Y]").astype("datetime64[D]")
    return years.astype(np.int64) - had_none_today


def _add_goods(orders, rng) -> pd.DataFrame:
    """Add what was ordered: size to points."""
    n = len(orders)
    size = rng.choice(len(_SIZES), n, p=[0.3, 0.4, 0.2, 0.1])
    weight = 2.0 ** (size + 1) * np.exp(rng.normal(-0.02, 0.2, n))
    price = np.round(5 + 10 * weight**0.8 * np.exp(rng.normal(0, 0.4, n)), 2)
    reduced = orders["member"] & (rng.uniform(size=n) < 0.6)
    return orders.assign(
        size=pd.Categorical.from_codes(size, [*_SIZES, "XXL"], ordered=True),
        weight=weight,
        temperature=np.round(rng.normal(18, 4, n), 1).astype(np.float32),
        price=price,
        discount=np.where(reduced, np.round(price * rng.uniform(0.01, 0.2, n), 2), 0.0),
        points=np.where(orders["member"], np.floor(price), 0).astype(np.int32),
    )


def _add_delivery(orders, rng) -> pd.DataFrame:
    """Add what became of it: ordered_at to comment."""
    n = len(orders)
    local = np.datetime64("2024-01-01T08:00:00", "s") + rng.randint(0, 366, n) * 86_400 + rng.randint(0, 13 * 3_600, n)
    status = rng.choice(["delivered", "cancelled", "lost"], n, p=[0.85, 0.1, 0.05])
    hours = 2 + rng.gamma(2.0, np.where(orders["country"] == "Austria", 10, 30))
    mood = np.where(status == "lost", 1, 5.5 - hours / 30 + rng.normal(0, 0.5, n))
    rating = np.clip(np.round(mood), 1, 5).astype(int)
    rated = status != "cancelled"
    wrote = rated & (rng.uniform(size=n) < np.where(rating <= 2, 0.9, 0.4))
    return orders.assign(
        ordered_at=pd.Series(local).dt.tz_localize("Europe/Vienna"),
        status=_strings(status),
        delivery=pd.Series((hours * 3_600).astype("timedelta64[s]")).where(status == "delivered"),
        rating=pd.Series(rating).astype("Int8").where(rated),
        comment=_strings(_comments(rating, rng)).where(wrote),
    )


def _comments(rating, rng) -> np.ndarray:
    """Join three phrases that suit each rating."""
    phrases = [np.array(_PHRASES[mood]) for mood in ("bad", "bad", "fair", "good", "good")]
    first, second, third = (np.choose(rating - 1, [rng.choice(known, len(rating)) for known in phrases]) for _ in range(3))
    return first.astype(object) + ", " + second + ", " + third

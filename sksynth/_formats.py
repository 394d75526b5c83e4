"""Formats in which strings hold dates: found in a column, and written exactly.

A format is one of strftime. Beside its own directives it may have ``%-d`` (and m, H, I, M, S: no leading zero), ``%^b`` (in
capitals; also B, a, A), ``%P`` (am or pm in small letters) and ``%3f`` (milliseconds).
"""

import re
from dataclasses import dataclass
from datetime import datetime
from itertools import product

import numpy as np
import pandas as pd

__all__ = [
    "SAMPLE",
    "DateFormat",
    "digits_of_dates",
    "distinct_texts",
    "find_date_format",
    "parse_dates",
    "plain_format",
    "write_dates",
]

SAMPLE = 200  # distinct strings on which candidates are tried first
FIRST_YEAR, LAST_YEAR = 1800, 2200  # of formats that are not ISO, where other numbers may look like years
FLAGGED = re.compile(r"%-([dmHIMS])|%\^([bBaA])|%(P)|%3(f)")
TIME = re.compile(
    r"(?P<before>[T ]|, )?(?P<hour>\d{1,2}):\d\d(?P<second>:\d\d)?(?P<part>\.\d{3}|\.\d{6})?(?P<half> ?[AaPp][Mm])?"
    r"(?P<zone>Z| ?UTC| ?GMT|[+-]\d\d:?\d\d)?$"
)
WEEKDAY = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun)([a-z]*)(,? )", re.IGNORECASE)
ISO = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y")  # dates that are dates however few they are


@dataclass(frozen=True)
class DateFormat:
    """A format that strings are written in.

    Parameters
    ----------
    format : str
    fits : ndarray of bool
        Which of the strings.
    other : str or None
        A format with day and month exchanged that fits them as well.
    """

    format: str
    fits: np.ndarray
    other: str | None = None

    @property
    def is_iso(self) -> bool:
        """Whether the date is written in a way that hardly anything else is."""
        return self.format.startswith(ISO)


def parse_dates(values: pd.Series, format: str) -> pd.Series:
    """Return the moments that strings stand for; missing where they are of another format."""
    plain = plain_format(format)
    try:
        stamps = pd.to_datetime(values, format=plain, errors="coerce")
    except UnicodeEncodeError:  # half of a surrogate pair, which is part of no date
        whole = [cell.encode("utf-8", "replace").decode() if isinstance(cell, str) else cell for cell in values]
        stamps = pd.to_datetime(pd.Series(whole, values.index, dtype=object), format=plain, errors="coerce")
    if stamps.dtype != "datetime64[ns]":
        return stamps
    lost = (values.notna() & stamps.isna()).to_numpy()
    moments = stamps.to_numpy("datetime64[us]", copy=True)  # pandas 2 reads nanoseconds, which hold the years 1678 to 2261
    moments[lost] = np.array([_far_date(text, plain) for text in values[lost]], "datetime64[us]")
    return pd.Series(moments, index=values.index)


def _far_date(text, format):
    try:
        return datetime.strptime(text, format)
    except ValueError:
        return None


def plain_format(format: str) -> str:
    """Return a format that pandas reads the same strings by."""
    return FLAGGED.sub(lambda found: "%" + next(filter(None, found.groups())).replace("P", "p"), format)


def write_dates(stamps: pd.Series, format: str) -> pd.Series:
    """Return moments as strings."""
    flagged = FLAGGED.sub(lambda found: f"\x00{found[0]}\x01", format)
    if flagged == format:
        return stamps.dt.strftime(format)
    parts = re.split("\x00(.*?)\x01", flagged)  # literal, flagged, literal, ...
    texts = [_flagged(stamps, part) if place % 2 else _literal(stamps, part) for place, part in enumerate(parts) if part]
    return texts[0].str.cat(texts[1:]) if len(texts) > 1 else texts[0]


def _literal(stamps, part):
    return stamps.dt.strftime(part) if "%" in part else pd.Series(part, index=stamps.index, dtype=object)


def _flagged(stamps, part):
    directive = "%" + part[-1]
    if part[1] == "-":
        return stamps.dt.strftime(directive).str.replace(r"^0(?=.)", "", regex=True)
    if part[1] == "^":
        return stamps.dt.strftime(directive).str.upper()
    return stamps.dt.strftime("%p").str.lower() if part == "%P" else stamps.dt.strftime("%f").str[:3]


def digits_of_dates(values: pd.Series, format: str) -> pd.Series:
    """Return whole numbers, which begin with no zero, as strings in the width of a format; missing ones are None."""
    width = len(write_dates(pd.Series([pd.Timestamp("2021-10-10 10:10:10")]), format)[0])
    whole = values.astype("Int64") if pd.api.types.is_float_dtype(values.dtype) else values
    return whole.astype(str).str.zfill(width).astype(object).where(values.notna(), None)


def distinct_texts(values: pd.Series) -> pd.Series:
    """Return the distinct cells of a column that are not missing, as strings."""
    return pd.Series([str(value) for value in values.dropna().unique()], dtype=object)


def find_date_format(texts: pd.Series) -> DateFormat | None:
    """Return the format that most of some distinct strings are written in exactly; None if there is none.

    Where day and month could be exchanged, the order that fits more strings is taken. Where both fit all of them, a part that
    is always the same is the day; else the month comes first between slashes, the day between others.
    """
    some = texts.iloc[:: max(1, len(texts) // SAMPLE)]
    shapes = some.str.replace(r"\d+", "0", regex=True).str.replace(r"[^\W\d]+", "a", regex=True)
    if not len(some) or not shapes.str.contains("0").any():
        return None
    usual = some[shapes == shapes.value_counts().index[0]].iloc[0]
    shares = {format: _fits(some, format).mean() for format in _candidates(usual)}
    likely = [format for format, share in shares.items() if share > 0 and share >= max(shares.values()) - 0.1]
    found = {format: _fits(texts, format) for format in likely}
    if not found:
        return None
    most = max(fits.sum() for fits in found.values())
    best = [format for format, fits in found.items() if fits.sum() == most]
    exchanged = next((other for other in best if other != best[0] and _exchanged(other) == best[0]), None)
    first, second = _in_order(best[0], exchanged, texts) if exchanged else (best[0], None)
    return DateFormat(first, found[first], second) if most else None


def _exchanged(format):
    return re.sub("%(-?)([dm])", lambda found: f"%{found[1]}{'m' if found[2] == 'd' else 'd'}", format)


def _in_order(month_first, day_first, texts):
    """Return two formats of which either fits, the likelier one first."""
    if "%m" not in month_first[:2] and "%-m" not in month_first[:3]:
        month_first, day_first = day_first, month_first
    stamps = parse_dates(texts, month_first).dropna()
    constant = [getattr(stamps.dt, part).nunique() == 1 for part in ("month", "day")]
    if constant[0] != constant[1]:
        return (day_first, month_first) if constant[0] else (month_first, day_first)
    return (month_first, day_first) if "/" in month_first else (day_first, month_first)


def _fits(texts, format):
    stamps = parse_dates(texts, format)
    fits = stamps.notna().to_numpy()
    if not fits.any():
        return fits
    if not format.startswith(ISO) and "%Y" in format:
        fits = fits & stamps.dt.year.between(FIRST_YEAR, LAST_YEAR).to_numpy()
    written = write_dates(stamps.where(fits, stamps[stamps.notna()].iloc[0]), format)
    return fits & (written.to_numpy(object) == texts.to_numpy(object))


def _candidates(text):
    """Return the formats that a string may be written in."""
    clock, times = TIME.search(text), [""]
    if clock is not None:
        text, times = text[: clock.start()], _clocks(clock)
    if clock is not None and not text:
        return [time for time in times if time]
    day = WEEKDAY.match(text)
    names = [""]
    if day is not None:
        case = "^" if day[1].isupper() else ""
        names = [f"%{case}{'A' if day[2] else 'a'}{day[3]}"]
        text = text[day.end() :]
    return [name + date + time for date, name, time in product(_dates(text), names, times)]


def _clocks(found):
    """Return the formats of the time of day that `TIME` found."""
    half = found["half"]
    letter = "" if half is None else half.replace(half.strip(), "%p" if half.strip().isupper() else "%P")
    hours = [f"%{flag}{'H' if half is None else 'I'}" for flag in ("", "-")]
    part = {None: "", 4: ".%3f", 7: ".%f"}[found["part"] and len(found["part"])]
    rest = ":%M" + (":%S" if found["second"] else "") + part + letter + (found["zone"] or "")
    return [(found["before"] or "") + hour + rest for hour in hours]


def _dates(text):
    """Return the formats of a date."""
    if re.fullmatch(r"\d{8}", text):
        return ["%Y%m%d", "%d%m%Y", "%m%d%Y"]
    if re.fullmatch(r"\d{14}", text):
        return ["%Y%m%d%H%M%S"]
    if found := re.fullmatch(r"(\d{4})([-/.])\d{1,2}", text):
        return [f"%Y{found[2]}%m"]
    if found := re.fullmatch(r"\d{1,2}([-/.])\d{4}", text):
        return [f"%m{found[1]}%Y", f"%-m{found[1]}%Y"]
    if found := re.fullmatch(r"\d{4}([-/. ])\d{1,2}\1\d{1,2}", text):
        return [f"%Y{found[1]}%{flag}m{found[1]}%{flag}d" for flag in ("", "-")]
    if found := re.fullmatch(r"\d{1,2}([-/. ])\d{1,2}\1(\d{4}|\d\d)", text):
        year, gap = "%Y" if len(found[2]) == 4 else "%y", found[1]
        orders = [f"%{flag}{one}{gap}%{flag}{two}{gap}{year}" for flag in ("", "-") for one, two in ("md", "dm")]
        return orders + ([f"%y{gap}%m{gap}%d"] if year == "%y" else [])
    return _named_dates(text)


def _named_dates(text):
    """Return the formats of a date that names its month."""
    name = re.search(r"[^\W\d]{3,}\.?", text)
    if name is None:
        return []
    case = "^" if name[0].isupper() else ""
    before, after = text[: name.start()], text[name.end() :]
    month = [f"%{case}{letter}{'.' if name[0].endswith('.') else ''}" for letter in "bB"]
    if found := re.fullmatch(r"\d{1,2}([-/. ]|\. )", before):
        years = re.fullmatch(r"([-/. ]|, )(\d{4}|\d\d)", after)
        ends = [] if years is None else [years[1] + ("%Y" if len(years[2]) == 4 else "%y")]
        return [f"%{flag}d{found[1]}{one}{end}" for one in month for flag in ("", "-") for end in ends]
    if found := re.fullmatch(r"(\d{4})([-/. ])", before):
        days = re.fullmatch(r"([-/. ])\d{1,2}", after)
        return [] if days is None else [f"%Y{found[2]}{one}{days[1]}%{flag}d" for one in month for flag in ("", "-")]
    if before:
        return []
    if found := re.fullmatch(r"([-/. ])\d{1,2}(, | )\d{4}", after):
        return [f"{one}{found[1]}%{flag}d{found[2]}%Y" for one in month for flag in ("", "-")]
    found = re.fullmatch(r"([-/. ])(\d{4}|\d\d)", after)
    return [] if found is None else [f"{one}{found[1]}{'%Y' if len(found[2]) == 4 else '%y'}" for one in month]

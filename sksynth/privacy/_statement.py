"""The privacy statement: what was spent, by what, and what is not covered, for somebody who has not read the code."""

import textwrap
from collections.abc import Sequence
from decimal import ROUND_CEILING, Context
from importlib.metadata import version

from ._ledger import DP_SGD, Ledger

UNIT = (
    "Unit: one row of the table. Two tables are neighbours if one is the other with one row {adjacency}. Somebody to whom k "
    "rows belong is protected at about k times epsilon."
)
SAMPLING = (
    "Sampling of rows: each step of training draws every row independently with the same probability (Poisson sampling), "
    "without a largest number of rows; gradients are clipped row by row."
)
RANDOM = (
    "Random numbers: the draws of rows and the noise are made by NumPy's PCG64DXSM generator, seeded by the operating system "
    "for this fit alone and never stored, in double precision; it is no cryptographic generator. random_state fixes the "
    "initial weights, dropout and what is sampled, never the noise."
)
UNCOVERED = (
    "Not covered: what is computed from the rows outside this fit, such as scores and reports against them, a choice among "
    "several fits (grid search), or sampled rows dropped for being like real ones; the time that the fit took; error messages."
)


def privacy_statement(
    ledger: Ledger,
    epsilon: float,
    *,
    n_rows: int,
    public_rows: bool,
    public_columns: Sequence,
    private_columns: Sequence,
    also: str | None = None,
) -> str:
    """Return the statement of a fit.

    Parameters
    ----------
    ledger : Ledger
    epsilon : float
        Of all its entries together.
    n_rows : int
        Public or noisy.
    public_rows : bool
    public_columns, private_columns : sequence
        Whose domain the caller gave, and whose was released under the ledger.
    also : str, optional
        What is public where there are no columns.
    """
    adjacency = "replaced by one that contributes nothing" if public_rows else "added or removed"
    n_columns = len(public_columns) + len(private_columns)
    public = ["the parameters of the fit", also or f"names and dtypes of the {n_columns} columns"]
    if public_rows:
        public.append(f"the number of rows ({n_rows:,})")
    if public_columns:
        public.append("the domains given in schema, of " + ", ".join(map(repr, public_columns)))
    if private_columns:
        public.append("that cells may be missing in " + ", ".join(map(repr, private_columns)))
    parts = [
        f"This fit, and everything sampled from it, is (epsilon, delta)-differentially private with epsilon = "
        f"{_rounded_up(epsilon, 4)} and delta = {_rounded_up(ledger.delta, 3)}.",
        UNIT.format(adjacency=adjacency),
        "Taken to be public: " + "; ".join(public) + ".",
        "Everything else that the fit learned of the rows was released by these steps:",
        *(_entry(entry) for entry in ledger.entries),
        *([SAMPLING] if any(entry.mechanism == DP_SGD for entry in ledger.entries) else []),
        f"Composition: privacy loss distributions, dp-accounting {version('dp-accounting')}.",
        RANDOM,
        UNCOVERED,
    ]
    return "\n".join(textwrap.fill(part, 100, subsequent_indent="  " if part.startswith("- ") else "") for part in parts)


def _entry(entry):
    numbers = ", ".join(f"{name.replace('_', ' ')} {_short(value)}" for name, value in entry.parameters.items())
    return f"- {entry.step}: {entry.mechanism}" + (f" ({numbers})" if numbers else "") + f"; covers {entry.covers}"


def _short(value):
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def _rounded_up(value, n_digits):
    """Return what is spent as text of so many digits, never less than it is."""
    context = Context(prec=n_digits, rounding=ROUND_CEILING)
    return f"{float(context.create_decimal_from_float(float(value))):.{n_digits}g}"

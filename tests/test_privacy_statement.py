"""Promises of the privacy statement: every word of it, as its readers have nothing else."""

from importlib.metadata import version

import pytest

from sksynth.privacy import Ledger, gaussian_event
from sksynth.privacy._statement import privacy_statement

PUBLIC = """\
This fit, and everything sampled from it, is (epsilon, delta)-differentially private with epsilon =
2.346 and delta = 1.24e-06.
Unit: one row of the table. Two tables are neighbours if one is the other with one row replaced by
one that contributes nothing. Somebody to whom k rows belong is protected at about k times epsilon.
Taken to be public: the parameters of the fit; names and dtypes of the 2 columns; the number of rows
(12,345); the domains given in schema, of 'age', 1.
Everything else that the fit learned of the rows was released by these steps:
- shapes: Gaussian mechanism; covers the shapes of columns
- training of batch 0: DP-SGD (noise multiplier 1.2346, steps taken 123456); covers all that is in
  the weights of the model of batch 0
Sampling of rows: each step of training draws every row independently with the same probability
(Poisson sampling), without a largest number of rows; gradients are clipped row by row.
Composition: privacy loss distributions, dp-accounting {version}.
Random numbers: the draws of rows and the noise are made by NumPy's PCG64DXSM generator, seeded by
the operating system for this fit alone and never stored, in double precision; it is no
cryptographic generator. random_state fixes the initial weights, dropout and what is sampled, never
the noise.
Not covered: what is computed from the rows outside this fit, such as scores and reports against
them, a choice among several fits (grid search), or sampled rows dropped for being like real ones;
the time that the fit took; error messages."""


@pytest.fixture
def ledger():
    """Return a ledger of one release of counts."""
    ledger = Ledger(1.234e-6)
    ledger.add("shapes", "Gaussian mechanism", gaussian_event(10.0), covers="the shapes of columns")
    return ledger


def test_a_statement_of_public_domains(ledger):
    """The statement says word for word what was spent, never less, by which steps, what is public, and what is not covered."""
    covers = "all that is in the weights of the model of batch 0"
    numbers = {"noise_multiplier": 1.23456789, "steps_taken": 123_456}
    ledger.add("training of batch 0", "DP-SGD", gaussian_event(1.23456789), covers=covers, **numbers)
    found = privacy_statement(
        ledger, 2.3451, n_rows=12_345, public_rows=True, public_columns=["age", 1], private_columns=[]
    )  # fmt: skip
    assert found == PUBLIC.format(version=version("dp-accounting"))


@pytest.mark.parametrize(
    ("columns", "also", "public"),
    [
        (["age", 1], None, "names and dtypes of the 2 columns; that cells may be missing in 'age', 1."),
        ([], "an alphabet", "an alphabet."),
    ],
)
def test_a_statement_of_private_domains(ledger, columns, also, public):
    """With a noisy number of rows neighbours have one row more or less; without training no sampling of rows is told of."""
    found = privacy_statement(
        ledger, 0.5, n_rows=12_345, public_rows=False, public_columns=[], private_columns=columns, also=also
    )  # fmt: skip
    words = " ".join(found.split())
    assert "neighbours if one is the other with one row added or removed. Somebody" in words
    assert f"public: the parameters of the fit; {public} Everything" in words
    assert "12,345" not in words
    assert "Sampling of rows" not in words


def test_columns_are_counted_whether_public_or_not(ledger):
    """Public and private columns stand each in their own list, and are counted together."""
    found = privacy_statement(
        ledger, 0.5, n_rows=9, public_rows=False, public_columns=["age"], private_columns=["a", "b"]
    )  # fmt: skip
    words = " ".join(found.split())
    assert "the 3 columns; the domains given in schema, of 'age'; that cells may be missing in 'a', 'b'." in words

"""Every point of the protocol, one after another."""

from typing import Any

import pandas as pd

from ._copying import check_pickle, check_state
from ._fitting import check_admit, check_fit, check_independence, check_methods, check_parameters, check_unfitted
from ._given import check_given
from ._grammar import check_grammar
from ._ids import check_decode, check_drawn, check_encode, check_guides, check_sizes
from ._records import check_records

__all__ = ["check_tokenizer"]


def check_tokenizer(tokenizer: Any, records: list[str] | pd.DataFrame, *, lossless: bool = True) -> None:
    """Verify that a tokenizer keeps the protocol of `Tokenizer`, as scikit-learn's `check_estimator` does for estimators.

    Clones of it are fitted on the records, or on half of them, several times, so that few records do; they should show all
    that records may hold.

    Parameters
    ----------
    tokenizer : tokenizer
        Not fitted; it is never changed.
    records : list of str, or DataFrame
        What it can be fitted on, two records at least.
    lossless : bool, default=True
        Whether it promises that ``decode(encode(records))`` are the records.

    Raises
    ------
    TokenizerError
        An AssertionError: which point of the protocol is broken, what was got, what was expected, and the remedy.
    TypeError, ValueError
        If the arguments are not what they may be.

    Examples
    --------
    >>> from sksynth.tokenizers import CharTokenizer, TokenizerError, check_tokenizer
    >>> check_tokenizer(CharTokenizer(), ["b-a", "ab", ""])
    >>> try:
    ...     check_tokenizer(CharTokenizer(alphabet="ab"), ["b-a", "ab", ""])
    ... except TokenizerError as error:
    ...     print(error)  # doctest: +NORMALIZE_WHITESPACE
    decode of what encode returned: got 'b�a' for record 0, expected 'b-a'; let ids hold all that a record says, or call
    check_tokenizer with lossless=False
    >>> check_tokenizer(CharTokenizer(alphabet="ab"), ["b-a", "ab", ""], lossless=False)
    """
    check_methods(tokenizer)
    records = check_records(records)
    check_parameters(tokenizer)
    fitted = check_fit(tokenizer, records)
    check_grammar(fitted.grammar_)
    check_encode(fitted, records)
    check_unfitted(tokenizer, fitted, records)
    check_independence(tokenizer, fitted, records)
    check_decode(fitted, records, lossless)
    check_drawn(fitted, records)
    check_sizes(fitted, records)
    check_guides(fitted, records, lossless)
    check_given(fitted, records)
    check_admit(fitted, records)
    check_state(fitted, records)
    check_pickle(fitted, records)

"""What a fitted `LSTMTextModel` does with its network: sampling and scoring."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ._chain import CHUNK_ROWS, Chain, Part, Way
from ._generative import GenerativeModel, n_wanted, with_index_of
from ._random import seed_sequence
from ._sampling import (
    Choice,
    Copies,
    Guides,
    check_choices,
    check_draw,
    check_exclusion,
    check_given,
    check_prefixes,
    check_validator,
    choosing,
    read_given,
)
from ._sources import LineSource, opened
from ._training._job import core_settings

CHUNK_LINES = 1_024  # that are drawn at a time: they take longer than rows, and are waited for


class TextSampling(GenerativeModel):
    """Sampling and scoring of one network; the subclass fits it."""

    def sample(
        self,
        n_samples: int | None = None,
        *,
        given: Any = None,
        prefix: str | Sequence[str] | None = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        max_length: int | None = None,
        validator: Callable | None = None,
        max_invalid: int = 1_000,
        exclude: Any = None,
        exclude_longer_than: int = 30,
        random_state: Any = None,
    ) -> Any:
        """Draw new records.

        The records of ``sample(n)`` are the first n of ``sample(m)`` for the same seed.

        Parameters
        ----------
        n_samples : int, default=None
            None: 1, or one for each of a list of prefixes or of the rows of a frame that is given.
        given : dict of column to value, or DataFrame, default=None
            What is known of some columns of a table: the others are drawn in that context. A dict holds for all rows: each
            value is one value, a `fields.Interval`, missing (None), or a list of these, one of which is to hold. A frame has
            a row for each sample, whose index the sample keeps. For models that were trained with `any_order`.
        prefix : str or list of str, default=None
            What lines begin with: the same for all, or one for each. The first tokens are drawn among those that may spell it,
            one after the other, so that improbable spellings come up more often than in lines that happen to begin so; end
            it with a whole word where that matters.
        temperature : float, default=1.0
            Below 1 the likelier tokens are drawn more often than they should be, above 1 less often.
        top_k : int, default=None
            Draw each token among so many of the likeliest only.
        top_p : float in (0, 1], default=None
            Draw each token among the likeliest only that have this probability together (nucleus sampling, Holtzman et al.
            2020).
        max_length : int, default=None
            Tokens after which a line ends, behind its prefix at least. None: as long as the longest that was learned.
        validator : callable, default=None
            Records for which it does not return something true, or raises, are drawn anew. It gets lines one by one; of a
            table a frame, for which it may return one bool per row, and, unless it does, the rows one by one as dicts.
        max_invalid : int, default=1,000
            Records that it may refuse.
        exclude : what fit takes, default=None
            Records, such as those of fit, whose texts are not to be repeated: lines that are one of these lines, or hold it,
            are drawn anew; of a table rows of which a text is or holds one of the same column. Not where training was
            private, which it would undo.
        exclude_longer_than : int, default=30
            Characters that a text of `exclude` may have and be repeated all the same.
        random_state : int, RandomState, Generator or None, default=None

        Returns
        -------
        records : list of str, or the container that fit was given
            Exactly `n_samples` records.

        Raises
        ------
        NotFittedError
            Before fit.
        ValueError, TypeError
            If an argument is not what it may be; the message names it.
        SamplingError
            If the validator refuses more than `max_invalid` records, or nearly all repeat texts of `exclude`; it has those
            that were accepted.
        """
        check_is_fitted(self)
        prefixes, n_samples = _prefixes_and_number(prefix, n_samples, given)
        way = self._way(n_samples, given, prefixes, temperature, top_k, top_p, max_length, choosing(validator, exclude))
        choice = self._choice(validator, max_invalid, exclude, exclude_longer_than)
        choice = replace(choice, n_most=self._n_most(n_samples, given))
        return with_index_of(given, self._sampled(n_samples, seed_sequence(random_state), way, choice))

    def sample_iter(
        self,
        n_samples: int | None = None,
        *,
        chunk_size: int | None = None,
        given: Any = None,
        prefix: str | Sequence[str] | None = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        max_length: int | None = None,
        validator: Callable | None = None,
        max_invalid: int = 1_000,
        exclude: Any = None,
        exclude_longer_than: int = 30,
        random_state: Any = None,
    ) -> Iterator[Any]:
        """Draw new records as they are asked for: those of `sample`, in memory that does not grow with them.

        Parameters
        ----------
        n_samples : int, default=None
        chunk_size : int, default=None
            Records that are given out together; the last chunk may have fewer. None: lines one by one, and 10,000 rows of a
            table.
        given
            See `sample`; the index of a frame is not kept.
        prefix, temperature, top_k, top_p, max_length, validator, max_invalid, exclude, exclude_longer_than, random_state
            See `sample`.

        Returns
        -------
        records : iterator
            Of lines where `chunk_size` is None, of lists of them otherwise; of a table of the container that fit was given.

        Raises
        ------
        NotFittedError, ValueError, TypeError
            As `sample`, before the first record is asked for.
        SamplingError
            As `sample`, with the valid records that were not given out yet.
        """
        check_is_fitted(self)
        prefixes, n_samples = _prefixes_and_number(prefix, n_samples, given)
        if chunk_size is not None:
            check_draw(chunk_size, temperature, name="chunk_size")
        way = self._way(n_samples, given, prefixes, temperature, top_k, top_p, max_length, choosing(validator, exclude))
        choice = self._choice(validator, max_invalid, exclude, exclude_longer_than)
        choice = replace(choice, n_most=self._n_most(n_samples, given))
        by_line = chunk_size is None and self._container is None
        chunks = self._chunks(n_samples, 1 if by_line else chunk_size, seed_sequence(random_state), way, choice)
        return (line for chunk in chunks for line in chunk) if by_line else chunks

    def _way(self, n_samples, given, prefixes, temperature, top_k, top_p, max_length, choosing):
        """Return how records are drawn, once all arguments are what they may be."""
        given = None if given is None else read_given(given)
        check_draw(n_samples, temperature)
        check_choices(top_k, top_p, max_length)
        check_prefixes(prefixes, n_samples, choosing)
        check_given(given, n_samples, choosing)
        from .core import Draw

        draw = Draw(temperature, top_k, top_p, allowed=self._allowed(prefixes, max_length))
        return Way(draw, self._evidence(given, temperature))

    def _check_any_order(self, name: str) -> None:
        """Refuse what needs columns where there are none, or none that are read in any order."""
        if self._container is None:
            raise ValueError(f"{name} is for tables, but this model was fitted on lines of text: see prefix")
        if not hasattr(self.tokenizer_, "given"):
            raise ValueError(
                f"{name} needs a TableTokenizer, but this model was fitted with a {type(self.tokenizer_).__name__}"
            )
        super()._check_any_order(name)

    def _choice(self, validator: Any, max_invalid: Any, exclude: Any, longer_than: Any) -> Choice:
        """Return which records are taken, once all arguments are what they may be."""
        check_validator(validator, max_invalid)
        check_exclusion(exclude, longer_than, np.isfinite(self.epsilon_))
        return Choice(validator, max_invalid, None if exclude is None else Copies(self._texts_of(exclude), longer_than))

    def _texts_of(self, records: Any) -> Any:
        """Return checked lines, or the columns of text of a table."""
        with opened(records) as records:
            records = self._check_records(records, reset=False)
            if self._container is None:
                return list(records)
        if not hasattr(self.tokenizer_, "schema_"):
            raise ValueError(
                f"exclude: the {type(self.tokenizer_).__name__} of this model has no schema_, by which columns of text are "
                "told: leave exclude out"
            )
        return records[[column for column, field in self.tokenizer_.schema_.items() if field.kind == "text"]]

    def _allowed(self, prefixes: Sequence[str] | None, max_length: int | None) -> Callable | None:
        """Return what tells the sampler which tokens may come next; None where all may."""
        if not hasattr(self.tokenizer_, "guides"):
            if prefixes is None and max_length is None:
                return None
            name = "max_length" if prefixes is None else "prefix"
            raise ValueError(
                f"{name} is for lines of text, but this model was fitted with a {type(self.tokenizer_).__name__}, which has "
                f"no guides: leave {name} out"
            )
        guides = self.tokenizer_.guides(prefixes, max_length)
        return Guides(guides) if guides else None

    def _chain(self) -> Chain:
        """Return a chain of this one model."""
        columns = self.columns_ if hasattr(self.tokenizer_, "places") else []
        return Chain([self._part()], [columns], [0], columns)

    def _part(self) -> Part:
        """Return the model as a part of a chain."""
        return Part(self.tokenizer_, self._network(), bool(self.training_.get("context")))

    def _draw(self, rows: range, seed: np.random.SeedSequence, way: Way) -> Iterator[Any]:
        """Yield the records of a range of an endless sample: fewer lines together than rows, as they take longer."""
        n_together = CHUNK_LINES if self._container is None else CHUNK_ROWS
        return self._chain().draw(rows, seed, way, n_together)

    def _network(self) -> tuple[Any, dict, Any]:
        """Return grammar, weights and shape, as the core wants them."""
        from . import core

        grammar = self.tokenizer_.grammar_
        return grammar, self._weights, core.network_shape(grammar, core_settings(self.training_))

    def score_samples(self, X: Any) -> np.ndarray:
        """Return the log-likelihood of every record.

        A number scores the probability of its cell divided by the count of values of its precision in the cell (by the
        cell's width where it has no decimal precision); identifiers score 0. The model of a linked batch scores the columns
        of the batch in the context of the others that it reads.

        What fit did not keep is scored by a floor, which is finite but far below what was kept: a rare or unknown category,
        a number or date beyond the bounds or of more decimals, an identifier of another pattern, each unknown character and a
        text longer than what was learned lose at least `log(1e6)`, 13.8 nats, numbers the more, the farther they lie outside.
        So a coarser schema does not score better.

        Parameters
        ----------
        X : what fit takes

        Returns
        -------
        scores : ndarray of float, shape (n_records,)
            In nats.
        """
        check_is_fitted(self)
        with opened(X) as X:
            if isinstance(X, LineSource):
                return np.concatenate([self.score_samples(lines) for lines in X.chunks()])
        X = self._check_records(X, reset=False)
        from . import core

        ids, n_context = self.tokenizer_.encode(X, cut=True), self.training_.get("n_context", 0)
        tokens = ids[:, : self.tokenizer_.grammar_.n_positions]
        scores = core.log_likelihood(*self._network(), tokens, n_context) if self._weights else np.zeros(len(ids))
        context = [n_context] if n_context else []
        return scores - self.tokenizer_.log_cell_size(ids, *context) - self.tokenizer_.log_outside(X, *context)


def _prefixes_and_number(prefix, n_samples, given):
    """Return prefixes as a sequence or None, and how many records are wanted."""
    prefixes = [prefix] if isinstance(prefix, str) else prefix
    if n_samples is None and given is None and prefixes is not None and hasattr(prefixes, "__len__"):
        return prefixes, len(prefixes)
    return prefixes, n_wanted(n_samples, given)

"""Prefixes: which tokens may come next where a text has to begin in a given way, however it is cut into tokens."""

from bisect import bisect_left

import numpy as np

from ._spelling import END, N_SPECIAL, Spelling

__all__ = ["PrefixGuide"]


class PrefixGuide:
    """Tells which tokens may follow those of each row so far.

    A prefix is held against the bytes of the tokens, so that a token may end beyond it. Each token is drawn by its probability
    among those that are allowed, as if any text could go on from all of them alike: spellings that seldom lead to such a text
    are drawn more often than they should be, the more so the shorter the last word of the prefix is.

    Parameters
    ----------
    spelling : Spelling
    prefixes : list of str
        One for each row, or one for all.
    length : int
        Number of positions.

    Raises
    ------
    ValueError
        If no text can begin with a prefix.
    """

    def __init__(self, spelling: Spelling, prefixes: list[str], length: int):
        written = spelling.written
        self._n_bytes = np.array(list(map(len, written)))
        pieces = sorted((piece, token) for token, piece in enumerate(written[N_SPECIAL:], N_SPECIAL))
        self._pieces, self._tokens = [piece for piece, _ in pieces], np.array([token for _, token in pieces], int)
        self._longest, self._masks = int(self._n_bytes.max(initial=0)), {}
        self._length, self._fewest = length, {}
        self._prefixes = list(map(spelling.to_bytes, prefixes))
        self._ends = np.array(list(map(len, self._prefixes)))
        for text, prefix in zip(prefixes, self._prefixes, strict=True):
            self._check(text, self._fewest_for(prefix), spelling.to_bytes)

    def _check(self, text, n_tokens, to_bytes):
        if n_tokens == np.inf:
            known = next(end for end in range(len(text)) if self._fewest_for(to_bytes(text[: end + 1])) == np.inf)
            raise ValueError(
                f"prefix {text!r} holds characters that were not learned, from {text[known:]!r} on: leave them out"
            )
        if n_tokens > self._length:
            raise ValueError(
                f"prefix {text!r} is {n_tokens:.0f} tokens long, expected at most {self._length}, the longest that was "
                "learned: shorten it"
            )

    def __call__(self, time: int, tokens: np.ndarray, rows: np.ndarray) -> np.ndarray | None:
        """Return the tokens that may come next, shape (n_rows, n_tokens); None where all prefixes are written.

        Parameters
        ----------
        time : int
        tokens : ndarray of int, shape (n_rows, time)
        rows : ndarray of int, shape (n_rows,)
            Numbers of the rows.
        """
        if time > self._ends.max():  # every token has a byte at least
            return None
        which = np.minimum(rows, len(self._prefixes) - 1)
        done = self._n_bytes[tokens].sum(axis=1)
        left = done < self._ends[which]
        if not left.any():
            return None
        allowed = np.ones((len(rows), len(self._n_bytes)), bool)
        for row in np.flatnonzero(left):
            allowed[row] = self._allowed(self._prefixes[which[row]][done[row] :], self._length - time)
        return allowed

    def _allowed(self, rest: bytes, n_left: int) -> np.ndarray:
        """Return the tokens that write the beginning of `rest`, if `n_left` can write all of it, or all and more."""
        n_left = min(n_left, len(rest))  # no more are ever needed
        if (rest, n_left) not in self._masks:
            mask = np.zeros(len(self._n_bytes), bool)
            mask[self._tokens[self._beyond(rest)]] = True
            for n_bytes, places in self._within(rest):
                mask[self._tokens[places]] = self._fewest_for(rest[n_bytes:]) < n_left
            self._masks[rest, n_left] = mask
        return self._masks[rest, n_left]

    def _fewest_for(self, rest: bytes) -> float:
        """Return the least number of tokens that write `rest`, the last of them perhaps more; inf where none do."""
        for tail in (rest[start:] for start in reversed(range(len(rest)))):
            if tail not in self._fewest:
                parts = [1.0 + self._fewest[tail[n_bytes:]] for n_bytes, _ in self._within(tail)]
                self._fewest[tail] = 1.0 if len(self._beyond(tail)) else min(parts, default=np.inf)
        return self._fewest[rest] if rest else 0.0

    def _within(self, rest: bytes) -> list[tuple[int, list[int]]]:
        """Return the places of the pieces that are a beginning of `rest`, by their number of bytes; not of all of it."""
        found = []
        for n_bytes in range(1, min(self._longest, len(rest) - 1) + 1):
            place = bisect_left(self._pieces, rest[:n_bytes])
            own = [place]
            while own[-1] < len(self._pieces) and self._pieces[own[-1]] == rest[:n_bytes]:
                own.append(own[-1] + 1)
            if len(own) > 1:
                found.append((n_bytes, own[:-1]))
        return found

    def _beyond(self, rest: bytes) -> np.ndarray:
        """Return the places of the pieces that write all of `rest`, and perhaps more."""
        first = last = bisect_left(self._pieces, rest)
        while last < len(self._pieces) and self._pieces[last].startswith(rest):
            last += 1
        return np.arange(first, last)


class LengthGuide:
    """Ends every text after `max_length` tokens."""

    def __init__(self, max_length: int, n_tokens: int):
        self.max_length, self._only_end = max_length, np.arange(n_tokens) == END

    def __call__(self, time: int, tokens: np.ndarray, rows: np.ndarray) -> np.ndarray | None:
        """Return the tokens that may come next, shape (n_rows, n_tokens); None where all may."""
        if time < self.max_length:
            return None
        return np.broadcast_to(self._only_end, (len(rows), len(self._only_end)))

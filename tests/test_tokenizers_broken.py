"""Tokenizers that each break one point of the protocol: `check_tokenizer` says which."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted
from test_tokenizers_protocol import COINS, LINES, PLATES, Coins, Plates

from sksynth.tokenizers import CharTokenizer, Grammar, Place, Run, Slot, TokenizerError, check_tokenizer, compile_slots

ONE_SLOT = Grammar((Run((Slot("only", [[0, 0]]),)),))

BROKEN = []


def broken(message, records=PLATES, **parameters):
    """Return a decorator that notes a class of broken tokenizers, and what is said of it."""

    def note(cls):
        BROKEN.append(pytest.param(cls, parameters, records, message, id=cls.__name__))
        return cls

    return note


@broken("methods: got a Bare without fit, encode, decode, admit")
class Bare(BaseEstimator):
    pass


@broken("parameters: got RuntimeError: Cannot clone")
class ChangesArguments(Plates):
    def __init__(self, letters="abc"):
        self.letters = letters + ""
        self.letters = "".join([*letters, ""])


@broken("set_params: got None, expected self")
class SetsAndReturnsNothing(Plates):
    def set_params(self, **params):
        super().set_params(**params)


@broken(r"get_params: got other values of \['letters'\] than were set")
class SetsNothing(Plates):
    def set_params(self, **params):
        return self


@broken("parameters: got PicklingError", letters=lambda: "abc")
class KeepsFunctions(Plates):
    pass


@broken("encode before fit: got no error, expected NotFittedError")
class EncodesUnfitted(Plates):
    def encode(self, records, *, cut=False):
        return super().encode.__func__(self.fit(records), records)


@broken("decode before fit: got AttributeError: .*, expected NotFittedError")
class DecodesUnfitted(Plates):
    def decode(self, ids):
        return ["aa-00" for _ in range(self.grammar_.n_positions)]


@broken("to_state before fit: got no error")
class WritesUnfitted(Plates):
    def to_state(self):
        return {"letters": self.letters}


@broken("fit: got TypeError: .*, expected a fit on these records")
class FitTakesNoY(Plates):
    def fit(self, records):
        return super().fit(records)


@broken("fit: got TypeError: .*, expected a fit on half of the records")
class FitWantsY(Plates):
    def fit(self, records, y):
        return super().fit(records)

    @classmethod
    def from_state(cls, state):
        return cls(state["letters"]).fit([], None)


@broken("fit: got None, expected self")
class FitReturnsNothing(Plates):
    def fit(self, records, y=None):
        super().fit(records)


@broken(r"fit: got other values of the parameters \['letters'\]", letters=["a", "b", "c"])
class FitChangesParameters(Plates):
    def fit(self, records, y=None):
        self.letters.append("d")
        return super().fit(records)


@broken("fit: got other records than before")
class FitChangesRecords(Plates):
    def fit(self, records, y=None):
        records.sort()
        return super().fit(records)


@broken("fit: got NotFittedError: .*, expected attributes that tell that it was fitted")
class FitLeavesNothing(Plates):
    grammar_ = ONE_SLOT

    def fit(self, records, y=None):
        return self


@broken("grammar_: got no such attribute after fit")
class HasNoGrammar(Plates):
    def fit(self, records, y=None):
        self.letters_ = self.letters
        return self


@broken("n_free_: got -1, expected a whole number of at least 0")
class HasNegativeDigits(Plates):
    def fit(self, records, y=None):
        super().fit(records).n_free_ = -1
        return self


@broken(r"grammar_: got a tuple, expected a sksynth.tokenizers.Grammar")
class HasAnotherGrammar(Plates):
    def fit(self, records, y=None):
        self.grammar_ = super().fit(records).grammar_.runs
        return self


@broken(r"grammar_: got no token that may be drawn in slot 'second', state 2, expected one at least")
class LeadsNowhere(Plates):
    def fit(self, records, y=None):
        run = Run((Slot("first", [[0, 1, 2]]), Slot("second", [[0, 0, 0], [-1, 0, 0], [-1, -1, 0]], [False, False, True])))
        self.grammar_, self.n_free_ = Grammar((run,)), 1
        return self


@broken(r"encode\(cut=True\): got TypeError: .* 'cut', expected the ids of the records of fit")
class CannotCut(Plates):
    def encode(self, records):
        return super().encode(records)


@broken(r"encode\(cut=True\): got int64 in 2 dimension\(s\), expected an array of int32")
class EncodesToInt64(Plates):
    def encode(self, records, *, cut=False):
        return super().encode(records).astype(np.int64)


@broken(r"encode\(cut=True\): got a list, expected an array of int32")
class EncodesToLists(Plates):
    def encode(self, records, *, cut=False):
        return super().encode(records).tolist()


@broken(r"encode\(cut=True\): got shape \(6, 2\), expected \(6, 3\)")
class EncodesTooFew(Plates):
    def encode(self, records, *, cut=False):
        return super().encode(records)[:, :2]


@broken(r"encode: got shape \(6, 2\), expected \(6, 3\), or more positions")
class EncodesTooFewUncut(Plates):
    def encode(self, records, *, cut=False):
        return super().encode(records)[:, : 3 if cut else 2]


@broken("encode: got ValueError: slot 'second': token 0 of row 0 is illegal in state .*, expected tokens that grammar_ allows")
class EncodesWhatIsForbidden(Plates):
    def encode(self, records, *, cut=False):
        return super().encode(records)[:, [1, 0, 2]]


@broken("encode: got other records than before")
class EncodeChangesRecords(Plates):
    def encode(self, records, *, cut=False):
        ids = super().encode(records)
        if isinstance(records, list):
            records.sort()
        return ids


@broken("encode: got other ids of the same records")
class EncodeCounts(Plates):
    def encode(self, records, *, cut=False):
        self.n_calls = getattr(self, "n_calls", 0) + 1
        return super().encode(records) + np.int32([0, 0, self.n_calls])


@broken("encode of a Series, or of a table with another index: got other ids")
class EncodesByLabels(Plates):
    def encode(self, records, *, cut=False):
        return super().encode(records.sort_index() if isinstance(records, pd.Series) else records)


@broken("encode of a Series, or of a table with another index: got ValueError")
class EncodesListsOnly(Plates):
    def encode(self, records, *, cut=False):
        return super().encode([] + records)


@broken("encode of one record: got other ids of record 1")
class EncodesByOthers(Plates):
    def encode(self, records, *, cut=False):
        return super().encode(records) + np.arange(len(records), dtype=np.int32)[:, None] * np.int32([0, 0, 1])


@broken(r"encode\(cut=True\) of longer records: got shape \(18, 4\d\), expected \(18, 20\)", LINES)
class NeverCuts(CharTokenizer):
    def encode(self, lines, *, cut=False):
        return super().encode(lines)


@broken(r"encode\(cut=True\) of longer records: got KeyError: .*, expected ids, or a ValueError or TypeError")
class FailsOnOthers(Plates):
    def encode(self, records, *, cut=False):
        check_is_fitted(self)
        return super().encode([{plate: plate for plate in PLATES}[record] for record in records])


@broken(r"encode\(cut=True\) of longer records: got ValueError: slot .*, expected tokens that grammar_ allows")
class CutsToWhatIsForbidden(Plates):
    def encode(self, records, *, cut=False):
        if any(len(record) > 5 for record in records):
            return np.full((len(records), 3), 7, np.int32)
        return super().encode(records)


@broken("decode: got a ndarray, expected a list of str")
class DecodesToArrays(Plates):
    def decode(self, ids):
        return np.array(super().decode(ids))


@broken("decode: got a list, expected a DataFrame", COINS)
class DecodesTablesToLists(Coins):
    def decode(self, ids):
        return super().decode(ids)["side"].tolist()


@broken(r"decode: got the columns \['Side'\], expected \['side'\]", COINS)
class DecodesToOtherColumns(Coins):
    def decode(self, ids):
        return super().decode(ids).rename(columns={"side": "Side"})


@broken("decode: got 5 records, expected 6")
class DecodesToFewer(Plates):
    def decode(self, ids):
        return super().decode(ids)[1:]


@broken("decode: got other ids than before")
class DecodeChangesIds(Plates):
    def decode(self, ids):
        lines = super().decode(ids)
        ids[:] = 0
        return lines


@broken("decode of what encode returned: got 'aa-07' for record 0, expected 'ab-07'")
class LosesLetters(Plates):
    def decode(self, ids):
        return super().decode(ids[:, [0, 0, 2]])


@broken("decode of what encode returned: got 'heads' in column 'side' of record 1, expected 'tails'", COINS)
class LosesTails(Coins):
    def decode(self, ids):
        return super().decode(0 * ids)


@broken("decode of what encode returned: got column 'side' of category, expected (object|str);", COINS)
class LosesDtypes(Coins):
    def decode(self, ids):
        return super().decode(ids).astype("category")


@broken("draw_free: got int64 of shape .*, expected int32 of shape")
class DrawsInt64(Plates):
    def draw_free(self, rows, rng, key):
        return super().draw_free(rows, rng, key).astype(np.int64)


@broken(r"draw_free: got int32 of shape \(64, 0\), expected int32 of shape \(64, 1\)")
class DrawsNothing(Plates):
    def draw_free(self, rows, rng, key):
        return np.zeros((len(rows), 0), np.int32)


@broken("draw_free: got other digits of the same rows, generator and key")
class DrawsFromElsewhere(Plates):
    def draw_free(self, rows, rng, key):
        return super().draw_free(rows, np.random.default_rng(), key)


@broken("draw_free: got NotImplementedError: .*, expected free digits")
class CannotDraw(Plates):
    def draw_free(self, rows, rng, key):
        raise NotImplementedError("later")


@broken("decode of drawn ids: got KeyError: .*, expected 64 records")
class DecodesOnlyWhatWasThere(Plates):
    def decode(self, ids):
        check_is_fitted(self)
        return [{plate: plate for plate in PLATES}[plate] for plate in super().decode(ids)]


@broken("decode: got another record where its row is alone")
class DecodesByOthers(Plates):
    def decode(self, ids):
        return super().decode(ids if len(ids) == 6 else ids[:, [0, 1, 2]] + np.int32([0, 0, len(ids)]))


@broken("log_cell_size: got a list, expected floats of shape")
class SizesInLists(Plates):
    def log_cell_size(self, ids):
        return [0.0] * len(ids)


@broken(r"log_cell_size: got float64 of shape \(6, 3\), expected floats of shape \(6,\)")
class SizesOfTokens(Plates):
    def log_cell_size(self, ids):
        return np.zeros(ids.shape)


@broken("log_cell_size: got infinite or missing numbers, expected finite ones")
class InfiniteSizes(Plates):
    def log_cell_size(self, ids):
        with np.errstate(divide="ignore"):
            return np.log(ids[:, 2])


@broken("log_cell_size: got IndexError: .*, expected one number for each row")
class CannotMeasure(Plates):
    def log_cell_size(self, ids):
        return ids[:, 9] * 1.0


@broken("guides: got bool of shape .*, expected None, or bools of shape", LINES)
class GuidesOfAnotherShape(CharTokenizer):
    def guides(self, prefixes=None, max_length=None):
        return [lambda time, tokens, rows: np.ones((len(rows), 2), bool)]


@broken("guides: got no token for a row in slot 'text'", LINES)
class GuidesThatForbidAll(CharTokenizer):
    def guides(self, prefixes=None, max_length=None):
        return [lambda time, tokens, rows: np.zeros((len(rows), len(self.vocabulary_)), bool)]


@broken(r"guides: got the line \[.*\], expected lines that begin with 't'", LINES)
class GuidesThatDoNot(CharTokenizer):
    def guides(self, prefixes=None, max_length=None):
        return super().guides(None, max_length)[:1] or [lambda time, tokens, rows: None]


@broken("guides: got ValueError: never, expected guides for lines that begin with 't'", LINES)
class GuidesThatRefuse(CharTokenizer):
    def guides(self, prefixes=None, max_length=None):
        raise ValueError("never")


@broken("admit: got NotImplementedError: .*, expected a tokenizer for the records of fit")
class AdmitsNothing(Plates):
    def admit(self, records):
        raise NotImplementedError("later")


@broken("admit: got None, expected a AdmitReturnsNothing")
class AdmitReturnsNothing(Plates):
    def admit(self, records):
        super().admit(records)


@broken("admit: got other ids of the tokenizer that admitted records")
class AdmitChangesItself(Plates):
    shift_ = 0

    def admit(self, records):
        self.shift_ = 1
        return self

    def encode(self, records, *, cut=False):
        return super().encode(records) + np.int32([0, 0, self.shift_])


@broken("admit: got other tokens of the records by the tokenizer returned")
class AdmitRenumbers(Plates):
    def admit(self, records):
        return type(self)("cba").fit(records)


@broken("admit: got a grammar_ of other slots or states")
class AdmitRenames(Plates):
    def admit(self, records):
        grown = clone(self).fit(records)
        grown.grammar_ = Grammar((compile_slots(["1", "2"], [3, 3], lambda _, last, token: token if token >= last else None),))
        return grown


@broken("to_state: got a list, expected a dict")
class WritesAList(Plates):
    def to_state(self):
        check_is_fitted(self)
        return [self.letters]


@broken("to_state: got TypeError: Object of type set is not JSON serializable, expected JSON values and arrays")
class WritesASet(Plates):
    def to_state(self):
        return super().to_state() | {"set": {1, 2}}


@broken("to_state: got TypeError: .*, expected JSON values and arrays of numbers")
class WritesArraysOfObjects(Plates):
    def to_state(self):
        return super().to_state() | {"array of letters": np.array([*self.letters], object)}


@broken("from_state: got KeyError: .*, expected a fitted tokenizer")
class CannotRead(Plates):
    @classmethod
    def from_state(cls, state):
        return cls(state["alphabet"])


@broken("from_state: got a Plates, expected a ReadsAnother")
class ReadsAnother(Plates):
    @classmethod
    def from_state(cls, state):
        return Plates(state["letters"]).fit([])


@broken("from_state: got another grammar_ or n_free_, expected those of the original", letters="abcd")
class ReadsLess(Plates):
    @classmethod
    def from_state(cls, state):
        return cls(state["letters"][:-1]).fit([])


@broken("from_state: got other ids, expected those of the original")
class ReadsOtherTokens(Plates):
    shift_ = 0

    def encode(self, records, *, cut=False):
        return super().encode(records) + np.int32([0, 0, self.shift_])

    @classmethod
    def from_state(cls, state):
        self = super().from_state(state)
        self.shift_ = 1
        return self


@broken("from_state: got other records from the same ids")
class ReadsOtherRecords(Plates):
    upper_ = False

    def decode(self, ids):
        return [plate.upper() if self.upper_ else plate for plate in super().decode(ids)]

    @classmethod
    def from_state(cls, state):
        self = super().from_state(state)
        self.upper_ = True
        return self


@broken("from_state: got other ids after another fit of the copy", LINES, min_frequency=3, alphabet="\ud800éß😀,toberniasquh ")
class ForgetsParameters(CharTokenizer):
    @classmethod
    def from_state(cls, state):
        self = super().from_state(state)
        self.alphabet = "to"
        return self


@broken("pickle: got .*, expected a tokenizer that can be pickled")
class HoldsAFunction(Plates):
    def fit(self, records, y=None):
        self.step_ = lambda: None
        return super().fit(records)


@broken("pickle: got another grammar_ or n_free_")
class PicklesLess(Plates):
    def __setstate__(self, state):
        super().__setstate__(state | {"grammar_": ONE_SLOT})


@broken("fit: got other ids after another clone was fitted on other records")
class SharesWhatItLearns(Plates):
    n_known = 0

    def fit(self, records, y=None):
        type(self).n_known = len(records)
        return super().fit(records)

    def encode(self, records, *, cut=False):
        return super().encode(records) + np.int32([0, 0, self.n_known])


@broken("fit: got other ids after a second fit on the same records")
class RemembersEarlierFits(Plates):
    def fit(self, records, y=None):
        self.n_fits_ = getattr(self, "n_fits_", 0) + 1
        return super().fit(records)

    def encode(self, records, *, cut=False):
        return super().encode(records) + np.int32([0, 0, getattr(self, "n_fits_", 0)])


@broken("fit: got RuntimeError: once is enough, expected a second fit")
class FitsOnce(Plates):
    def fit(self, records, y=None):
        if hasattr(self, "grammar_"):
            raise RuntimeError("once is enough")
        return super().fit(records)


class PlacedCoins(Coins):
    @property
    def places(self):
        return {"side": Place(0, slice(0, 1), slice(1, 1))}


@broken("given: got other tokens of column 'side', expected those at its place", COINS)
class GivesOtherTokens(PlacedCoins):
    def given(self, X):
        return {"side": 1 - self.encode(X)}, X


@broken("given: got KeyError: .*, expected tokens and cells of column 'side', and its place in places", COINS)
class GivesOtherPlaces(PlacedCoins):
    places = {}  # noqa: RUF012

    def given(self, X):
        return {"side": self.encode(X)}, X


@broken("given: got other cells of column 'side', expected a frame of it with a row for each", COINS)
class GivesOtherCells(PlacedCoins):
    def given(self, X):
        return {"side": self.encode(X)}, X.head(1)


@broken("to_state: got NotImplementedError: later, expected a state")
class WritesNothing(Plates):
    def to_state(self):
        check_is_fitted(self)
        raise NotImplementedError("later")


@broken("from_state: got AttributeError: .*, expected a copy that does as the original", LINES)
class ReadsNothing(CharTokenizer):
    @classmethod
    def from_state(cls, state):
        return cls()


@broken("from_state: got ValueError: .*, expected a tokenizer that can be fitted anew", LINES)
class ReadsWhatCannotBeFitted(CharTokenizer):
    @classmethod
    def from_state(cls, state):
        self = super().from_state(state)
        self.max_length = 0
        return self


@pytest.mark.parametrize(("cls", "parameters", "records", "message"), BROKEN)
def test_a_broken_point_is_named(cls, parameters, records, message):
    """Whatever point is broken, the error says which, what was got, what was expected, and the remedy."""
    with pytest.raises(TokenizerError, match=f"^{message}") as caught:
        check_tokenizer(cls(**parameters), records)
    assert re.fullmatch(r"(?s)[^:]+: got .+, expected .+; .+", str(caught.value))

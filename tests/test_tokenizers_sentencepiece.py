"""Lines of text through SentencePieceTokenizer: pieces that lose nothing, and models that may come from anywhere."""

import copy
import io
import logging
import pickle
import random
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from test_states import again, assert_same, assert_same_grammar, legal_rows

from sksynth import LSTMTextModel
from sksynth._grammar import OTHER
from sksynth.fields import Text
from sksynth.tokenizers import SentencePieceTokenizer, TableTokenizer, _subword_model
from sksynth.tokenizers._escapes import AWKWARD, STAND_INS, escaper, unescape
from sksynth.tokenizers._subword_model import SubwordModel
from sksynth.tokenizers._text import END

LINES = ["to be, or not to be: that is the question", "whether 'tis nobler in the mind to suffer", "to be  or\tnot"] * 3
STRANGE = [
    "",
    " ",
    "  both ends  ",
    "\ttab\t",
    "\n",
    "a\r\nb\n",
    "\x00",
    "a\x00\x00",
    "\x01\x1f\x7f\x85",
    "\u2581",
    "\u2581 \u2581a",
    "\u2585",
    "\ufffd",
    "\ufffe\U0010ffff",
    "\ue000\U000f0000\U0010fff0\U0010fff1\U00100000",
    "\U0010fff0\U00100000",
    "\ud800",
    "\udfff\ud800",
    "e\u0301 \u0301",
    "👩‍🔬 🇨🇭",
    "שלום مرحبا",
    "日本語",
    "ﬁ ½ Å \u00a0\u3000\u200b",
    "<unk><s></s><pad>< >",
    "<0x41><0xFF>",
]
TEXT = st.text(st.characters() | st.sampled_from(" <>" + AWKWARD + "".join(STAND_INS.values()) + "\U0010fff0"), max_size=20)


def fit(lines=LINES, vocab_size=300, **parameters):
    """Return a fitted tokenizer."""
    return SentencePieceTokenizer(vocab_size, **parameters).fit(lines)


def pieces_of(tokenizer, line):
    """Return the pieces in which a line is written."""
    return [tokenizer.vocabulary_[token] for token in tokenizer.encode([line])[0] if token != END]


def model_of(tokenizer):
    """Return the bytes of a fitted tokenizer's model."""
    return tokenizer.codec_.spelling.model.to_bytes()


@pytest.fixture(scope="module")
def fitted():
    """Return tokenizers of both kinds, whose lines may be long; not to be changed."""
    return [fit(model_type=model_type, max_length=40_000) for model_type in ("unigram", "bpe")]


@settings(max_examples=60, deadline=None)
@given(st.text() | TEXT)
def test_any_text_comes_back(fitted, line):
    """With bytes, any text that was never seen comes back as it was, and no token of it is OTHER."""
    for tokenizer in fitted:
        ids = tokenizer.encode([line])
        assert tokenizer.decode(ids) == [line]
        assert OTHER not in ids


@settings(max_examples=30, deadline=None)
@given(
    lines=st.lists(st.text() | TEXT, min_size=1, max_size=6),
    model_type=st.sampled_from(["unigram", "bpe"]),
    min_frequency=st.sampled_from([1, 1, 2]),
    symbols=st.lists(TEXT.filter(lambda text: text and not text.startswith("<0x")), max_size=2, unique=True),
)
def test_lines_come_back(lines, model_type, min_frequency, symbols):
    """Whatever lines it learns from, with symbols and without rare pieces, they come back, whole where they are not cut."""
    parameters = {"model_type": model_type, "min_frequency": min_frequency, "user_defined_symbols": symbols}
    tokenizer = fit(lines * 2, 500, max_length=500, **parameters)
    assert tokenizer.decode(tokenizer.encode(lines)) == lines


@pytest.mark.parametrize("line", STRANGE)
def test_strange_lines_come_back(fitted, line):
    """White space at the ends, controls, SentencePiece's own marks, lone surrogates, emoji come back, learned or not."""
    learned = [fit([line, *LINES], 500, model_type=model_type) for model_type in ("unigram", "bpe")]
    for tokenizer in (*fitted, *learned):
        assert tokenizer.decode(tokenizer.encode([line, "to be"])) == [line, "to be"]


@pytest.mark.parametrize("min_frequency", [1, 30])
def test_no_piece_writes_what_no_line_holds(min_frequency):
    """Pieces of halves of surrogate pairs, and of characters that escapes need, join to none that no line holds."""
    odd = ["\ud83d", "\ude00x", "\ud83d\ude00", "\U0010f03d", "\U0010fff0", "\U0010fff1\U0010003d", "\udc80"]
    texts = [f"{word} {odd[i % 7]}{i % 3}" for i in range(140) for word in ("every", "other", "word")]
    table = pd.DataFrame({"t": pd.Series(texts, dtype=object)})
    tokenizer = TableTokenizer({"t": Text(20)}, min_frequency=min_frequency).fit(table)
    slot = tokenizer.grammar_.slots[0]
    drawn = np.flatnonzero(~slot.unsampled)
    ids = np.random.default_rng(0).choice(drawn[drawn > END], (2000, 20)).astype(np.int32)
    assert set("".join(tokenizer.decode(ids)["t"])) <= set("".join(texts))
    assert tokenizer.decode(tokenizer.encode(table))["t"].tolist() == texts


def test_a_prefix_is_as_long_as_the_fewest_tokens_that_write_it():
    """A prefix that alone is spelled in bytes fits where a piece begins with it; nothing else may then be drawn."""
    tokenizer = fit(["to be 日本語", *LINES], 300, user_defined_symbols=["日本語"], max_length=2)
    assert np.count_nonzero(tokenizer.encode(["日"]) != END) == 3
    (guide,) = tokenizer.guides(["日"])
    allowed = guide(0, np.zeros((1, 0), int), np.arange(1))[0]
    assert [tokenizer.vocabulary_[token] for token in np.flatnonzero(allowed)] == ["日本語"]
    assert guide(1, np.flatnonzero(allowed)[:, None], np.arange(1)) is None
    with pytest.raises(ValueError, match="prefix '語' is 3 tokens long, expected at most 2"):
        tokenizer.guides(["語"])


def test_prefixes_may_be_of_thousands_of_characters(fitted):
    """A prefix is measured however long it is."""
    for tokenizer in fitted:
        assert len(tokenizer.guides(["Ж\ud83d" * 1500])) == 1


def test_long_lines_come_back(fitted):
    """A line of 10,000 characters comes back, where max_length allows as many tokens."""
    line = ("to be, or not 日本 \u2581\n" * 600)[:10_000]
    for tokenizer in fitted:
        assert tokenizer.decode(tokenizer.encode([line])) == [line]


@given(TEXT)
def test_escapes_lose_nothing(text):
    """What is escaped is read as it was, has a UTF-8 and no space; stand-ins are used for the characters that are named."""
    for escape in (escaper(), escaper("\u2581")):
        escaped = escape(text)
        assert unescape(escaped) == text
        assert " " not in escaped.encode().decode()


@given(TEXT)
def test_escapes_can_be_sampled_in_any_order(text):
    """Any text is read as something: an escape that begins no pair is U+FFFD."""
    assert isinstance(unescape(text), str)
    assert unescape("a\U0010fff0b") == "a\ufffdb"


@pytest.mark.parametrize("seed", range(5))
def test_whatever_is_sampled_is_text(seed):
    """Every row that the grammar allows is decoded to text that has a UTF-8."""
    tokenizer = fit([*STRANGE[:16], *LINES], 400, max_length=30)
    lines = tokenizer.decode(legal_rows(tokenizer.grammar_, np.random.default_rng(seed)))
    assert {str} == set(map(type, lines))
    assert "".join(lines).encode("utf-8", "surrogatepass")


def test_bytes_that_are_no_text_are_replaced(fitted):
    """Sampled bytes that form no UTF-8 are U+FFFD, those that do are their character."""
    tokenizer = fitted[0]
    ids = np.full((1, 40_000), END, np.int32)
    pieces = ["<0xC3>", "<0xA9>", "<0xC3>", "t", "<0xFF>"]
    ids[0, : len(pieces)] = [tokenizer.vocabulary_.index(piece) for piece in pieces]
    assert tokenizer.decode(ids) == ["é\ufffdt\ufffd"]


def test_unknown_characters_are_other_without_bytes():
    """Without bytes, characters that are no piece are OTHER: scored, never drawn, and decoded as U+FFFD."""
    tokenizer = fit(vocab_size=60, byte_fallback=False)
    ids = tokenizer.encode(["to 日本 be"])
    assert tokenizer.decode(ids) == ["to \ufffd be"]
    assert tokenizer.decode(tokenizer.encode(LINES)) == LINES
    assert OTHER in ids
    assert tokenizer.grammar_.slots[0].unsampled.tolist() == [True, True] + [False] * (tokenizer.n_vocab_ + 1)


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_tokens_are_dense(model_type):
    """Behind the three special tokens come the pieces, all different, and nothing that SentencePiece reserves."""
    tokenizer = fit(model_type=model_type)
    assert tokenizer.vocabulary_[:3] == ["<missing>", "<other>", "<end>"]
    assert len(set(tokenizer.vocabulary_)) == len(tokenizer.vocabulary_) == tokenizer.n_vocab_ + 3
    assert tokenizer.grammar_.slots[0].n_tokens == tokenizer.n_vocab_ + 3
    assert not {"<unk>", "<s>", "</s>", "< >"} & set(tokenizer.vocabulary_)
    assert "".join(pieces_of(tokenizer, LINES[0])) == LINES[0]
    assert len(pieces_of(tokenizer, LINES[0])) < len(LINES[0]) / 1.5


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_the_same_lines_give_the_same_model(model_type, tmp_path, monkeypatch, capfd):
    """Learning is repeatable to the byte, quiet, and leaves no file behind."""
    monkeypatch.chdir(tmp_path)
    first, second = (fit([*LINES, "", "a\x00b"], model_type=model_type) for _ in range(2))
    assert model_of(first) == model_of(second)
    np.testing.assert_array_equal(first.encode(LINES), second.encode(LINES))
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_a_large_vocabulary_is_reduced(model_type, caplog):
    """A vocab_size beyond what the lines hold is reduced, and said in the log; one that they fill is not spoken of."""
    caplog.set_level(logging.INFO, "sksynth")
    tokenizer = fit(vocab_size=10**12, model_type=model_type)
    assert 256 < tokenizer.n_vocab_ < 1000
    assert f"from 1000000000000 to {tokenizer.n_vocab_}" in caplog.text
    caplog.clear()
    assert fit(vocab_size=290, model_type=model_type).n_vocab_ == 290
    assert caplog.text == ""


@pytest.mark.parametrize("lines", [LINES, ["", ""], ["ab", "a b"]])
@pytest.mark.parametrize("byte_fallback", [True, False])
def test_a_small_vocabulary_is_refused_with_the_smallest(lines, byte_fallback):
    """A vocab_size too small for the characters is refused; the message names one that works, one less does not."""
    parameters = {"byte_fallback": byte_fallback, "user_defined_symbols": ["ab", "zz"]}
    with pytest.raises(ValueError, match=r"'vocab_size' .* >= \d+ for these lines.*, got 1: raise it") as caught:
        fit(lines, 1, **parameters)
    smallest = int(str(caught.value).partition(">= ")[2].split()[0])
    assert fit(lines, smallest, **parameters).n_vocab_ == smallest
    with pytest.raises(ValueError, match=f">= {smallest} "):
        fit(lines, smallest - 1, **parameters)


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_symbols_are_one_token(model_type):
    """What the user defines is one token wherever it stands, spaces, commas and SentencePiece's own names included."""
    symbols = ["<s>", "<unk>", "to be", 'a,"b"', "\t", "日本", "\n\n"]
    tokenizer = fit(vocab_size=320, model_type=model_type, user_defined_symbols=symbols)
    for symbol in symbols:
        assert pieces_of(tokenizer, f"is{symbol}is").count(symbol) == 1
        assert tokenizer.vocabulary_.count(symbol) == 1


def test_lines_of_nothing_but_symbols():
    """Lines that hold only symbols, or nothing, are learned too."""
    assert fit(["<b><b>", "<i>"], user_defined_symbols=["<b>", "<i>"], byte_fallback=False).vocabulary_[3:] == ["<b>", "<i>"]
    assert fit([""], byte_fallback=False).vocabulary_[3:] == [" "]


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_what_few_lines_hold_is_no_piece(model_type):
    """Every learned piece is held by at least min_frequency lines, and the rest comes back by bytes."""
    lines = [*LINES, "Xanadu Xanadu Xanadu", "tobacco ü tobacco tobacco"]
    assert any("X" in piece for piece in fit(lines, 400, model_type=model_type).vocabulary_)
    tokenizer = fit(lines, 400, model_type=model_type, min_frequency=2)
    held = {piece: sum(piece in line for line in lines) for piece in tokenizer.vocabulary_[3:]}
    assert all(count >= 2 for piece, count in held.items() if not piece.startswith("<0x"))
    assert tokenizer.decode(tokenizer.encode(lines[:-2])) == lines[:-2]
    assert fit(["a b", "c d"], model_type=model_type, min_frequency=3).vocabulary_[3:5] == [" ", "<0x00>"]


def test_many_lines_are_sampled(monkeypatch):
    """Of very many lines, those from which a model is learned are taken evenly, the first and the last included."""
    monkeypatch.setattr(_subword_model, "MAX_LINES", 3)
    tokenizer = fit(["a", "X", "b", "X", "c"], byte_fallback=False)
    assert sorted(tokenizer.vocabulary_[3:]) == ["a", "b", "c"]


@pytest.mark.parametrize("line", ["aaaaaaaa", "0" * 50, "\u2581" * 9, " " * 8])
@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_one_character_alone_is_learned(line, model_type):
    """Lines of a single character, of which SentencePiece itself makes no model, are spelled in that character."""
    tokenizer = fit([line], model_type=model_type)
    assert tokenizer.decode(tokenizer.encode([line, "b"])) == [line, "b"]
    assert tokenizer.n_vocab_ == len(set(tokenizer.vocabulary_)) - 3


def test_the_length_is_in_tokens():
    """Lines are cut at max_length tokens, else at the min_frequency-th longest line's or 1,000; fit says how many were."""
    assert fit().grammar_.n_positions == max(len(pieces_of(fit(max_length=99), line)) for line in LINES)
    assert fit(["ab" * 5000, "é"], 259).grammar_.n_positions == 1000
    tokenizer = fit(max_length=2, user_defined_symbols=["to be"])
    assert (tokenizer.n_cut_, tokenizer.decode(tokenizer.encode(["to beto be to be"], cut=True))) == (9, ["to beto be"])


def trained(lines=LINES, **parameters):
    """Return the bytes of a model that SentencePiece itself made, with its own normalisation unless told otherwise."""
    content = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=content, minloglevel=2, hard_vocab_limit=False, **parameters
    )
    return content.getvalue()


@pytest.mark.parametrize(
    "parameters",
    [
        {"vocab_size": 60},
        {"vocab_size": 320, "byte_fallback": True, "control_symbols": ["<c>"], "user_defined_symbols": ["to be"]},
        {"vocab_size": 320, "byte_fallback": True, "model_type": "bpe", "treat_whitespace_as_suffix": True},
    ],
)
def test_a_given_model_is_used(parameters, tmp_path):
    """A model of SentencePiece, as bytes or as a file, gives its pieces; what it would do to a text is left out."""
    content = trained(**parameters)
    path = tmp_path / "public.model"
    path.write_bytes(content)
    tokenizers = [SentencePieceTokenizer(model=model).fit(["to be", "or  not"]) for model in (content, path, str(path))]
    for tokenizer in tokenizers:
        assert_same(tokenizer.codec_.to_state(), tokenizers[0].codec_.to_state())
        assert not {"<unk>", "<s>", "</s>", "<c>"} & set(tokenizer.vocabulary_)
        assert again(tokenizer).get_params()["model"] in (content, str(path))
        assert clone(tokenizer).fit(["to be"]).vocabulary_ == tokenizer.vocabulary_
    lines = ["  to be  ", "or  not", "ﬁ\t\u2581"] if "byte_fallback" in parameters else ["  to be ", "or  not"]
    tokenizer = SentencePieceTokenizer(model=content).fit(lines)
    assert tokenizer.decode(tokenizer.encode(lines)) == lines


@pytest.mark.parametrize("model", [b"", b"junk", trained(vocab_size=30, model_type="char"), "/no/such.model", __file__])
def test_what_is_no_model_is_refused(model):
    """What is no model of pieces is a ValueError with the parameter, what was got and the remedy."""
    with pytest.raises(ValueError, match=r"'model' parameter of SentencePieceTokenizer .* got (\d+ bytes|'/.*'): .*pass its"):
        SentencePieceTokenizer(model=model).fit(LINES)


@pytest.mark.parametrize("seed", range(3))
def test_damaged_models_are_read_or_refused(seed):
    """A model that is cut, changed or made of random bytes is read as what it says or refused, and nothing else happens."""
    contents, rng = [model_of(fit(vocab_size=290)), trained(vocab_size=60)], random.Random(seed)
    n_refused = 0
    for number in range(300):
        content = bytearray(contents[number % 2])
        way = number % 3
        if way == 0:
            content = content[: rng.randrange(len(content))]
        elif way == 1:
            for _ in range(rng.randrange(1, 5)):
                content[rng.randrange(len(content))] = rng.randrange(256)
        else:
            content = rng.randbytes(rng.randrange(300))
        try:
            tokenizer = SentencePieceTokenizer(model=bytes(content)).fit(["to be"])
        except ValueError:
            n_refused += 1
        else:
            assert len(tokenizer.decode(tokenizer.encode(STRANGE))) == len(STRANGE)
            assert SubwordModel.from_bytes(model_of(tokenizer)).to_bytes() == model_of(tokenizer)
    assert n_refused > 100


HOSTILE = {
    "a length beyond the end": b"\x0a\xff\xff\xff\xff\x0f",
    "a number without an end": b"\x0a" + b"\xff" * 40,
    "a piece without text": b"\x0a\x02\x18\x01",
    "a piece that is a number": b"\x08\x01",
    "a text that is a number": b"\x0a\x02\x08\x01",
    "text that is no UTF-8": b"\x0a\x04\x0a\x02\xc3\x28",
    "two equal pieces": b"\x0a\x03\x0a\x01a" * 2,
    "a score that is no number": b"\x0a\x08\x0a\x01a\x15\x00\x00\xc0\x7f",
    "one byte of 256": b"\x0a\x03\x0a\x01a\x0a\x0a\x0a\x06<0x41>\x18\x06",
    "only what is never drawn": b"\x0a\x05\x0a\x01a\x18\x03",
    "a group": b"\x0b",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_models_are_refused(kind):
    """Messages that are no model are refused before SentencePiece sees them, in a state too."""
    with pytest.raises(ValueError, match="no SentencePiece model"):
        SubwordModel.from_bytes(HOSTILE[kind])
    state = fit().to_state()
    state["codec"]["model"] = np.frombuffer(HOSTILE[kind], np.uint8)
    with pytest.raises(ValueError, match=r"the state of a SentencePieceTokenizer: 'model': no SentencePiece model"):
        SentencePieceTokenizer.from_state(state)


PARAMETERS = [
    {},
    {"model_type": "bpe", "character_coverage": 0.99, "user_defined_symbols": ("to be",), "max_length": np.int64(7)},
    {"vocab_size": np.int64(80), "byte_fallback": False, "min_frequency": 2},
]


@pytest.mark.parametrize("parameters", PARAMETERS)
def test_copies_are_alike(parameters):
    """A tokenizer from a state, a pickle or a deep copy has the same parameters and does the same to the bit."""
    tokenizer = fit(**{"vocab_size": 300} | parameters)
    tokenizer.encode(LINES)
    for other in (again(tokenizer), pickle.loads(pickle.dumps(tokenizer)), copy.deepcopy(tokenizer)):
        assert tokenizer.get_params() == other.get_params()
        assert (tokenizer.vocabulary_, tokenizer.n_vocab_, tokenizer.n_cut_) == (
            other.vocabulary_,
            other.n_vocab_,
            other.n_cut_,
        )
        assert_same_grammar(tokenizer.grammar_, other.grammar_)
        assert_same(tokenizer.encode(LINES), other.encode(LINES))
        assert_same(tokenizer.decode(tokenizer.encode(LINES)), other.decode(tokenizer.encode(LINES)))
        assert_same(tokenizer.to_state(), other.to_state())


def test_the_tokenizer_is_an_estimator():
    """Parameters and clone are scikit-learn's; before fit there is a NotFittedError; there are no free digits."""
    tokenizer = SentencePieceTokenizer(300, max_length=5, user_defined_symbols=["a"])
    assert clone(tokenizer).get_params() == tokenizer.get_params()
    for call in (tokenizer.encode, tokenizer.decode, tokenizer.admit):
        with pytest.raises(NotFittedError):
            call(["a"])
    ids = tokenizer.fit(LINES).encode(LINES, cut=True)
    assert (ids.dtype, ids.shape) == (np.int32, (9, 5))
    assert tokenizer.admit(["ü"]) is tokenizer
    assert tokenizer.draw_free(range(2, 5), np.random.default_rng(0), 1).shape == (3, tokenizer.n_free_)
    assert tokenizer.log_cell_size(ids).tolist() == [0.0] * 9


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"vocab_size": 0}, ValueError),
        ({"vocab_size": 2.5}, TypeError),
        ({"model_type": "word"}, ValueError),
        ({"character_coverage": 0.5}, ValueError),
        ({"character_coverage": 1.5}, ValueError),
        ({"user_defined_symbols": "ab"}, TypeError),
        ({"user_defined_symbols": [1]}, TypeError),
        ({"user_defined_symbols": ["a", "a"]}, ValueError),
        ({"user_defined_symbols": [""]}, ValueError),
        ({"user_defined_symbols": ["<0x41>"]}, ValueError),
        ({"byte_fallback": "yes"}, ValueError),
        ({"max_length": 0}, ValueError),
        ({"min_frequency": 0}, ValueError),
        ({"model": 3}, TypeError),
    ],
)
def test_bad_parameters_are_refused(parameters, error):
    """A parameter that is not what it may be is refused by its name."""
    with pytest.raises(error, match=f"'{next(iter(parameters))}' parameter of SentencePieceTokenizer must be"):
        SentencePieceTokenizer(**parameters).fit(LINES)


def test_sentencepiece_is_loaded_when_it_is_needed():
    """Importing the tokenizers, and making one, does not load SentencePiece."""
    code = "import sys; from sksynth.tokenizers import SentencePieceTokenizer as S; S(); print('sentencepiece' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("given", [False, True])
def test_a_model_of_pieces_trains_samples_and_is_kept(given, tmp_path):
    """A text model learns lines in pieces, samples and scores them, and comes back from its file, the given pieces too."""
    tokenizer = SentencePieceTokenizer(290, max_length=12, model=trained(vocab_size=40) if given else None)
    model = LSTMTextModel(tokenizer, embedding_dim=4, rnn_units=4, epochs=1, batch_size=16, random_state=0).fit(LINES * 4)
    model.save(tmp_path / "text.model")
    loaded = LSTMTextModel.load(tmp_path / "text.model")
    assert model.sample(9, random_state=1) == loaded.sample(9, random_state=1)
    assert {str} == set(map(type, model.sample(9, random_state=1)))
    np.testing.assert_array_equal(model.score_samples(LINES), loaded.score_samples(LINES))
    assert np.isfinite(model.score_samples(["to be", "日本 \u2581"])).all()
    assert loaded.tokenizer.get_params() == tokenizer.get_params()

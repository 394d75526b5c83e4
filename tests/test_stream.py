"""Lines in one stream: what is cut from it, and what is learned from that."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sksynth import LSTMTextModel
from sksynth.core import fitted_to
from sksynth.core._layout import ILLEGAL
from sksynth.tokenizers import CharTokenizer, SentencePieceTokenizer, StreamTokenizer, TableTokenizer, check_tokenizer
from sksynth.tokenizers._text import END

LONG = ["abc" * n for n in range(20, 120)]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Return a model of documents of up to 357 characters, trained on sequences of 128; not to be changed."""
    folder = tmp_path_factory.mktemp("stream") / "fit"
    model = LSTMTextModel(
        CharTokenizer(), packing="stream", rnn_units=16, epochs=8, batch_size=16, learning_rate=0.02, checkpoint_dir=folder,
        random_state=0,
    )  # fmt: skip
    return model.fit(LONG)


@given(lines=st.lists(st.text("ab", max_size=9), min_size=1, max_size=9), length=st.integers(2, 12))
@settings(max_examples=100, deadline=None)
def test_sequences_are_the_stream(lines, length):
    """Behind one another, sequences are all lines with an end before, between and behind them, and lines from the first on."""
    tokenizer = StreamTokenizer(CharTokenizer(alphabet="ab"), length).fit(lines)
    sequences = np.concatenate(list(tokenizer.training_parts([lines[:2], lines[2:]] if len(lines) > 2 else [lines])))
    stream = [END, *(token for line in lines for token in [*("ab".index(letter) + 3 for letter in line), END])]
    joined = [sequences[0, 0], *sequences[:, 1:].ravel()]
    assert joined[: len(stream)] == stream
    assert joined[len(stream) :] == np.resize(stream[1:], len(joined) - len(stream)).tolist()
    assert np.array_equal(sequences[1:, 0], sequences[:-1, -1])
    assert len(joined) - len(stream) < length - 1 or len(stream) == 1
    tokenizer.training_grammar_.states(sequences)


@pytest.mark.parametrize("speller", [CharTokenizer(), SentencePieceTokenizer(270)])
def test_lines_come_back(speller):
    """Lines are encoded with an end before them, are legal so, come back whole, and so does the tokenizer from its state."""
    tokenizer = StreamTokenizer(speller).fit(LONG[:5])
    ids = tokenizer.encode(LONG)
    assert (ids[:, 0] == END).all()
    assert tokenizer.decode(ids) == LONG
    tokenizer.grammar_.states(tokenizer.encode(LONG, cut=True))
    again = StreamTokenizer.from_state(tokenizer.to_state())
    assert all(map(np.array_equal, again.training_parts([LONG]), tokenizer.training_parts([LONG])))
    assert again.decode(again.encode(LONG)) == LONG
    assert again.get_params()["sequence_length"] == 128


def test_the_tokenizer_keeps_to_the_protocol():
    """What models ask of a tokenizer, the one of streams does."""
    check_tokenizer(StreamTokenizer(CharTokenizer()), LONG[:8])


def test_documents_are_learned_beyond_a_sequence(model):
    """Sampled documents are such as were learned, many longer than a sequence, and score better than others."""
    documents = model.sample(200, random_state=0)
    legal = [document for document in documents if document == ("abc" * 200)[: len(document)] and len(document) > 1]
    assert len(legal) > 150
    assert max(map(len, documents)) > 128
    scores = model.score_samples(["abc" * 50, "acb" * 50])
    assert scores[0] > scores[1] + 100


@pytest.mark.parametrize("lines", [["ab"], ["aab", "b"], ["ab" * 300]])
def test_no_end_follows_another_where_no_line_is_empty(lines):
    """Training sees no empty line that there is not, also where sequences are filled up."""
    tokenizer = StreamTokenizer(CharTokenizer(alphabet="ab"), 9).fit(lines)
    joined = np.concatenate(list(tokenizer.training_parts([lines])))[:, 1:].ravel()
    assert not ((joined[1:] == END) & (joined[:-1] == END)).any()


def test_empty_lines_are_sampled_where_there_are_some(tmp_path):
    """An untrained model draws no empty line unless a line of fit, or of later training, is empty; files keep that."""
    plain = {"rnn_units": 4, "epochs": 1, "learning_rate": 1e-9, "batch_size": 4, "random_state": 0}
    model = LSTMTextModel(CharTokenizer(alphabet="ab"), packing="stream", **plain).fit(["ab" * 40])
    model.save(tmp_path / "model")
    for fitted in (model, LSTMTextModel.load(tmp_path / "model")):
        assert all(fitted.sample(300, temperature=30.0, random_state=0))
        assert all(fitted.sample(300, temperature=30.0, prefix="", max_length=1, random_state=0))
        assert all(line[:1] == "b" for line in fitted.sample(30, prefix="b", random_state=0))
    assert np.isfinite(model.score_samples([""]))
    model.partial_fit(["", "ab"])
    assert not all(model.sample(300, temperature=30.0, random_state=0))
    assert not all(LSTMTextModel(CharTokenizer(), packing="stream", **plain).fit(["", "ab" * 9]).sample(99, random_state=0))


def test_prefixes_and_lengths_hold(model):
    """A prefix and the largest length are those of the line, without the end before it."""
    assert all(line.startswith("abcab") for line in model.sample(50, prefix="abcab", random_state=0))
    assert max(map(len, model.sample(50, max_length=7, random_state=0))) == 7


def test_the_model_is_kept(model, tmp_path):
    """From a file, and from the folder of the fit, the model comes back and samples the same lines."""
    model.save(tmp_path / "model")
    expected = model.sample(20, random_state=0)
    assert expected == LSTMTextModel.load(tmp_path / "model").sample(20, random_state=0)
    assert expected == LSTMTextModel.load(model.checkpoint_dir).sample(20, random_state=0)


def test_the_model_is_trained_further(model, tmp_path):
    """partial_fit reads further lines from where the model stands; its loss is no worse than before by much."""
    model.save(tmp_path / "model")
    again = LSTMTextModel.load(tmp_path / "model").partial_fit(LONG)
    losses = again.history_["loss"].to_numpy()
    assert len(losses) == len(model.history_) + 1
    assert losses[-1] < losses[0] / 2


def test_priors_follow_a_grammar():
    """What a grammar forbids is ruled out of the priors; what it allows anew gets the token's largest prior."""
    tokenizer = StreamTokenizer(CharTokenizer(alphabet="ab"), 5).fit(["ab"])
    prior = np.full((1, 16, 16), ILLEGAL, np.float32)
    prior[0, :3, 1:5] = np.log(np.float32([0.1, 0.2, 0.3, 0.4]))
    prior[0, 1, 3] = -9.0
    weights = {"prior_0": prior}
    lines = fitted_to(weights, tokenizer.grammar_)["prior_0"][0]
    assert [False, False, True, False, False] == (lines[0, :5] > ILLEGAL / 2).tolist()
    again = fitted_to({"prior_0": lines[None]}, tokenizer.training_grammar_)["prior_0"][0]
    assert np.array_equal(again[0, 1:5], prior[0, [2, 0, 2, 2], [1, 2, 3, 4]])
    assert np.array_equal(again[1:3], prior[0, 1:3])


def test_what_cannot_be_streamed_is_refused():
    """Tables, and private training, have records that must not be cut."""
    with pytest.raises(TypeError, match="packing='stream' is for lines"):
        LSTMTextModel(packing="stream").fit(pd.DataFrame({"x": [1, 2] * 20}))
    with pytest.raises(TypeError, match="packing='stream' is for lines"):
        StreamTokenizer(TableTokenizer()).fit(["a"])
    with pytest.raises(ValueError, match="packing='stream' cuts lines"):
        LSTMTextModel(packing="stream", epsilon=1.0).fit(LONG)
    with pytest.raises(ValueError, match="packing"):
        LSTMTextModel(packing="pages").fit(LONG)

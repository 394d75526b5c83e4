from . import datasets, fields, privacy, tokenizers
from ._clusterer import ColumnClusterer
from ._synthesizer import BatchLSTMSynthesizer
from ._text_model import LSTMTextModel

__version__: str

__all__ = ["BatchLSTMSynthesizer", "ColumnClusterer", "LSTMTextModel", "datasets", "fields", "privacy", "tokenizers"]

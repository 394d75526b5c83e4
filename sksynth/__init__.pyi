from . import datasets, evaluation, fields, persistence, privacy, tokenizers
from ._clusterer import ColumnClusterer
from ._sampling import SamplingError
from ._synthesizer import BatchLSTMSynthesizer
from ._text_model import LSTMTextModel

__version__: str

__all__ = [
    "BatchLSTMSynthesizer",
    "ColumnClusterer",
    "LSTMTextModel",
    "SamplingError",
    "datasets",
    "evaluation",
    "fields",
    "persistence",
    "privacy",
    "tokenizers",
]

"""Synthetic tables from LSTM language models, with the manners of scikit-learn.

The public names stand in ``__init__.pyi``; each is imported when it is first used, so that ``import sksynth`` loads neither
TensorFlow nor pandas nor scikit-learn.
"""

import lazy_loader

from . import _forks  # noqa: F401  it has to be there before this process forks

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

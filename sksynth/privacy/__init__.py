"""Differential privacy: what a release spends, the ledger of it, and its audit. Loads no TensorFlow."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

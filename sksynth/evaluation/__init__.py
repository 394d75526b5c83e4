"""How close synthetic data is to real data, and how far from copying it: pure functions of both, which know no models."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

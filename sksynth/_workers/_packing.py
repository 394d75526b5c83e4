"""Token ids as they travel: in no more bytes than they need."""

import numpy as np


def packed(ids: np.ndarray) -> np.ndarray:
    """Return whole numbers of at least 0 as the smallest dtype that holds them all, uint8, uint16 or uint32.

    Examples
    --------
    >>> import numpy as np
    >>> packed(np.array([[3, 255]])).dtype
    dtype('uint8')
    """
    return np.ascontiguousarray(ids, np.min_scalar_type(int(ids.max(initial=0))))

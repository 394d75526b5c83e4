"""Our accountant against that of TensorFlow Privacy, where it is installed."""

import sys
from typing import Any

from ._accounting import compute_epsilon


def cross_check(
    noise_multiplier: float, sampling_rate: float, n_steps: int, delta: float, *, accountant: str = "pld"
) -> tuple[float, float]:
    """Return the epsilon of DP-SGD by our accountant and by TensorFlow Privacy's.

    Parameters
    ----------
    noise_multiplier : float
    sampling_rate : float in (0, 1)
    n_steps : int
    delta : float
    accountant : {"pld", "rdp"}, default="pld"

    Returns
    -------
    ours, theirs : float

    Raises
    ------
    ImportError
        If TensorFlow Privacy is not installed.

    Notes
    -----
    TensorFlow Privacy counts in epochs: its number of steps is epochs over the sampling rate, rounded up.
    """
    library = _library()
    kind = library.AccountantType.PLD if accountant == "pld" else library.AccountantType.RDP
    epochs = n_steps * sampling_rate
    theirs = library._compute_dp_sgd_example_privacy(epochs, noise_multiplier, delta, False, sampling_rate, kind)
    return compute_epsilon(noise_multiplier, sampling_rate, n_steps, delta, accountant=accountant), float(theirs)


def _library() -> Any:
    """Import the one module of TensorFlow Privacy that does without TensorFlow; the package itself fails beside new ones."""
    sys.skip_tf_privacy_import = True
    try:
        from tensorflow_privacy.privacy.analysis import compute_dp_sgd_privacy_lib
    except ImportError as error:
        raise ImportError(
            "cross_check needs TensorFlow Privacy: pip install 'sksynth[tensorflow-privacy]' (Python 3.11)"
        ) from error
    return compute_dp_sgd_privacy_lib

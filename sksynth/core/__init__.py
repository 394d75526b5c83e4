"""The training core: token ids and weights in, weights and token ids out. The only room that imports TensorFlow."""

from ._quiet import quiet_import

quiet_import()

from ._callbacks import callback_error, release, split_callbacks  # noqa: E402
from ._completion import Completer  # noqa: E402
from ._dp_sgd import Mechanism, train_privately  # noqa: E402
from ._growth import fitted_to, grown_weights  # noqa: E402
from ._resampling import Resampler, RowResampler  # noqa: E402
from ._run import EpochState, Progress, Run  # noqa: E402
from ._sampling import Draw, Sampler  # noqa: E402
from ._scoring import log_likelihood  # noqa: E402
from ._steps import BLOCK_ROWS  # noqa: E402
from ._training import (  # noqa: E402
    Settings,
    check_weights,
    checked_settings,
    device_name,
    n_parameters,
    network_shape,
    train,
)

__all__ = [
    "BLOCK_ROWS",
    "Completer",
    "Draw",
    "EpochState",
    "Mechanism",
    "Progress",
    "Resampler",
    "RowResampler",
    "Run",
    "Sampler",
    "Settings",
    "callback_error",
    "check_weights",
    "checked_settings",
    "device_name",
    "fitted_to",
    "grown_weights",
    "log_likelihood",
    "n_parameters",
    "network_shape",
    "release",
    "split_callbacks",
    "train",
    "train_privately",
]

"""The training core: token ids and weights in, weights and token ids out. The only room that imports TensorFlow."""

from ._quiet import quiet_import

quiet_import()

from ._dp_sgd import Mechanism, train_privately  # noqa: E402
from ._sampling import Sampler  # noqa: E402
from ._scoring import log_likelihood  # noqa: E402
from ._training import EpochState, Settings, device_name, n_parameters, network_shape, train  # noqa: E402

__all__ = [
    "EpochState",
    "Mechanism",
    "Sampler",
    "Settings",
    "device_name",
    "log_likelihood",
    "n_parameters",
    "network_shape",
    "train",
    "train_privately",
]

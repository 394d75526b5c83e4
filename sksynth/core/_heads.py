"""The heads: what the network says of every slot's next token, and the gradient of that by hand."""

from collections.abc import Iterator
from typing import NamedTuple

import tensorflow as tf

from ._layout import Group


class Head(NamedTuple):
    """The weights of one group's heads, batched over its slots."""

    group: Group
    kernel: tf.Tensor  # shape (n_slots, units, n_tokens)
    bias: tf.Tensor  # shape (n_slots, n_tokens)
    prior: tf.Tensor  # where the logits start, and what is illegal, shape (n_slots, n_states, n_tokens)


def heads(groups: tuple[Group, ...], weights: dict) -> list[Head]:
    """Return the heads of all groups."""
    parts = ("head_{}", "head_bias_{}", "prior_{}")
    return [Head(group, *(weights[part.format(index)] for part in parts)) for index, group in enumerate(groups)]


def measure(
    heads: list[Head], hidden: tf.Tensor, labels: tf.Tensor, states: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
    """Compare what the heads say with the tokens that are there.

    Parameters
    ----------
    heads : list of Head
    hidden : tensor, shape (n_positions, n_rows, units)
        In canonical order, like the next two.
    labels, states : tensor of int32, shape (n_positions, n_rows)

    Returns
    -------
    losses : tensor, shape (n_rows,)
        In nats, summed over a row's positions.
    hits : tensor, shape (n_rows,)
        Positions whose likeliest token is the row's.
    deltas : list of tensor, shape (n_slots, repeat * n_rows, n_tokens)
        The gradient of the losses with respect to every group's logits.
    """
    losses, hits, deltas = [], [], []
    for head, places in _places(heads):
        group = head.group
        logits = _logits(head, hidden[places], states[places])
        label, flat = tf.reshape(labels[places], (-1,)), tf.reshape(logits, (-1, group.n_tokens))
        loss, delta = tf.raw_ops.SparseSoftmaxCrossEntropyWithLogits(features=flat, labels=label)
        hit = tf.gather(flat, label, batch_dims=1) >= tf.reduce_max(flat, axis=1)
        losses.append(tf.reduce_sum(tf.reshape(loss, (group.n_positions, -1)), axis=0))
        hits.append(tf.reduce_sum(tf.reshape(tf.cast(hit, tf.float32), (group.n_positions, -1)), axis=0))
        deltas.append(tf.reshape(delta, tf.shape(logits)))
    return tf.add_n(losses), tf.add_n(hits), deltas


def send_back(heads: list[Head], deltas: list[tf.Tensor]) -> tf.Tensor:
    """Return the gradient with respect to the hidden states.

    Parameters
    ----------
    heads : list of Head
    deltas : list of tensor
        As `measure` returns them.

    Returns
    -------
    upstream : tensor, shape (n_positions, n_rows, units)
    """
    upstream = [tf.matmul(delta, head.kernel, transpose_b=True) for head, delta in zip(heads, deltas, strict=True)]
    parts = [
        tf.reshape(part, (head.group.n_positions, -1, part.shape[-1])) for head, part in zip(heads, upstream, strict=True)
    ]
    return tf.concat(parts, 0)


def gradients(heads: list[Head], hidden: tf.Tensor, deltas: list[tf.Tensor]) -> dict[str, tf.Tensor]:
    """Return the gradients of the heads' weights, summed over rows.

    Parameters
    ----------
    heads : list of Head
    hidden : tensor, shape (n_positions, n_rows, units)
    deltas : list of tensor
        As `measure` returns them.
    """
    sums = {}
    for index, ((head, places), delta) in enumerate(zip(_places(heads), deltas, strict=True)):
        sums[f"head_{index}"] = tf.matmul(_by_slot(head, hidden[places]), delta, transpose_a=True)
        sums[f"head_bias_{index}"] = tf.reduce_sum(delta, axis=1)
    return sums


def measure_and_return(
    heads: list[Head], hidden: tf.Tensor, labels: tf.Tensor, states: tf.Tensor, jit_compile: bool = False
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, dict[str, tf.Tensor]]:
    """Return losses and hits as `measure` does, upstream and gradients, in one piece that XLA can take."""
    return _BOTH[jit_compile](heads, hidden, labels, states)


def _both(heads, hidden, labels, states):
    losses, hits, deltas = measure(heads, hidden, labels, states)
    return losses, hits, send_back(heads, deltas), gradients(heads, hidden, deltas)


_BOTH = {False: _both, True: tf.function(_both, jit_compile=True, autograph=False)}


def _places(heads) -> Iterator[tuple[Head, slice]]:
    start = 0
    for head in heads:
        stop = start + head.group.n_positions
        yield head, slice(start, stop)
        start = stop


def _by_slot(head, hidden):
    return tf.reshape(hidden, (head.group.n_slots, -1, hidden.shape[-1]))


def _logits(head, hidden, states):
    """Logits of a group, shape (n_slots, repeat * n_rows, n_tokens): what the head says on top of the prior."""
    start = head.prior + head.bias[:, None]
    if head.group.n_states > 1:
        start = tf.gather(start, tf.reshape(states, (head.group.n_slots, -1)), batch_dims=1)
    return tf.matmul(_by_slot(head, hidden), head.kernel) + start

"""The heads: what the network says of every slot's next token, and the gradient of that by hand."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from ._layout import Group


class Head(NamedTuple):
    """The weights of one group's heads, batched over its slots."""

    group: Group
    kernel: tf.Tensor  # shape (n_slots, units, n_tokens)
    bias: tf.Tensor  # shape (n_slots, n_tokens)
    prior: tf.Tensor  # where the logits start, and what is illegal, shape (n_slots, n_states, n_tokens)
    scored: tf.Tensor | None  # 0 for places that are context only, else 1, shape (n_positions,); None: all are scored


def heads(groups: tuple[Group, ...], weights: dict) -> list[Head]:
    """Return the heads of all groups."""
    parts, scored = ("head_{}", "head_bias_{}", "prior_{}"), [None] * len(groups)
    if "scored" in weights:
        scored = by_group(groups, weights["scored"])
    return [
        Head(group, *(weights[part.format(index)] for part in parts), own)
        for index, (group, own) in enumerate(zip(groups, scored, strict=True))
    ]


def n_read(groups: tuple[Group, ...], order: tf.Tensor) -> list[Any]:
    """Return, group by group, how many places of a slot are read: all, or of text those up to the last that `order` names."""
    counts, start = [], 0
    for group in groups:
        within = (order - start) % group.repeat + 1
        mine = (order >= start) & (order < start + group.n_positions)
        counts.append(1 if group.repeat == 1 else tf.reduce_max(tf.where(mine, within, 1)))
        start += group.n_positions
    return counts


def by_group(groups: tuple[Group, ...], values: tf.Tensor, counts: Sequence[Any] | None = None) -> list[tf.Tensor]:
    """Split values by place, in canonical order, into those of each group; of each slot only as many as are read.

    Parameters
    ----------
    groups : tuple of Group
    values : tensor, shape (n_positions, ...)
    counts : list of int, optional
        As `n_read` returns them. None: all.

    Returns
    -------
    parts : list of tensor, shape (n_slots * n_read, ...)
    """
    parts = tf.split(values, [group.n_positions for group in groups])
    if counts is None:
        return parts
    return [
        part if group.repeat == 1 else _first(part, group, count)
        for part, group, count in zip(parts, groups, counts, strict=True)
    ]


def _first(part, group, count):
    """Cut the places of every slot of a group."""
    rest = tf.shape(part)[1:]
    by_slot = tf.reshape(part, tf.concat([[group.n_slots, group.repeat], rest], 0))[:, :count]
    return tf.reshape(by_slot, tf.concat([[group.n_slots * count], rest], 0))


def together(groups: tuple[Group, ...], parts: list[tf.Tensor]) -> tf.Tensor:
    """Return the values of which `by_group` made parts; zeros for what was not read."""
    whole = []
    for group, part in zip(groups, parts, strict=True):
        if group.repeat > 1:
            rest = tf.shape(part)[1:]
            by_slot = tf.reshape(part, tf.concat([[group.n_slots, -1], rest], 0))
            missing = group.repeat - tf.shape(by_slot)[1]
            by_slot = tf.pad(by_slot, [[0, 0], [0, missing], *([0, 0] for _ in part.shape[1:])])
            part = tf.reshape(by_slot, tf.concat([[group.n_positions], rest], 0))
        whole.append(part)
    return tf.concat(whole, 0)


def measure(
    heads: list[Head], hidden: list[tf.Tensor], labels: list[tf.Tensor], states: list[tf.Tensor]
) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
    """Compare what the heads say with the tokens that are there.

    Parameters
    ----------
    heads : list of Head
    hidden : list of tensor, shape (n_places, n_rows, units)
        By group, like the next two, see `by_group`. Places that are left out are foreseen for certain; those that are not
        scored count for nothing, in any of the results.
    labels, states : list of tensor of int32, shape (n_places, n_rows)

    Returns
    -------
    losses : tensor, shape (n_rows,)
        In nats, summed over a row's scored positions.
    hits : tensor, shape (n_rows,)
        Scored positions whose likeliest token is the row's.
    deltas : list of tensor, shape (n_slots, places of a slot * n_rows, n_tokens)
        The gradient of the losses with respect to every group's logits.
    """
    losses, hits, deltas = [], [], []
    for head, *own in zip(heads, hidden, labels, states, strict=True):
        logits, n_places = _logits(head, own[0], own[2]), tf.shape(own[1])[0]
        label, flat = tf.reshape(own[1], (-1,)), tf.reshape(logits, (-1, head.group.n_tokens))
        loss, delta = tf.raw_ops.SparseSoftmaxCrossEntropyWithLogits(features=flat, labels=label)
        hit = tf.cast(tf.gather(flat, label, batch_dims=1) >= tf.reduce_max(flat, axis=1), tf.float32)
        loss, hit = tf.reshape(loss, (n_places, -1)), tf.reshape(hit, (n_places, -1))
        left_out = tf.cast(head.group.n_positions - n_places, tf.float32)
        if head.scored is not None:
            scored = _scored(head, n_places)
            loss, hit, left_out = loss * scored, hit * scored, tf.reduce_sum(head.scored) - tf.reduce_sum(scored)
            delta = tf.reshape(delta, (n_places, -1, head.group.n_tokens)) * scored[:, :, None]
        losses.append(tf.reduce_sum(loss, axis=0))
        hits.append(tf.reduce_sum(hit, axis=0) + left_out)
        deltas.append(tf.reshape(delta, tf.shape(logits)))
    return tf.add_n(losses), tf.add_n(hits), deltas


def _scored(head, n_places):
    """Return which of the places of a group that are read are scored, shape (n_places, 1)."""
    if head.group.repeat == 1:
        return head.scored[:, None]
    return _first(head.scored, head.group, n_places // head.group.n_slots)[:, None]


def send_back(heads: list[Head], hidden: list[tf.Tensor], deltas: list[tf.Tensor]) -> list[tf.Tensor]:
    """Return the gradient with respect to the hidden states, by group.

    Parameters
    ----------
    heads : list of Head
    hidden : list of tensor
    deltas : list of tensor
        As `measure` has and returns them.

    Returns
    -------
    upstream : list of tensor, shape (n_places, n_rows, units)
    """
    return [
        tf.reshape(tf.matmul(delta, head.kernel, transpose_b=True), tf.shape(own))
        for head, own, delta in zip(heads, hidden, deltas, strict=True)
    ]


def gradients(heads: list[Head], hidden: list[tf.Tensor], deltas: list[tf.Tensor]) -> dict[str, tf.Tensor]:
    """Return the gradients of the heads' weights, summed over rows.

    Parameters
    ----------
    heads : list of Head
    hidden : list of tensor
    deltas : list of tensor
        As `measure` has and returns them.
    """
    sums = {}
    for index, (head, own, delta) in enumerate(zip(heads, hidden, deltas, strict=True)):
        sums[f"head_{index}"] = tf.matmul(_by_slot(head, own), delta, transpose_a=True)
        sums[f"head_bias_{index}"] = tf.reduce_sum(delta, axis=1)
    return sums


def measure_and_return(
    heads: list[Head],
    hidden: list[tf.Tensor],
    labels: list[tf.Tensor],
    states: list[tf.Tensor],
) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor], dict[str, tf.Tensor]]:
    """Return losses and hits as `measure` does, upstream and gradients, in one piece that XLA can take."""
    losses, hits, deltas = measure(heads, hidden, labels, states)
    return losses, hits, send_back(heads, hidden, deltas), gradients(heads, hidden, deltas)


def _by_slot(head, hidden):
    return tf.reshape(hidden, (head.group.n_slots, -1, hidden.shape[-1]))


def _logits(head, hidden, states):
    """Logits of a group, shape (n_slots, repeat * n_rows, n_tokens): what the head says on top of the prior."""
    start = head.prior + head.bias[:, None]
    if head.group.n_states > 1:
        start = tf.gather(start, tf.reshape(states, (head.group.n_slots, -1)), batch_dims=1)
    return tf.matmul(_by_slot(head, hidden), head.kernel) + start

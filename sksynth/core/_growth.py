"""Weights of a network whose slots get more tokens: what the network says of the old ones stays the same."""

import numpy as np

from .._grammar import OTHER, Grammar
from ._layout import ILLEGAL, Layout

BY_TOKEN = ("embedding", "recall", "head", "head_bias")  # weights of a slot that have one part per token, beside its prior
TABLES = ("embedding", "recall")  # those whose rows are tokens; the second only where networks recall
BY_GROUP = ("head", "head_bias", "prior")  # weights that are stacked by group


def grown_weights(weights: dict[str, np.ndarray], before: Grammar, after: Grammar) -> dict[str, np.ndarray]:
    """Return the weights of a network of the grammar `after` that says of rows of `before` what the network of that said.

    Every slot, state and token keeps its weights, wherever the layout of `after` has its place. A new token is embedded, and
    said, as its slot's OTHER is; its prior is the smallest of its slot. So rows of `before` become less likely only by what
    the new tokens take.

    Parameters
    ----------
    weights : dict of str to ndarray
        Averaged weights and priors, as `train` returns them; never written to.
    before : Grammar
        Whose network the weights are of.
    after : Grammar
        The same slots, some of them with more tokens behind the others.

    Raises
    ------
    ValueError
        If `after` is anything else.
    """
    _check_growth(before, after)
    layout, parts = Layout(after), _split(weights, Layout(before))
    groups = [group for group in layout.groups for _ in range(group.n_slots)]
    grown = {
        index: _grow(parts[index], before.slots[index], after.slots[index], group)
        for index, group in zip(layout.slots, groups, strict=True)
    }
    return {name: value for name, value in weights.items() if not name.startswith(BY_GROUP)} | _join(grown, layout)


def fitted_to(weights: dict[str, np.ndarray], grammar: Grammar) -> dict[str, np.ndarray]:
    """Return weights whose priors rule out what a grammar forbids, and nothing else.

    What was ruled out in a state, and is not any more, gets the largest prior that its token has in another.

    Parameters
    ----------
    weights : dict of str to ndarray
        Never written to.
    grammar : Grammar
        Of the same slots, tokens and states; in number of positions and in what is legal it may differ.
    """
    fitted, layout = dict(weights), Layout(grammar)
    legal = layout.pad([np.where(slot.transitions >= 0, 0.0, ILLEGAL) for slot in grammar.slots], ILLEGAL)
    for index, table in enumerate(legal):
        prior = weights[f"prior_{index}"]
        known = np.where(prior > ILLEGAL / 2, prior, prior.max(axis=1, keepdims=True))
        fitted[f"prior_{index}"] = np.where(table > ILLEGAL / 2, known, ILLEGAL)
    return fitted


def _check_growth(before, after):
    """Refuse a grammar that is not the other with more tokens."""
    runs = [[run.n_positions for run in grammar.runs] for grammar in (before, after)]
    if len(before.slots) != len(after.slots) or runs[0] != runs[1]:
        raise ValueError(f"got a grammar with runs of {runs[1]} positions, expected {runs[0]} as before; train anew")
    for old, new in zip(before.slots, after.slots, strict=True):
        if (old.name, old.repeat, old.n_states) != (new.name, new.repeat, new.n_states):
            raise ValueError(f"slot {new.name!r}: got another slot, repeat or states than {old.name!r} had; train anew")
        if not np.array_equal(old.transitions, new.transitions[:, : old.n_tokens]):
            raise ValueError(f"slot {new.name!r}: its first {old.n_tokens} tokens are not those of before; train anew")
        if old.n_tokens < new.n_tokens and old.n_tokens <= OTHER:
            raise ValueError(f"slot {new.name!r}: got {new.n_tokens} tokens, but has no OTHER as which to begin; train anew")


def _split(weights, layout):
    """Return the weights of every slot by its index in the grammar, padded as they are, tokens on the last axis."""
    sizes = [group.n_tokens for group in layout.groups for _ in range(group.n_slots)]
    blocks = {"slot_embedding": weights["slot_embedding"]}
    for name in [name for name in TABLES if name in weights]:
        blocks[name] = [block.T for block in np.split(weights[name], np.cumsum(sizes)[:-1])]
    for name in BY_GROUP:
        blocks[name] = [block for number in range(len(layout.groups)) for block in weights[f"{name}_{number}"]]
    return {index: {name: of[place] for name, of in blocks.items()} for place, index in enumerate(layout.slots)}


def _grow(part, before, after, group):
    """Return the weights of one slot with more tokens, padded to the size of its group."""
    n_states, n_old, n_new = before.n_states, before.n_tokens, after.n_tokens
    grown = {"slot_embedding": part["slot_embedding"]}
    for name in [name for name in BY_TOKEN if name in part]:
        old = part[name]
        grown[name] = np.zeros((*old.shape[:-1], group.n_tokens), np.float32)
        grown[name][..., : old.shape[-1]] = old
        grown[name][..., n_old:n_new] = old[..., OTHER, None]
    prior, legal = part["prior"][:n_states, :n_old], after.transitions >= 0
    grown["prior"] = np.full((group.n_states, group.n_tokens), ILLEGAL, np.float32)
    grown["prior"][:n_states, :n_old] = prior
    grown["prior"][:n_states, n_old:n_new] = np.where(legal[:, n_old:], prior[legal[:, :n_old]].min(), ILLEGAL)
    return grown


def _join(parts, layout):
    """Return the weights of all slots as the network has them; the inverse of `_split`."""
    ordered, start = [parts[index] for index in layout.slots], 0
    joined = {name: np.concatenate([part[name].T for part in ordered]) for name in TABLES if name in ordered[0]}
    joined["slot_embedding"] = np.stack([part["slot_embedding"] for part in ordered])
    for number, group in enumerate(layout.groups):
        members = ordered[start : start + group.n_slots]
        start += group.n_slots
        joined |= {f"{name}_{number}": np.stack([part[name] for part in members]) for name in BY_GROUP}
    return joined

"""One network of three makes, for step.py: of stock Keras layers, of torch, and nothing but its matrix products."""

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

RATE, BETAS, EPSILON, CLIP_NORM = 0.004, (0.9, 0.99), 1e-7, 5.0  # of Adam, as in sksynth


class Network(NamedTuple):
    """What every candidate is made of: the core's shape and first weights, a batch of rows, the order of reading."""

    shape: tuple
    weights: dict
    rows: np.ndarray
    order: np.ndarray


def inputs(net):
    """Return tokens by row and slots, both as read; when each place is read; labels and states by place."""
    members = [group for group in net.shape.groups for _ in range(group.n_slots)]
    slot = np.repeat(np.arange(len(members)), [group.repeat for group in members])
    first = np.cumsum([0, *(group.n_tokens for group in members)])
    ids, states = np.split(net.rows.astype(np.int64), 2, axis=1)
    return (ids + first[slot])[:, net.order], slot[net.order], np.argsort(net.order), ids.T.copy(), states.T.copy()


def heads(net):
    """Yield every group with its places and the names of its weights."""
    start = 0
    for index, group in enumerate(net.shape.groups):
        yield group, slice(start, start + group.n_positions), f"head_{index}", f"head_bias_{index}", f"prior_{index}"
        start += group.n_positions


def stock_keras(net, jit_compile):
    """Return a step of the network made of Keras' own layers."""
    units, own = net.shape.rnn_units, net.weights
    said, asked = keras.layers.Embedding(*own["embedding"].shape), keras.layers.Embedding(*own["slot_embedding"].shape)
    lstm = keras.layers.LSTM(units, return_sequences=True)
    lstm.build((None, None, len(own["kernel_0"])))
    lstm.set_weights([own["kernel_0"], own["recurrent_kernel_0"], own["bias_0"]])
    for layer, name in ((said, "embedding"), (asked, "slot_embedding")):
        layer.build()
        layer.set_weights([own[name]])
    head = {name: keras.Variable(value) for name, value in own.items() if name.startswith("head")}
    variables = [*said.variables, *asked.variables, *lstm.trainable_variables, *head.values()]
    optimizer = keras.optimizers.Adam(RATE, *BETAS, epsilon=EPSILON, global_clipnorm=CLIP_NORM)
    optimizer.build(variables)
    data = [tf.constant(array) for array in inputs(net)]

    def mean_loss(tokens, slots, times, labels, states):
        read = tf.pad(said(tokens[:, :-1]), [[0, 0], [1, 0], [0, 0]]) + asked(slots)
        hidden, total = tf.gather(tf.transpose(lstm(read), (1, 0, 2)), times), 0.0
        for group, places, kernel, bias, prior in heads(net):
            here, label, start = (group.n_slots, -1), labels[places], tf.constant(own[prior])
            if group.n_states > 1:
                start = tf.gather(start, tf.reshape(states[places], here), batch_dims=1)
            logits = tf.matmul(tf.reshape(hidden[places], (*here, units)), head[kernel]) + head[bias][:, None] + start
            total += tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(tf.reshape(label, here), logits))
        return total / len(net.rows)

    @tf.function(jit_compile=jit_compile)
    def step(*data):
        with tf.GradientTape() as tape:
            loss = mean_loss(*data)
        optimizer.apply(tape.gradient(loss, [variable.value for variable in variables]), variables)
        return loss

    return lambda: step(*data)


def stock_torch(net, threads):
    """Return a step of the network in torch, eager."""
    import torch

    own = {name: torch.tensor(value) for name, value in net.weights.items()}
    said, asked = (torch.nn.Embedding.from_pretrained(own[name], freeze=False) for name in ("embedding", "slot_embedding"))
    lstm = torch.nn.LSTM(len(net.weights["kernel_0"]), net.shape.rnn_units)
    first = {"weight_ih_l0": own["kernel_0"].T, "weight_hh_l0": own["recurrent_kernel_0"].T, "bias_ih_l0": own["bias_0"]}
    lstm.load_state_dict(first | {"bias_hh_l0": torch.zeros_like(own["bias_0"])})
    head = {name: torch.nn.Parameter(value) for name, value in own.items() if name.startswith("head")}
    recurrent = [value for name, value in lstm.named_parameters() if name != "bias_hh_l0"]  # one bias, as in Keras
    parameters = [*said.parameters(), *asked.parameters(), *recurrent, *head.values()]
    optimizer = torch.optim.Adam(parameters, RATE, BETAS, EPSILON)
    tokens, slots, times, labels, states = map(torch.tensor, inputs(net))

    def step():
        torch.set_num_threads(threads)
        read = torch.nn.functional.pad(said(tokens.T[:-1]), (0, 0, 0, 0, 1, 0)) + asked(slots)[:, None]
        hidden, total = lstm(read)[0][times], 0.0
        for group, places, kernel, bias, prior in heads(net):
            start = own[prior]
            if group.n_states > 1:
                start = start[torch.arange(group.n_slots)[:, None], states[places].reshape(group.n_slots, -1)]
            flat = hidden[places].reshape(group.n_slots, -1, net.shape.rnn_units)
            logits = (flat @ head[kernel] + head[bias][:, None] + start).reshape(-1, group.n_tokens)
            total += torch.nn.functional.cross_entropy(logits, labels[places].reshape(-1), reduction="sum")
        loss = total / len(net.rows)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, CLIP_NORM)
        optimizer.step()
        return loss.detach()

    return step


def sgemm(net):
    """Return as many matrix products as the recurrence takes forward and backward, none of which waits for another."""
    rng, size = np.random.default_rng(0), (len(net.rows), net.shape.rnn_units)
    inputs = [tf.constant(rng.standard_normal(size, np.float32)) for _ in range(3 * net.shape.n_positions)]
    kernel = tf.constant(net.weights["recurrent_kernel_0"])

    @tf.function
    def products(inputs, kernel):
        return tf.add_n([tf.matmul(own, kernel)[0, 0] for own in inputs])

    return lambda: products(inputs, kernel)

#!/usr/bin/env python3
"""Time a step of the same network by torch and, with clipped rows and noise, by Opacus; one JSON line of medians in seconds.

step_opacus.py ROWS.npz UNITS EMBEDDING_DIM ROUNDS STEPS

Embeddings of tokens and slots, DPLSTM, a linear head per slot, softmax cross-entropy, Adam. See private_step.py.
"""

import json
import statistics
import sys
import time
import warnings

import numpy as np
import torch
from opacus import GradSampleModule
from opacus.layers import DPLSTM
from opacus.optimizers import DPOptimizer
from torch import nn

warnings.filterwarnings("ignore")


class Rows(nn.Module):
    """The language model of rows."""

    def __init__(self, sizes, units, width, lstm):
        super().__init__()
        self.sizes = sizes
        self.said, self.asked = nn.Embedding(int(sum(sizes)), width), nn.Embedding(len(sizes), width)
        self.lstm = lstm(width, units, batch_first=True)
        self.heads = nn.ModuleList(nn.Linear(units, int(size)) for size in sizes)

    def forward(self, tokens, slots):
        """Return the logits of every slot."""
        said = nn.functional.pad(self.said(tokens[:, :-1]), (0, 0, 1, 0))
        hidden, _ = self.lstm(said + self.asked(slots))
        return [head(hidden[:, place]) for place, head in enumerate(self.heads)]


def stepper(data, units, width, private):
    """Return a step, and its batch."""
    order = data["order"]
    ids, sizes = torch.tensor(data["ids"].astype(np.int64)[:, order]), data["sizes"][order]
    first = torch.tensor(np.cumsum([0, *sizes])[:-1])
    tokens, slots = ids + first, torch.arange(len(sizes)).expand(len(ids), -1)
    model = Rows(sizes, units, width, DPLSTM if private else nn.LSTM)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    if private:
        model = GradSampleModule(model)
        optimizer = DPOptimizer(optimizer, noise_multiplier=1.0, max_grad_norm=1.0, expected_batch_size=len(ids))

    def step():
        optimizer.zero_grad()
        logits = model(tokens, slots)
        losses = sum(nn.functional.cross_entropy(own, ids[:, place], reduction="none") for place, own in enumerate(logits))
        losses.mean().backward()
        optimizer.step()

    return step


def main():
    path, (units, width, rounds, steps) = sys.argv[1], map(int, sys.argv[2:6])
    data, times = np.load(path), {}
    made = {"torch": stepper(data, units, width, False), "Opacus": stepper(data, units, width, True)}
    for number in range(rounds + 1):
        for name, step in made.items():
            start = time.perf_counter()
            for _ in range(steps):
                step()
            if number:
                times.setdefault(name, []).append((time.perf_counter() - start) / steps)
    print(json.dumps({name: statistics.median(own) for name, own in times.items()}))


if __name__ == "__main__":
    main()

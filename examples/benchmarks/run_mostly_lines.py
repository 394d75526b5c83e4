#!/usr/bin/env python3
"""Fit mostlyai-engine's LanguageModel on lines of text; one JSON line: seconds, bits per character, lines per second.

run_mostly_lines.py TRAIN.txt HOLDOUT.txt [--minutes M] [--lines N]

A held-out line costs what the model gives all tokens of its JSON; its characters and one end are counted. Needs the
environment "mostly" of peers.sh.
"""

import argparse
import json
import math
import tempfile
import time
from pathlib import Path

import pandas as pd
import torch
from mostlyai.engine import LanguageModel
from mostlyai.engine._language.common import load_base_model_and_config
from mostlyai.engine._language.encoding import row_to_json
from mostlyai.engine._language.tokenizer_utils import tokenize_fn
from mostlyai.engine._workspace import Workspace
from transformers import AutoTokenizer

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("train", type=Path)
arguments.add_argument("holdout", type=Path)
arguments.add_argument("--minutes", type=float, default=10)
arguments.add_argument("--lines", type=int, default=500)


def bits_of(lines, folder):
    """Return the bits that the model in a workspace needs for lines."""
    path, device = Workspace(folder).model_path, torch.device("cpu")
    tokenizer = AutoTokenizer.from_pretrained(path, padding_side="right", truncation_side="right", legacy=True)
    model, _ = load_base_model_and_config(path, device=device, is_peft_adapter=False, is_training=False)
    model.eval()
    texts = [row_to_json(pd.Series({"tgt:/text": line}), is_target=True) for line in lines]
    nats = 0.0
    for start in range(0, len(texts), 64):
        batch = tokenize_fn(
            {"content": texts[start : start + 64]}, tokenizer=tokenizer, text_key="content", add_bos_token=True,
            add_eos_token=True, padding=True, truncation=False,
        )  # fmt: skip
        ids, mask = (torch.tensor(batch[name]) for name in ("input_ids", "attention_mask"))
        with torch.no_grad():
            logits = model(input_ids=ids, attention_mask=mask).logits[:, :-1].log_softmax(-1)
        chosen = logits.gather(-1, ids[:, 1:, None])[..., 0]
        nats -= float((chosen * mask[:, 1:]).sum())
    return nats / math.log(2)


def main():
    """Fit, score, sample."""
    given = arguments.parse_args()
    train, holdout = (path.read_text(encoding="utf-8").splitlines() for path in (given.train, given.holdout))
    with tempfile.TemporaryDirectory() as folder:
        model = LanguageModel(
            model="MOSTLY_AI/LSTMFromScratch-3m", max_training_time=given.minutes, verbose=1, random_state=0,
            workspace_dir=folder, tgt_encoding_types={"text": "LANGUAGE_TEXT"},
        )  # fmt: skip
        start, start_of_work = time.perf_counter(), time.process_time()
        model.fit(pd.DataFrame({"text": train}))
        seconds, work = time.perf_counter() - start, time.process_time() - start_of_work
        bits = bits_of(holdout, folder) / sum(len(line) + 1 for line in holdout)
        start = time.perf_counter()
        sample = model.sample(n_samples=given.lines)["text"].tolist()
        rate = given.lines / (time.perf_counter() - start)
    print(
        json.dumps(
            {
                "fit_s": round(seconds, 1),
                "fit_cpu_s": round(work, 1),
                "bits_per_char": round(bits, 4),
                "lines_per_s": round(rate, 2),
            }
        )
    )
    print(*sample[:3], sep="\n")


if __name__ == "__main__":
    main()

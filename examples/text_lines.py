"""
Lines of text
=============

``LSTMTextModel`` learns lines and writes new ones; a table may have columns of text beside others.
"""

import matplotlib.pyplot as plt

from sksynth import LSTMTextModel
from sksynth.datasets import make_mixed
from sksynth.evaluation import HistoryDisplay, copied_ngrams

# %%
# Learn
# -----
# Comments on orders of a small shop, each of three phrases. Lines are spelled in pieces of words, which are learned first.
comments = make_mixed(6000, random_state=0)["comment"].dropna().tolist()
lines, holdout = comments[:2000], comments[2000:]
model = LSTMTextModel(epochs=15, random_state=0).fit(lines)
print(model.tokenizer_.n_vocab_, "pieces, such as", model.tokenizer_.vocabulary_[3:9])

# %%
# The loss of lines that were held out says when it has learned enough:
HistoryDisplay.from_estimator(model)

# %%
# Write
# -----
for line in model.sample(5, random_state=0):
    print(line)

# %%
# A prefix is continued, a temperature below 1 keeps to what is likely, and a validator chooses.
print(model.sample(prefix=["very", "worth", "not"], temperature=0.7, random_state=0))
print(model.sample(3, validator=lambda line: "gift" in line, random_state=0))

# %%
# Copies
# ------
# There are few phrases, so that long stretches are met again. Whether new lines repeat more of the training lines than they
# should is seen beside lines that were held out.
fresh = model.sample(len(holdout), random_state=0)
lengths = range(5, 45, 5)
figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
for name, texts, style in [("sampled lines", fresh, "-o"), ("held-out lines", holdout, "--x")]:
    axes.plot(lengths, [copied_ngrams(lines, texts, n=n) for n in lengths], style, label=name)
axes.set(xlabel="characters of an n-gram", ylabel="share that the training lines hold", ylim=(0, 1.05))
axes.legend()
plt.show()

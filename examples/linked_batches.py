"""
A wide table in linked batches
==============================

A table of many columns is cut into batches, each of which has a model of its own. Linked batches read a few columns of those
before them, and so stay one table.
"""

import matplotlib.pyplot as plt
from sklearn.base import clone

from sksynth import BatchLSTMSynthesizer, ColumnClusterer, LSTMTextModel
from sksynth.datasets import load_adult
from sksynth.evaluation import AssociationDisplay

adult = load_adult()
synthesizer = BatchLSTMSynthesizer(
    ColumnClusterer(max_columns=5),  # 20 by default, and then 15 columns would be one batch
    LSTMTextModel(epochs=4),
    random_state=0,
).fit(adult)

# %%
# The batches
# -----------
# Columns that say most about each other come into one batch, framed below; dashed are the columns that it reads of others.
for batch, context in zip(synthesizer.batches_, synthesizer.links_, strict=True):
    print(", ".join(batch), "| context:", ", ".join(context) or "none")

AssociationDisplay.from_estimator(synthesizer)

# %%
# What links are worth
# --------------------
# The score of a row is the sum over the batches, each in its context. Without links, batches know nothing of each other.
unlinked = clone(synthesizer).set_params(linked=False).fit(adult)
print(f"log-likelihood of a row: {synthesizer.score(adult):.2f} nats linked, {unlinked.score(adult):.2f} not linked")
assert synthesizer.score(adult) > unlinked.score(adult)

# %%
# ``education`` and ``income`` are in two batches, and go together all the same:
tables = {
    "real": adult,
    "linked": synthesizer.sample(4000, random_state=0),
    "not linked": unlinked.sample(4000, random_state=0),
}
figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
order = adult.groupby("education-num")["education"].first()
for (name, table), marker in zip(tables.items(), ["o", "x", "s"], strict=True):
    shares = table.groupby("education")["income"].agg(lambda income: (income == ">50K").mean()).reindex(order)
    axes.plot(shares.to_numpy(), range(len(order)), marker, label=name, fillstyle="none")
axes.set_yticks(range(len(order)), order)
axes.set_xlabel("share of incomes above 50K")
axes.legend(loc="lower right")
plt.show()

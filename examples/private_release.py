"""
A private release
=================

A table is fitted with differential privacy, of which the ledger says what was spent on what, and compared with a fit without.
"""

import matplotlib.pyplot as plt
import numpy as np

from sksynth import BatchLSTMSynthesizer, fields
from sksynth.datasets import load_adult
from sksynth.evaluation import PrivacyLedgerDisplay

columns = ["age", "education-num", "hours-per-week", "sex", "income"]
adult = load_adult()[columns]

# %%
# What is public
# --------------
# With differential privacy, nothing may be read from the rows for free, not even bounds and categories. Those that everybody
# may know are said in the schema; *private* ones would be found from counts with noise, see :doc:`/privacy`.
schema = {
    "age": fields.Number(17, 90),
    "education-num": fields.Number(1, 16),
    "hours-per-week": fields.Number(1, 99),
    "sex": fields.Category(["Female", "Male"]),
    "income": fields.Category(["<=50K", ">50K"]),
}
private = BatchLSTMSynthesizer(schema=schema, epsilon=3.0, delta=1e-5, random_state=0).fit(adult)
public = BatchLSTMSynthesizer(random_state=0).fit(adult)

# %%
# What it cost
# ------------
# The ledger has every step that read the rows. All of them together stay within epsilon.
assert private.epsilon_ <= 3.0
private.privacy_ledger_[["step", "mechanism", "epsilon"]]

# %%
PrivacyLedgerDisplay.from_estimator(private)

# %%
# The same in words, to go with the table that is released:
print(private.privacy_statement_)

# %%
# What it looks like
# ------------------
# Shapes of columns, and what columns have to do with each other, come through the noise; details do not.
tables = {"real": adult, "synthetic": public.sample(4000, random_state=0), "epsilon 3": private.sample(4000, random_state=0)}
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
edges = np.arange(15, 95, 5)
for (name, table), style in zip(tables.items(), ["-", "--", ":"], strict=True):
    left.stairs(np.histogram(table["age"], edges)[0] / len(table), edges, label=name, linestyle=style, linewidth=1.5)
    rich = table.groupby("education-num")["income"].agg(lambda income: (income == ">50K").mean())
    right.plot(rich.loc[6:15], label=name, linestyle=style)
left.set(xlabel="age", ylabel="share of the rows")
right.set(xlabel="years of education", ylabel="share above 50K")
left.legend()
plt.show()

"""
Conditional sampling and imputation
===================================

One model answers for any columns given any others: rows that meet a condition, missing cells, the distribution of a column.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from sksynth import BatchLSTMSynthesizer
from sksynth.datasets import load_adult
from sksynth.fields import Interval

adult = load_adult()
training, holdout = train_test_split(adult, test_size=500, random_state=0)
synthesizer = BatchLSTMSynthesizer(random_state=0).fit(training)

# %%
# Rows that meet a condition
# --------------------------
# Every row meets it, and the other columns follow the distribution that they have given that. A model of 3,500 rows stays
# nearer to the whole table than it should; with more rows it comes closer, see :doc:`/benchmarks`.
given = {"age": Interval(high=25), "education": ["HS-grad", "Some-college"]}
sample = synthesizer.sample(2000, given=given, random_state=0)
assert (sample["age"] <= 25).all() and set(sample["education"]) == {"HS-grad", "Some-college"}

real = adult[(adult["age"] <= 25) & adult["education"].isin(["HS-grad", "Some-college"])]
tables = {"whole table": adult, "real rows that meet it": real, "sampled rows": sample}
pd.DataFrame(
    {
        "married": {name: (table["marital-status"] == "Married-civ-spouse").mean() for name, table in tables.items()},
        "hours-per-week": {name: table["hours-per-week"].mean() for name, table in tables.items()},
        "income above 50K": {name: (table["income"] == ">50K").mean() for name, table in tables.items()},
    }
).round(2)

# %%
# Missing cells
# -------------
# A fifth of the cells of rows that were held out is taken away, and drawn anew.
rows = holdout.dropna()
holes = rows.mask(np.random.default_rng(0).random(rows.shape) < 0.2)
filled = synthesizer.impute(holes, random_state=0)
assert not filled.isna().any().any()
filled.head().transpose()

# %%
# Single draws keep how columns vary. For the best guess of single cells, draw several tables and take the mean of a number:
draws = synthesizer.impute(holes, n_draws=10, random_state=0)
missing = holes["hours-per-week"].isna()
guess = np.mean([table.loc[missing, "hours-per-week"] for table in draws], axis=0)
errors = {
    "mean of ten draws": guess - rows.loc[missing, "hours-per-week"],
    "mean of the column": holes["hours-per-week"].mean() - rows.loc[missing, "hours-per-week"],
}
print({name: f"{np.sqrt(np.mean(error**2)):.1f} hours" for name, error in errors.items()})

# %%
# Distributions
# -------------
# The probability of an income above 50K, row by row, given all other columns:
income = synthesizer.conditional(holdout, "income")[">50K"]
figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
for label, style in zip(["<=50K", ">50K"], ["-", "--"], strict=True):
    heights, edges = np.histogram(income[holdout["income"] == label], np.linspace(0, 1, 11), density=True)
    axes.stairs(heights, edges, label=f"rows of {label}", linestyle=style, linewidth=1.5)
axes.set(xlabel="probability of an income above 50K", ylabel="density of the rows")
axes.legend()
plt.show()

"""
Quickstart: from a real table to a synthetic one
================================================

One model is fitted to 4,000 rows of the Adult table; 1,000 new rows are sampled, and some marginals of the two compared.
"""

import time

import pandas as pd

from sksynth import BatchLSTMSynthesizer
from sksynth.datasets import load_adult

# %%
# Fit
# ---
# Kinds of columns, their values and bounds are inferred; missing cells are learned with everything else.
real = load_adult()
synthesizer = BatchLSTMSynthesizer(random_state=0, verbose=1)
start = time.perf_counter()
synthesizer.fit(real)
print(f"\nfitted {len(real):,} rows x {real.shape[1]} columns in {time.perf_counter() - start:.1f} s")

# %%
# Sample
# ------
# A DataFrame comes out, with the columns and dtypes of the real one.
start = time.perf_counter()
synthetic = synthesizer.sample(1000)
print(f"sampled {len(synthetic):,} rows in {time.perf_counter() - start:.1f} s; five of them:\n")
print(synthetic.head().T.to_string(header=False))

# %%
# Compare
# -------
# What is as frequent in the synthetic table as in the real one was learned.
numbers = ["age", "education-num", "hours-per-week", "capital-gain"]
means = pd.DataFrame({"real": real[numbers].mean(), "synthetic": synthetic[numbers].mean()})
print("\nmeans\n" + means.round(1).to_string())

for column in ["sex", "income", "workclass"]:
    shares = {
        name: table[column].value_counts(normalize=True, dropna=False)
        for name, table in {"real": real, "synthetic": synthetic}.items()
    }
    print(f"\nshares of {column}\n" + pd.DataFrame(shares).fillna(0).round(3).to_string(header=True, index_names=False))

rates = {
    name: table.groupby("education-num")["income"].agg(lambda income: (income == ">50K").mean())
    for name, table in {"real": real, "synthetic": synthetic}.items()
}
print("\nshare of incomes above 50K by years of education\n" + pd.DataFrame(rates).loc[8:14].round(2).to_string())

assert list(synthetic.columns) == list(real.columns)
assert (synthetic.dtypes == real.dtypes).all()

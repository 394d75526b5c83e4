"""
Balancing a class in a pipeline of imbalanced-learn
===================================================

Rows of a rare class are sampled until there are as many as of the other, in the training part of every fold alone. The sampler
of the pipeline is a function, so that nothing has to be written for imbalanced-learn.
"""

import matplotlib.pyplot as plt
import pandas as pd
from imblearn import FunctionSampler
from imblearn.pipeline import make_pipeline
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_validate
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sksynth import BatchLSTMSynthesizer, LSTMTextModel
from sksynth.datasets import load_adult

# %%
# A rare class
# ------------
# Of the incomes above 50K only one in eight is kept.
adult = load_adult().drop(columns=["fnlwgt", "education"])
rich = adult[adult["income"] == ">50K"].sample(frac=1 / 8, random_state=0)
table = pd.concat([adult[adult["income"] == "<=50K"], rich]).sample(frac=1, random_state=0).reset_index(drop=True)
X, y = table.drop(columns="income"), table["income"]
print(y.value_counts())


# %%
# A sampler
# ---------
# The synthesizer learns the class with all other columns, and rows are drawn given it.
def balance(X, y):
    """Return the rows, and new ones of the rare class until there are as many of both."""
    counts = y.value_counts()
    synthesizer = BatchLSTMSynthesizer(text_model=LSTMTextModel(epochs=6), random_state=0).fit(X.assign(income=y))
    new = synthesizer.sample(counts.max() - counts.min(), given={"income": counts.idxmin()}, random_state=0)
    both = pd.concat([X.assign(income=y), new], ignore_index=True)
    return both.drop(columns="income"), both["income"]


# %%
# The pipeline
# ------------
# In ``cross_validate``, samplers see the training rows of a fold, never those that are scored.
columns = make_column_transformer(
    (StandardScaler(), make_column_selector(dtype_include="number")),
    (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude="number")),
)


def scores(*steps, **parameters):
    """Return the scores of a logistic regression behind these steps, means of three folds."""
    model = make_pipeline(*steps, columns, LogisticRegression(max_iter=1000, **parameters))
    folds = cross_validate(model, X, y, cv=3, scoring=["balanced_accuracy", "roc_auc"])
    return {name: folds[f"test_{name}"].mean() for name in ["balanced_accuracy", "roc_auc"]}


table_of_scores = pd.DataFrame(
    {
        "as it is": scores(),
        "class weights": scores(class_weight="balanced"),
        "sampled rows": scores(FunctionSampler(func=balance, validate=False)),
    }
)
print(table_of_scores.round(3))
assert table_of_scores.loc["balanced_accuracy", "sampled rows"] > table_of_scores.loc["balanced_accuracy", "as it is"]

# %%
# Both ways let the rare class count. Where a classifier takes weights, these are the shorter way, and the better one here;
# sampled rows serve what takes none, such as nearest neighbours.
figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
table_of_scores.plot.barh(ax=axes, xlim=(0.4, 1), color=["white", "0.7", "C0"], edgecolor="black", legend=False)
figure.legend(loc="outside upper center", ncols=3)
plt.show()

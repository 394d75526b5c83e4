"""
Grid search
===========

The score of a synthesizer is the mean log-likelihood of rows, so that scikit-learn's searches choose the settings that
say most about rows that a model has not seen. No metric of samples is needed, nor any sampling.
"""

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.model_selection import GridSearchCV

from sksynth import BatchLSTMSynthesizer
from sksynth.datasets import load_adult

adult = load_adult().head(1500)

# %%
# Search
# ------
# ``text_model__`` reaches into the template of the batches' models. Small networks and few epochs keep this short.
grid = {"text_model__rnn_units": [16, 64], "text_model__learning_rate": [0.003, 0.01], "text_model__epochs": [6]}
search = GridSearchCV(BatchLSTMSynthesizer(random_state=0), grid, cv=2).fit(adult)
print(search.best_params_)

# %%
# The best settings are fitted to all rows, and sample:
search.best_estimator_.sample(3, random_state=0)

# %%
# Scores
# ------
results = pd.DataFrame(search.cv_results_)
table = results.pivot_table("mean_test_score", "param_text_model__learning_rate", "param_text_model__rnn_units")
figure, axes = plt.subplots(figsize=(5, 3.5), layout="constrained")
for (units, scores), style in zip(table.items(), ["-o", "--x"], strict=True):
    axes.plot(scores.index, scores, style, label=f"{units} units")
axes.set(xlabel="learning rate", ylabel="held-out log-likelihood of a row, nats", xscale="log")
axes.legend()
plt.show()

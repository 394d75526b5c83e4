"""Pictures in scikit-learn's manner: ``from_estimator`` or ``from_predictions``, then ``plot``; one file each."""

"""Training seen from the estimators: settings, jobs, checkpoints, and what batches and their fit tell each other."""

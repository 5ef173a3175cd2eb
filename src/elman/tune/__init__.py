"""A search for good settings: trials that are runs, proposed and kept by Optuna."""

"""Models that Keras or PyTorch saved, as modules on Elman's layers or as run folders."""

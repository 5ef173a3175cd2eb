"""Models that Keras or PyTorch saved, as modules of PyTorch on Elman's layers, or as run folders."""

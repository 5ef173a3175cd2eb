"""What a network keeps, forgets and looks at, on one page: of a run, or of any PyTorch model."""

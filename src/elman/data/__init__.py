"""From files to batches: sources, known data sets, vocabularies, token files, windows."""

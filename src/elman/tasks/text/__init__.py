"""A language model that writes: characters, bytes, words or BPE."""

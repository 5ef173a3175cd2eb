"""N-gram models: what a language model has to beat, and may be mixed with."""

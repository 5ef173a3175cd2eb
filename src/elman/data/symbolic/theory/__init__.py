"""Theory of music as pure functions: keys and scales, chords, counterpoint."""

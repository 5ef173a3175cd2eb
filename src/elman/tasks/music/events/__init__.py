"""Music as events: notes one after another as tokens, for performances and several instruments."""

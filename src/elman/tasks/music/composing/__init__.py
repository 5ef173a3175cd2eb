"""A trained model that composes: goes on, harmonises, keeps rules, and writes what it made."""

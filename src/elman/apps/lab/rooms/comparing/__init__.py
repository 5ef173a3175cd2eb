"""The room where runs stand side by side, and comparisons are begun."""

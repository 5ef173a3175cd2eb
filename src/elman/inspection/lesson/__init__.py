"""A lesson on gradients through time: they vanish, they explode, and what gates do about it."""

from elman.inspection.lesson.lesson import Lesson, Taught, teach

__all__ = ["Lesson", "Taught", "teach"]

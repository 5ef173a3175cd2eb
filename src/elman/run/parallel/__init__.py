"""One run trained by several processes, each of which reads its share of every batch."""

"""One file for each way in which recordings and their transcripts or labels lie together."""

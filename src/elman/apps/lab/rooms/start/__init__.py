"""From a file to a training: what was read, for which task, with which options, how long."""

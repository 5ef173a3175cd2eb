"""What a run logs, told to the trackers that teams look at."""

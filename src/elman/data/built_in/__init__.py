"""The named data sets: those that come with Python or are made, and those that are downloaded."""

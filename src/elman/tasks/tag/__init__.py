"""Give every token of a sentence its label: parts of speech, names of people and places."""

"""Read a sentence, write another: translation and every other N-to-M job."""

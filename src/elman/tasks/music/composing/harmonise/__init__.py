"""Voices to given ones: the likeliest by beam, or drawn by Gibbs sampling."""

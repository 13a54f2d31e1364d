"""Minibatch SGD for a whole stack of heads."""

"""The certified optimum of a whole stack of heads."""

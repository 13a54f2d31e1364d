"""What finds the weights: stochastic gradient descent for a whole stack of heads."""

"""What is kept of a training: the model, its file, and what one look at the test split leaves."""

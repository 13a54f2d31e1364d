"""For who learns linear classifiers, and who teaches them: the exercise, and what says whether code is right."""

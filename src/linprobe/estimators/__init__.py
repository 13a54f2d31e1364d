"""The scikit-learn door: classifiers with the contract of its estimators and a proven distance to the optimum."""

from linprobe.estimators.classifiers import LinearSVM, SoftmaxClassifier

__all__ = ["LinearSVM", "SoftmaxClassifier"]

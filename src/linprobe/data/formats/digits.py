"""scikit-learn's handwritten digits: 1,797 small pictures that come with the library."""

import numpy as np

from linprobe.data.dataset import Dataset, Examples

__all__ = ["read_digits"]


def read_digits() -> Dataset:
    """The digits of scikit-learn, uint8 (1797, 8, 8, 1) with values 0 to 16, classes "0" to "9"; no test split.

    Alpaydin and Kaynak (1998), Optical recognition of handwritten digits, UCI repository.
    """
    from sklearn.datasets import load_digits

    values, labels = (np.asarray(part) for part in load_digits(return_X_y=True))
    images = values.reshape(-1, 8, 8, 1).astype(np.uint8)
    return Dataset("digits", Examples(images, labels), None, tuple(str(digit) for digit in range(10)), white=16.0)

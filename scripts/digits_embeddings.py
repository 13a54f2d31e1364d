"""Make a small file of embeddings, to try `linprobe tune` on: random features of scikit-learn's digits.

    python scripts/digits_embeddings.py embeddings.npz

X (1797, 256) float32, the positive parts of random projections of the pixels, and y, the digit.
"""

import argparse
import sys

import numpy as np
from sklearn.datasets import load_digits

WIDTH = 256


def main() -> None:
    """Write the file."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("file", nargs="?", default="embeddings.npz")
    file = arguments.parse_args().file
    pixels, y = load_digits(return_X_y=True)
    projections = np.random.default_rng(0).standard_normal((pixels.shape[1], WIDTH)) / 8
    X = np.maximum(pixels / 16 @ projections, 0).astype(np.float32)
    np.savez(file, X=X, y=y)
    sys.stdout.write(f"{file}: X {X.shape[0]:,} x {X.shape[1]} {X.dtype}, y {len(np.unique(y))} classes\n")


if __name__ == "__main__":
    main()

"""How saved_datasets.zip was made by the library itself: python make_saved_datasets.py, with datasets 5.2.0.

The tests need neither; `values` is what they expect to read.
"""

import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np

NAMES = ["ash", "birch", "cedar"]
N = 8


def values():
    """Pixels (n, 4, 5, 3), embeddings (n, 3) and labels (n,)."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (N, 4, 5, 3), dtype=np.uint8)
    return pixels, rng.normal(size=(N, 3)).astype(np.float32), [row % 3 for row in range(N)]


def main():
    from datasets import (  # pyright: ignore[reportMissingImports]
        Array2D,
        ClassLabel,
        Dataset,
        DatasetDict,
        Features,
        Image,
        Sequence,
        Value,
    )
    from PIL import Image as Pictures

    pixels, embeddings, labels = values()

    def encoded(picture):
        buffer = io.BytesIO()
        Pictures.fromarray(picture).save(buffer, "PNG")
        return {"bytes": buffer.getvalue(), "path": None}

    label = ClassLabel(names=NAMES)
    pictures = Dataset.from_dict(
        {"image": [encoded(picture) for picture in pixels], "label": labels},
        features=Features({"image": Image(), "label": label}),
    )
    rows = {"embedding": embeddings.tolist(), "label": labels}
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder)
        splits = {"train": pictures, "test": pictures.select([5, 1]), "extra": pictures.select([0])}
        DatasetDict(splits).save_to_disk(top / "pictures", num_shards={"train": 2, "test": 1, "extra": 1})
        Dataset.from_dict(
            {**rows, "grid": np.zeros((N, 2, 2)).tolist()},
            features=Features(
                {"embedding": Sequence(Value("float32"), length=3), "label": label, "grid": Array2D((2, 2), "float32")}
            ),
        ).save_to_disk(top / "fixed", num_shards=3)
        Dataset.from_dict(rows, features=Features({"embedding": Sequence(Value("float32")), "label": label})).select(
            range(N - 1, -1, -1)
        ).save_to_disk(top / "lists")
        with zipfile.ZipFile(Path(__file__).with_name("saved_datasets.zip"), "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(top.rglob("*")):
                if file.is_file():
                    archive.write(file, file.relative_to(top))


if __name__ == "__main__":
    main()

"""What the names of arrays, columns and files say: features or labels, of which split, which part of several."""

import re
from typing import NamedTuple

__all__ = ["Name", "Role", "Split", "read_name"]

Split = str  # train, val or test
Role = str  # x, y, classes, ids, or "" for a name that is none of the usual ones

SPLITS: dict[str, Split] = {
    **dict.fromkeys(("train", "training", "tr"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev"), "val"),
    **dict.fromkeys(("test", "testing", "te"), "test"),
}
_X = "x feature features feat feats embedding embeddings embed embeds emb embs vector vectors vec vecs"
_X += " representation representations data hidden activations"
_Y = "y label labels target targets class cls category"
_CLASSES = "classes class_names classnames label_names labelnames target_names targetnames categories label_map"
_IDS = "id ids uid uuid key keys index idx name names path paths file files filename filenames fname url urls row"
_IDS += " __key__"
PLACE_NAMES = frozenset(("fold", "folds", "kfold", "split", "splits", "group", "groups", "subset"))
X_NAMES, Y_NAMES = frozenset(_X.split()), frozenset(_Y.split())
CLASS_NAMES, ID_NAMES = frozenset(_CLASSES.split()), frozenset(_IDS.split())

# A number behind these words, or behind nothing but words of features, labels and splits, counts the parts of a whole.
PART_NAMES = frozenset(("part", "shard", "chunk", "batch", "metadata", "meta", "img", "image", "text", "txt", "data"))
_HUB_PART = re.compile(r"[-_](\d{3,})[-_]of[-_](\d{3,})(?:[-_][0-9a-f]{8,})?$")
_SEPARATORS = re.compile(r"[-_. :/]+")


class Name(NamedTuple):
    """base: without the split and the number, in small letters; total: how many parts there are, where it says so."""

    base: str
    split: Split | None = None
    part: int | None = None
    total: int | None = None

    @property
    def role(self) -> Role:
        """What a name that is one of the usual ones stands for."""
        # As pandas calls a column of row numbers, and what says where a row belongs.
        if self.base.startswith(("unnamed", "index_level")) or self.base in PLACE_NAMES:
            return "ids"
        return _role(self.base) or _role(_SEPARATORS.split(self.base)[-1])

    @property
    def usual(self) -> bool:
        """Whether it is a usual name itself, and does not only end in one."""
        return bool(_role(self.base))

    @property
    def rest(self) -> str:
        """The base without the word for features or labels: alike for arrays that belong together."""
        return "_".join(word for word in _SEPARATORS.split(self.base) if _role(word) not in ("x", "y"))


def read_name(name: str, *, parts: bool = False) -> Name:
    """What a name says, such as X_train or trainlabels.

    parts: also a number that counts files, as in img_emb_0 or train-00000-of-00002-566cc9b19d7203f8.
    """
    part = total = None
    if parts and (hub := _HUB_PART.search(name)):
        part, total, name = int(hub[1]), int(hub[2]), name[: hub.start()]
    words = [found for word in _SEPARATORS.split(name) if word for found in _parted(word.lower())]
    counted = all(_role(word) in ("x", "y") or word in SPLITS or word in PART_NAMES for word in words[:-1])
    if parts and part is None and words and words[-1].isdecimal() and len(words[-1]) < 10 and counted:
        part = int(words.pop())
    splits = {SPLITS[word] for word in words if word in SPLITS}
    if len(splits) != 1:
        return Name("_".join(words), None, part, total)
    rest = [word for word in words if word not in SPLITS]
    return Name("_".join(rest), splits.pop(), part, total)


def _role(word: str) -> Role:
    for role, names in (("x", X_NAMES), ("y", Y_NAMES), ("classes", CLASS_NAMES), ("ids", ID_NAMES)):
        if word in names:
            return role
    return ""


def _parted(word: str) -> list[str]:
    """A split and a word that are written as one: trainlabels, Xtest."""
    for split in SPLITS:
        for begin, end in ((split, word.removeprefix(split)), (word.removesuffix(split), split)):
            if begin != word and end != word and _role(begin if end == split else end) in ("x", "y"):
                return [begin, end]
    return [word]

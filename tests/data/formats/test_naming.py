"""What names say, written down by hand."""

import pytest

from linprobe.data.formats.naming import read_name


@pytest.mark.parametrize(
    ("name", "base", "split", "role"),
    [
        ("X", "x", None, "x"),
        ("X_train", "x", "train", "x"),
        ("y_val", "y", "val", "y"),
        ("train_features", "features", "train", "x"),
        ("trainfeat", "feat", "train", "x"),
        ("trainlabels", "labels", "train", "y"),
        ("Xtest", "x", "test", "x"),
        ("ytest", "y", "test", "y"),
        ("targets_validation", "targets", "val", "y"),
        ("dev.embeddings", "embeddings", "val", "x"),
        ("valid", "", "val", ""),
        ("img_emb", "img_emb", None, "x"),
        ("fine_label", "fine_label", None, "y"),
        ("target_names", "target_names", None, "classes"),
        ("image_paths", "image_paths", None, "ids"),
        ("species", "species", None, ""),
        ("train_test", "train_test", None, ""),
        ("latest", "latest", None, ""),
        ("device", "device", None, ""),
        ("layer_3", "layer_3", None, ""),
        ("", "", None, ""),
    ],
)
def test_a_name_says_its_split_and_its_role(name, base, split, role):
    found = read_name(name)
    assert (found.base, found.split, found.role, found.part) == (base, split, role, None)


@pytest.mark.parametrize(
    ("name", "base", "split", "part", "total"),
    [
        ("img_emb_0", "img_emb", None, 0, None),
        ("metadata_12", "metadata", None, 12, None),
        ("train-00001-of-00002", "", "train", 1, 2),
        ("train-00000-of-00001-566cc9b19d7203f8", "", "train", 0, 1),
        ("0000", "", None, 0, None),
        ("features_train_3", "features", "train", 3, None),
        ("layer_3", "layer_3", None, None, None),
        ("resnet_50", "resnet_50", None, None, None),
        ("X", "x", None, None, None),
    ],
)
def test_a_file_may_be_one_of_several_that_are_counted(name, base, split, part, total):
    assert read_name(name, parts=True) == (base, split, part, total)


def test_what_belongs_together_has_the_same_rest():
    for x, y in (
        ("X", "y"),
        ("features", "labels"),
        ("clip_embeddings", "clip_labels"),
        ("no_header", "no_header_label"),
    ):
        assert read_name(x).rest == read_name(y).rest
    assert read_name("resnet_features").rest != read_name("clip_labels").rest

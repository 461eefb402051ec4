"""A user's .npz and .csv files: read as they are meant, or refused by name with what is wrong."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minisparse import data
from minisparse.data.labels import read


def rows(n=20, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, 3)).astype(np.float32), rng.integers(0, 3, n)


def write_csv(path, header, columns):
    lines = [",".join(map(str, line)) for line in zip(*columns, strict=True)]
    path.write_text("\n".join(([header] if header else []) + lines) + "\n")
    return path


def both(path, **options):
    return [data.from_file(path, split, **options) for split in ("train", "test")]


def test_ones_own_arrays_come_with_their_own_test_set_or_have_one_in_five_set_aside(tmp_path):
    x, y = rows()
    np.savez(tmp_path / "a.npz", x=x, y=y)
    (train_x, train_y), (test_x, test_y) = both(tmp_path / "a.npz")
    assert (len(train_x), len(test_x)) == (16, 4)
    seen = np.concatenate([np.c_[train_x, train_y], np.c_[test_x, test_y]])
    assert sorted(map(tuple, seen)) == sorted(map(tuple, np.c_[x, y]))
    np.savez(tmp_path / "b.npz", x=x[:15], y=y[:15], x_test=x[15:], y_test=y[15:])
    (train_x, train_y), (test_x, test_y) = both(tmp_path / "b.npz")
    for got, want in [(train_x, x[:15]), (train_y, y[:15]), (test_x, x[15:]), (test_y, y[15:])]:
        np.testing.assert_array_equal(got, want)


def test_images_without_a_channel_get_one_and_labels_become_classes_in_their_order(tmp_path):
    labels = np.array(["pear", "apple", "plum", "apple", "pear"])
    np.savez(tmp_path / "a.npz", x=np.zeros((5, 4, 6)), y=labels, x_test=np.zeros((1, 4, 6)), y_test=labels[2:3])
    (x, y), (_, test_y) = both(tmp_path / "a.npz")
    assert x.shape == (5, 4, 6, 1)
    assert (y.tolist(), test_y.tolist(), y.dtype) == ([1, 0, 2, 0, 1], [2], np.int64)


@pytest.mark.parametrize(
    ("header", "place", "label"),
    [
        ("label,a,b,c", 0, None),
        ("a,b,label,c", 2, None),
        ("kind,a,b,c", 0, None),
        ("a,b,c,kind", 3, "kind"),
        ("0,1,2,kind", 3, "kind"),
        ("label,0,1,2", 0, None),
        ('"a, quoted",b,"kind",c', 2, "kind"),
        ("", 0, None),
    ],
)
def test_a_csv_file_has_its_labels_in_a_named_or_the_first_column(tmp_path, header, place, label):
    x, y = rows()
    columns = [*x.T]
    columns.insert(place, y)
    path = write_csv(tmp_path / "a.csv", header, columns)
    (train_x, train_y), (test_x, test_y) = both(path, label=label)
    seen = np.concatenate([np.c_[train_x, train_y], np.c_[test_x, test_y]])
    assert sorted(map(tuple, seen)) == sorted(map(tuple, np.c_[x, y]))
    assert train_x.dtype == np.float32


def test_labels_in_a_csv_file_are_ordered_as_numbers_or_as_words(tmp_path):
    path = write_csv(tmp_path / "a.csv", "", [[10, 9, 2, 2, 9, 10] * 5, range(30)])
    x, y = data.from_file(path)
    assert {(value, label) for value, label in zip((x[:, 0] % 6).tolist(), y.tolist(), strict=True)} == {
        (0, 2), (1, 1), (2, 0), (3, 0), (4, 1), (5, 2)
    }  # fmt: skip
    x, y = data.from_file(write_csv(tmp_path / "b.csv", "a,label", [range(10), ["no", "yes"] * 5]))
    np.testing.assert_array_equal(x[:, 0] % 2, y)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"x": np.zeros((3, 2))}, "has x; expected x, y and x_test, y_test"),
        ({"a": np.zeros(3)}, "has neither x nor y"),
        ({"x": np.zeros((3, 2)), "y": np.zeros(2)}, r"x of shape \(3, 2\) and y of shape \(2,\)"),
        ({"x": np.zeros(3), "y": np.zeros(3)}, r"x of shape \(3,\)"),
        ({"x": np.full((3, 2), np.nan), "y": np.arange(3)}, "not finite numbers"),
        ({"x": np.zeros((3, 2)), "y": np.array([0, 1, np.nan])}, "not finite numbers"),
        ({"x": np.zeros((3, 2), "U1"), "y": np.arange(3)}, "not finite numbers"),
        ({"x": np.zeros((3, 2)), "y": np.zeros(3)}, "labels of 1 class"),
        ({"x": np.zeros((3, 2)), "y": np.arange(3), "x_test": np.zeros((1, 2))}, "has x, y, x_test; expected"),
        (
            {"x": np.zeros((3, 2)), "y": np.arange(3), "x_test": np.zeros((1, 2)), "y_test": np.array([7])},
            "labels in y_test that are not in y",
        ),
        ({"x": np.zeros((3, 2)), "y": np.array([print] * 3)}, "is not a .npz file of arrays"),
        ({"x": np.zeros((3, 2)), "y": np.array([b"a", b"b", b"\xff"])}, "labels in y that are not UTF-8 text"),
        ({"X": np.zeros(3)}, "has neither x nor y, but X; expected"),
        ({"x": np.zeros((0, 2)), "y": np.zeros(0)}, r"nothing in x, of shape \(0, 2\)"),
        ({"x": np.zeros((3, 0)), "y": np.arange(3)}, r"nothing in x, of shape \(3, 0\)"),
        ({"x": np.zeros((3, 3, 5, 5)), "y": np.arange(3)}, r"channels first; expected .*x.transpose\(0, 2, 3, 1\)"),
        ({"x": np.zeros((3, 2)), "y": np.eye(3)}, r"y of shape \(3, 3\); expected \(N,\): .*y.argmax\(axis=1\)"),
        ({"x": np.zeros((3, 2), complex), "y": np.arange(3)}, "type complex128 in x, not finite numbers"),
        ({"x": np.zeros((3, 2), "i,i"), "y": np.arange(3)}, "type .* in x, not finite numbers"),
        ({"x": np.full((3, 2), 1e39), "y": np.arange(3)}, "too large for float32"),
        ({"x": np.zeros((3, 2)), "y": np.array([0, 1, 1j])}, "labels in y of type complex128; expected whole numbers"),
        ({"x": np.zeros((3, 2)), "y": np.zeros(3, "i,i")}, "labels in y of type .*; expected whole numbers or words"),
        ({"x": np.zeros((3, 2)), "y": np.zeros(3, "M8[s]")}, "labels in y of type datetime64"),
        ({"x": np.zeros((3, 2)), "y": np.array([0, 1, np.inf])}, "labels in y that are missing or not finite"),
        ({"x": np.zeros((3, 2)), "y": np.array([0, 1, 0.5])}, "such as 0.5: the targets of a regression.*in Python"),
        (
            {"x": np.zeros((99, 2)), "y": np.arange(99)},
            "99 different labels in 99 examples: the targets",
        ),
        (
            {"x": np.zeros((99, 2)), "y": np.arange(99.0)},
            "99 different labels in 99 examples: the targets",
        ),
        ({"x": np.zeros((3, 2)), "y": np.array(["a", "b", ""])}, "missing or not finite numbers: ''"),
        ({"x": np.zeros((3, 2)), "y": np.array(["a", "b", " b"])}, "labels ' b' and 'b' in y; expected each class"),
        ({"x": np.zeros((3, 2)), "y": np.array([b"1", b"1.0", b"2"])}, "labels '1' and '1.0' in y; expected each"),
    ],
)
def test_ones_own_file_is_refused_by_name_with_what_is_wrong(tmp_path, arrays, sentence):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=rf"a\.npz .*{sentence}"):
        data.from_file(tmp_path / "a.npz")


EITHER = "an example or the names of columns; .* name the column of the labels with --label"
UNREADABLE = [
    ("label,a\n1,x\n", "line 2 has 'x' in column 'a'; expected a number$"),
    ("1,2\n3\n", "line 2 has 1 columns, and the first 2"),
    ("label,a\n0,1\n1,2,\n", "line 3 has 3 columns, and the first 2"),
    ("label,a\n0,1\n\n1\n", "line 4 has 1 columns, and the first 2"),
    ("label,a\n0,\n1,2\n", "line 2 has values that are missing, .*: '' in column 'a'"),
    ("label,a\n0,1\n1,nan\n", "line 3 has values that are missing, not finite numbers .*: 'nan' in column 'a'"),
    ("label,a\n0,1\n1,1e39\n", "line 3 has values .* too large for float32: '1e39' in column 'a'"),
    ("label,a\n0,1\n1,1_0\n", "line 3 has '1_0' in column 'a'; expected a number"),
    ("label,a\n", "it has no examples"),
    ("a,kind\n1.5,cat\n2,dog\n", "line 2 has 'cat' in column 'kind'; .* name it with --label kind"),
    ("1,2,cat\n3,4,dog\n", "line 2 has 'dog' in column 3; expected a number; labels are in the first"),
    ("0,1,kind\n3,4,5\n", "line 1 has 'kind', where numbers are expected; .* with --label"),
    ("0,1,2\n3,4,5\n", f"line 1 is 0, 1, 2, {EITHER}"),
    ("kind,0,1\ncat,4,5\ndog,5,6\n", f"line 1 is kind, 0, 1, {EITHER}"),
    (",0,1\n0,4,5\n1,5,6\n", f"line 1 is , 0, 1, {EITHER}"),
]
REFUSED = [
    ("label,a\n0,1\n,2\n", "has labels in column 'label' that are missing or not finite numbers: ''$"),
    ("kind,a\n0,1\nNA,2\n", "has labels .*column 'kind'.*: 'NA'; if the labels are in another column, .*--label"),
    ("label,a\n0,1\n1,2\ninf,3\n", "has labels in column 'label' that are missing or not finite numbers: 'inf'"),
    ("label,a\n0,1\n1,2\n1.0,3\n", "has labels '1' and '1.0' in column 'label'; expected each class"),
    ("label,a\n0,1\n1,2\n 1,3\n", "has labels ' 1' and '1' in column 'label'; expected each class"),
    ("label,a\n0.5,1\n1.5,2\n", "has labels in column 'label' such as 0.5: the targets of a regression"),
    ("a,b\n0.5,1\n1.5,2\n", "has labels in column 'a' such as 0.5: the targets.* name it with --label"),
    ("label,a,label\n0,1,2\n", "has 2 columns 'label'; expected one"),
    (",label,a\n0,1,2\n", r"has no name for column 1 of 3; .*to_csv\(index=False\)"),
    ("Unnamed: 0,label,a\n0,1,2\n", "has no name for column 1 of 3"),
    ("label;a\n0;1\n", "has 1 columns; .*separated by commas, not ';'"),
    ('label,a\n0,"1\n', "is not text in columns: "),
]


def test_a_csv_file_that_is_none_is_refused_by_name(tmp_path):
    path = tmp_path / "a.csv"
    for content, sentence in UNREADABLE:
        path.write_text(content)
        with pytest.raises(ValueError, match=rf"a\.csv cannot be read as columns of numbers: {sentence}"):
            data.from_file(path)
    for content, sentence in REFUSED:
        path.write_text(content)
        with pytest.raises(ValueError, match=rf"a\.csv {sentence}"):
            data.from_file(path)
    for content, columns in [("", 0), ("1\n2\n", 1)]:
        path.write_text(content)
        with pytest.raises(ValueError, match=rf"a\.csv has {columns} columns"):
            data.from_file(path)
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="has no column 'kind'; its first line is a, b"):
        data.from_file(path, label="kind")
    (tmp_path / "a.npz").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(ValueError, match=r"a\.npz is not a \.npz file"):
        data.from_file(tmp_path / "a.npz")
    with pytest.raises(ValueError, match=r"a\.txt is neither"):
        data.from_file(tmp_path / "a.txt")
    with pytest.raises(FileNotFoundError):
        data.from_file(tmp_path / "b.npz")


def images(n=40, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).random((n, 6, 6, 3)).astype(dtype)


@pytest.mark.parametrize(
    ("x_test", "sentence"),
    [
        (images(8)[:, :5], r"examples of shape \(6, 6, 3\) in x and \(5, 6, 3\) in x_test; expected the same"),
        (images(8)[..., 0], r"examples of shape \(6, 6, 3\) in x and \(6, 6\) in x_test"),
        (images(8).reshape(8, -1), r"examples of shape \(6, 6, 3\) in x and \(108,\) in x_test"),
        (images(8).transpose(0, 3, 1, 2), "x_test of shape .* channels first"),
        ((255 * images(8)).astype(np.uint8), "examples of dtype float32 in x and uint8 in x_test; expected the same"),
        (images(8, dtype=np.float64), "examples of dtype float32 in x and float64 in x_test"),
        (255 * images(8), r"values in x_test that are 2\d\d times as large as in x; expected both to be scaled alike"),
        (images(8) / 255, r"values in x_test that are 0\.00\d+ times as large as in x"),
        (images(0), "nothing in x_test"),
        (np.full((8, 6, 6, 3), np.nan, np.float32), "values in x_test that are missing, not finite"),
    ],
)
def test_a_test_set_unlike_the_training_set_is_refused(tmp_path, x_test, sentence):
    np.savez(tmp_path / "a.npz", x=images(), y=np.arange(40) % 2, x_test=x_test, y_test=np.arange(len(x_test)) % 2)
    for split in ("train", "test"):
        with pytest.raises(ValueError, match=rf"a\.npz has {sentence}"):
            data.from_file(tmp_path / "a.npz", split)


def test_a_test_set_of_half_the_brightness_or_one_example_is_read(tmp_path):
    for x_test in (images(8) / 2, images(1), np.zeros((2, 6, 6, 3), np.float32)):
        np.savez(tmp_path / "a.npz", x=images(), y=np.arange(40) % 2, x_test=x_test, y_test=np.arange(len(x_test)) % 2)
        assert (data.from_file(tmp_path / "a.npz", "test")[0] == x_test).all()


@pytest.mark.parametrize("labels", [[2, 0, 1], [2.0, 0, 1], ["2", "0", "1"], [b"c", b"a", b"b"], ["c", " a", "b "]])
def test_labels_of_every_type_become_classes_in_their_order(tmp_path, labels):
    np.savez(tmp_path / "a.npz", x=np.ones((6, 2)), y=labels * 2, x_test=np.ones((3, 2)), y_test=labels)
    assert [y.tolist() for _, y in both(tmp_path / "a.npz")] == [[2, 0, 1] * 2, [2, 0, 1]]


def test_numbers_of_columns_behind_a_named_label_are_names(tmp_path):
    """As pandas writes numbered columns beside a named one."""
    path = write_csv(tmp_path / "a.csv", "target,0,1", [[i % 2 for i in range(20)], range(20), range(20)])
    (x, y), (test_x, test_y) = both(path)
    assert len(x) + len(test_x) == 20
    assert set(y) | set(test_y) == {0, 1}


def test_an_example_of_words_and_numbers_in_the_first_line_is_no_line_of_names(tmp_path):
    path = write_csv(tmp_path / "a.csv", "", [["cat", "dog"] * 10, range(20), range(20)])
    assert sum(len(x) for x, _ in both(path)) == 20


def test_big_numbers_and_words_that_float_would_merge_stay_apart(tmp_path):
    for labels in (["9007199254740992", "9007199254740993", "5"], ["1_0", "10", "11"], ["1e2", "99", "101"]):
        path = write_csv(tmp_path / "a.csv", "label,a", [labels * 10, range(30)])
        assert set(np.concatenate([y for _, y in both(path)])) == {0, 1, 2}
    y = np.array([2**63 - 1, 2**63 - 2, 0])
    np.savez(tmp_path / "a.npz", x=np.ones((3, 2)), y=y, x_test=np.ones((3, 2)), y_test=y.astype(np.uint64))
    assert [y.tolist() for _, y in both(tmp_path / "a.npz")] == [[2, 1, 0]] * 2


def test_an_unknown_split_is_refused(tmp_path):
    with pytest.raises(ValueError, match="split is 'valid'; expected 'train' or 'test'"):
        data.from_file(tmp_path / "a.npz", "valid")


@given(st.lists(st.integers(-(10**20), 10**20), min_size=1, max_size=8))
def test_whole_numbers_are_read_exactly_however_they_are_written(numbers):
    for write in (str, lambda n: f" {n}", lambda n: f"{n}.0", lambda n: f"{n}e0", lambda n: f"{n}00e-2"):
        assert read("y", [write(n) for n in numbers]) == numbers


@given(st.lists(st.text(), min_size=1, max_size=6))
def test_any_text_keeps_its_classes_apart_or_is_refused(texts):
    try:
        labels = read("y", texts)
    except ValueError:
        return
    assert [[a == b for b in labels] for a in labels] == [[a == b for b in texts] for a in texts]

import io
import zipfile

import numpy as np
import pytest

from xbar.errors import FileError, XbarWarning
from xbar.simulation.dataset import read_dataset


def test_inputs_and_labels_come_back(tmp_path):
    np.savez(tmp_path / "a.npz", inputs=np.eye(3), labels=np.arange(3))
    data = read_dataset(tmp_path / "a.npz")
    np.testing.assert_array_equal(data.inputs, np.eye(3))
    np.testing.assert_array_equal(data.labels, np.arange(3))


def test_labels_may_be_missing(tmp_path):
    np.savez(tmp_path / "a.npz", inputs=np.eye(3))
    assert read_dataset(tmp_path / "a.npz").labels is None


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": np.eye(3), "b": np.eye(3)}, r"must have an array 'inputs' .*not \['a', 'b'\]"),
        ({"a": np.eye(3), "b": np.arange(4)}, "must have an array 'inputs'"),
        ({"a": np.eye(3), "b": np.arange(3), "c": np.arange(3)}, "must have an array 'inputs'"),
        ({"inputs": np.zeros(0)}, "at least one"),
    ],
)
def test_an_archive_without_inputs_is_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(FileError, match=message):
        read_dataset(tmp_path / "a.npz")


def test_every_truncation_is_a_file_error(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, inputs=np.eye(30), labels=np.arange(30))
    whole = path.read_bytes()
    for size in range(0, len(whole), 97):
        path.write_bytes(whole[:size])
        with pytest.raises(FileError):
            read_dataset(path)


def test_pickled_objects_are_not_unpickled(tmp_path):
    np.savez(tmp_path / "a.npz", inputs=np.array([{"a": 1}], dtype=object))
    with pytest.raises(FileError, match="not a readable"):
        read_dataset(tmp_path / "a.npz")


def test_a_single_array_holds_the_inputs_and_a_missing_file_is_told(tmp_path):
    np.save(tmp_path / "a.npy", np.eye(2))
    np.testing.assert_array_equal(read_dataset(tmp_path / "a.npy").inputs, np.eye(2))
    with pytest.raises(FileError, match="No such file"):
        read_dataset(tmp_path / "b.npz")


@pytest.mark.parametrize(
    ("names", "others"),
    [
        (("x", "y"), ()),
        (("X", "Y"), ("z",)),
        (("images", "targets"), ()),
        (("data", "target"), ()),
        (("x_test", "y_test"), ("x_train", "y_train")),
        (("X-val", "y-val"), ("X-train",)),
        (("test_images", "test_labels"), ("train_images", "train_labels")),
        (("arr_0", "arr_1"), ()),
        (("foo", "bar"), ()),
    ],
)
def test_usual_names_and_shapes_tell_inputs_and_labels_and_are_told(tmp_path, names, others):
    arrays = {names[0]: np.eye(3), names[1]: np.arange(3)}
    np.savez(tmp_path / "a.npz", **arrays, **{other: np.zeros((9, 9)) for other in others})
    data = read_dataset(tmp_path / "a.npz")
    np.testing.assert_array_equal(data.inputs, np.eye(3))
    np.testing.assert_array_equal(data.labels, np.arange(3))
    told = " ".join(data.notes)
    assert all(name in told for name in (*names, *others))


def test_arrays_that_are_not_wanted_are_not_even_read(tmp_path):
    np.savez(tmp_path / "a.npz", inputs=np.eye(3), names=np.array(["a"]))
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as file:
        file.writestr("huge.npy", _claim((2**40,)))
    with pytest.raises(FileError, match="does not hold"):
        read_dataset(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", inputs=np.eye(3), labels=np.arange(3), other=np.zeros(9))
    assert read_dataset(tmp_path / "b.npz").notes == ()


def _claim(shape):
    stream = io.BytesIO()
    record = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, record)
    return stream.getvalue()


INPUTS = np.random.default_rng(0).random((6, 4)).round(3)
LABELS = np.array([0, 1, 2, 0, 1, 2])


def table(path, head, columns, delimiter=",", point="."):
    lines = [head] if head else []
    lines += [",".join(str(cell) for cell in row) for row in zip(*columns, strict=True)]
    text = "\n".join(line.replace(",", delimiter).replace(".", point) for line in lines)
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("head", "columns"),
    [
        ("a,b,c,d,label", [*INPUTS.T, LABELS]),
        ("Label,a,b,c,d", [LABELS, *INPUTS.T]),
        ("a,b,class,c,d", [*INPUTS.T[:2], LABELS, *INPUTS.T[2:]]),
        ("a,b,c,d,e", [*INPUTS.T, LABELS]),
        ("", [*INPUTS.T, LABELS]),
        ("", [LABELS, *INPUTS.T]),
        (",a,b,c,d,y", [np.arange(6), *INPUTS.T, LABELS]),
        ("# written by hand", [*INPUTS.T, LABELS]),
    ],
)
@pytest.mark.parametrize("shape", [None, (4,), (2, 2), (None,)])
def test_a_table_has_its_labels_in_the_column_of_that_name_or_at_an_end(
    tmp_path, head, columns, shape
):
    data = read_dataset(table(tmp_path / "a.csv", head, columns), shape)
    np.testing.assert_array_equal(data.inputs, INPUTS)
    np.testing.assert_array_equal(data.labels, LABELS)
    assert any("labels" in note for note in data.notes)


@pytest.mark.parametrize(
    ("delimiter", "point"), [(";", ","), ("\t", "."), ("\t", ","), (" ", "."), ("|", ".")]
)
def test_delimiters_and_decimal_commas_do_not_matter(tmp_path, delimiter, point):
    path = table(tmp_path / "a.txt", "", [*INPUTS.T, LABELS], delimiter, point)
    data = read_dataset(path)
    np.testing.assert_array_equal(data.inputs, INPUTS)
    np.testing.assert_array_equal(data.labels, LABELS)


def test_a_table_as_wide_as_the_networks_input_has_no_labels(tmp_path):
    path = table(tmp_path / "a.csv", "x,y", INPUTS.T[:2])
    assert read_dataset(path, (2,)).labels is None
    tokens = table(tmp_path / "b.csv", "", [LABELS, LABELS[::-1]])
    data = read_dataset(tokens, (2,))
    assert (data.inputs.dtype, data.labels) == (np.int64, None)
    assert read_dataset(table(tmp_path / "c.csv", "", INPUTS.T)).labels is None


def test_labels_that_may_stand_at_either_end_are_asked_for(tmp_path):
    path = table(tmp_path / "a.csv", "", [LABELS, *INPUTS.T, LABELS[::-1]])
    with pytest.warns(XbarWarning, match="name the column 'label'"):
        data = read_dataset(path)
    np.testing.assert_array_equal(data.labels, LABELS[::-1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no line of data"),
        ("a,b\n", "no line of data below the head"),
        ("1,2\n3\n", "line 2: must have 2 values, not 1"),
        ("1,2\n3,4,5\n", "line 2: must have 2 values, not 3"),
        ("a,b\n1,\n", "line 2: must have numbers, not ''"),
        ("a,b\n1,cat\n", "line 2: must have numbers, not 'cat'"),
        ("1,nan\n", "line 1: must have finite numbers, not 'nan'"),
        ("1,2,3\n", "takes 4 numbers an input, and the table has 3 columns"),
        ("1,2,3,4,0.5\n", "takes 4 numbers an input, and the table has 5 columns"),
        ("1,2,3,4,5,6\n", "has 6 columns"),
        ("1," + "9" * 200_000, "field larger"),
        ("\x00" * 10, "no table"),
    ],
    ids=range(12),
)
def test_what_is_no_table_of_inputs_is_refused_with_its_line(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(FileError, match=message) as caught:
        read_dataset(tmp_path / "a.csv", (4,))
    assert "\n" not in str(caught.value)


def test_tokens_stand_beside_their_mask_as_a_tokenizer_returns_them(tmp_path):
    tokens, mask = np.arange(12).reshape(3, 4), np.ones((3, 4), dtype=int)
    np.savez(tmp_path / "a.npz", attention_mask=mask, input_ids=tokens, labels=np.arange(3))
    data = read_dataset(tmp_path / "a.npz")
    np.testing.assert_array_equal(data.inputs, tokens)
    np.testing.assert_array_equal(data.labels, np.arange(3))
    assert "arrays not used: attention_mask" in data.notes


def test_an_archive_of_another_program_is_told_how_to_write_one(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("a/data.pkl", b"...")
    with pytest.raises(FileError, match=r"holds no arrays of numpy; write numpy\.savez"):
        read_dataset(tmp_path / "a.pt")


def test_a_mask_of_padding_which_is_not_used_is_warned_of(tmp_path):
    tokens, mask = np.arange(12).reshape(2, 6), np.ones((2, 6), dtype=np.int64)
    np.savez(tmp_path / "whole.npz", input_ids=tokens, attention_mask=mask)
    assert read_dataset(tmp_path / "whole.npz").notes[-1] == "arrays not used: attention_mask"
    mask[1, 4:] = 0
    np.savez(tmp_path / "padded.npz", input_ids=tokens, attention_mask=mask)
    with pytest.warns(XbarWarning, match="attention_mask has zeros, but no mask is used"):
        read_dataset(tmp_path / "padded.npz")

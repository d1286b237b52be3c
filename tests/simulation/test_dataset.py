import numpy as np
import pytest

from xbar.errors import FileError
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
    [({"x": np.eye(3)}, "must have an array 'inputs'"), ({"inputs": np.zeros(0)}, "at least one")],
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


def test_a_single_array_file_and_a_missing_file_are_told(tmp_path):
    np.save(tmp_path / "a.npy", np.eye(2))
    with pytest.raises(FileError, match=r"not a readable \.npz archive"):
        read_dataset(tmp_path / "a.npy")
    with pytest.raises(FileError, match="No such file"):
        read_dataset(tmp_path / "b.npz")

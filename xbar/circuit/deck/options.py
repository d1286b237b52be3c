"""What ``.options`` and the like say about the whole circuit: honoured, harmless, or refused."""

from __future__ import annotations

from dataclasses import dataclass, field

from xbar.circuit.deck.linear import number
from xbar.circuit.deck.lines import Statement
from xbar.circuit.deck.rules import Rules
from xbar.circuit.deck.scope import Scope
from xbar.circuit.deck.words import split

# Without effect on the operating point of a linear circuit: tolerances, methods, limits of steps,
# what is printed and stored, and parameters of transistors.
_HARMLESS = frozenset(
    """
    abstol absvar acct accurate acout advance advconv alpha altcc altchk alternateprob artist
    auto_bridge autostop badchr badmos3 baudrate beep bkpsiz brief bypass bypasstol captab
    cendif chgtol co converge cptime csdf cshdc cshunt cvtol dccap dcfor dchold dcic dcon dcstep
    defad defas defl defnrd defnrs defpd defps defw delmax dev diagnostic dim2 dim3 dv dvdt dvtr
    epsmin expand expli expmax fast fastaccess fil fsdb ft genk gmin gmin_stepping
    gmindc gminit gminsteps gramp hier_delim hier_scale iccheck icsweep imax imin ingold interp
    itl1 itl2 itl3 itl4 itl5 itl6 itlprv kcltest keepopinfo klim klu limpts limtim list lvltim
    maxamp maxord maxstep maxwarns mcbrief meascplxfmt measdgt measdiag measfail
    measfile measform measformat measout mentor method minclockdiv mixed_num_form msgbias
    msglimit mu nb newtol noacct nobias node noecho noinit noiter nolist nomod nomodel noopalter
    noopiter nopage nosqrt notop notrnoise nowarn numdgt nummos oldlimit opfile optlst
    opts pathnum pivot pivrel pivtol plim plotwinsize posix post post_version postlvl posttop
    print_models probe psf ptranmax ptranstep ptrantau pwl_extrap ramptime relh reli relmos relq
    reltol relv relvar relvdc resmincap rmax rndseed runlvl save savecurrents sda search seed
    seedinfo sim_mode simpcheck slopetol sollim solvefast solver sparse spmp srcstepmethod
    srcsteps startup stepgmin sweepmod symb temp_eps thickness timeres timestep tol
    topologycheck trabs tran trans trapratio trtol trytocompact tstep unwrap verify vfloor vntol
    vzero warn warnlimit width wnflag xmu xtrtol ynt zuken
    """.split()
)
# Neutral only with the value beside them.
_NEUTRAL = {"gshunt": 0.0, "rseries": 0.0, "scale": 1.0, "resmin": 0.0, "minres": 0.0, "rmin": 0.0}
_PACKAGES = frozenset(
    """
    conductance dakota diagnostic dist embeddedsamples es fft hbint inverter lininv linsol
    linsol-ac linsol-hb loca measure measurement mpde mpdeint noise nonlin nonlin-hb nonlin-tran
    nonlin-trap nox output output-line parallel parallel-hb pces restart restart-opt samples
    sampling sensitivity timeint timeint-hb timeint-mpde topology
    """.split()
)
_DEVICE = frozenset(
    """
    abstol alphaguess b3soivoltlim bypass checkforzeroexpressions debuglevel debugmaxtimestep
    debugmintimestep defad defas defl defw digdebuglevel digital digtimestep disablefallback
    exitstate gmin gmin_init gmin_scalar icfac l0 lambertw length0 max_geo_step maxtimestep
    maxvoltlimsteps mincap newexcess newmeyer nlnearconv nlsmallupdate nonconttol numjac
    numsteps rcconst reltol sensdebuglevel separateloadmem smoothbsrc temp testjac timeint tnom
    tox vdsscalemin vdsscaletox verbosemaxtimestep vgstconst voltlim voltlimcheck w0 width0
    """.split()
)


@dataclass
class Settings:
    """What holds for the whole circuit.

    Attributes:
        rules: rules of the dialect.
        grounds: names of ground.
        shared: nodes that are the same in every subcircuit.
        celsius: text of the temperature, and where it is given.
        nominal: the same of the nominal temperature.
        shunt: the same of the resistance from every node to ground.
        local: whether a subcircuit's own parameters come before the deck's in HSPICE.
        sweeps: first value of a sweep, by parameter or element, and where it is given.
        joined: pairs of nodes that are connected, and where.
        options: statements of options, read when the parameters are known.
    """

    rules: Rules
    grounds: frozenset[str]
    shared: set[str] = field(default_factory=set)
    celsius: tuple[str, Statement] | None = None
    nominal: tuple[str, Statement] | None = None
    shunt: tuple[str, Statement] | None = None
    local: bool = False
    sweeps: dict[str, tuple[str, Statement]] = field(default_factory=dict)
    joined: list[tuple[str, str, Statement]] = field(default_factory=list)
    options: list[Statement] = field(default_factory=list)

    def read_options(self, statement: Statement, scope: Scope) -> None:
        """Honour or pass over each option.

        Raises:
            FileError: an option is not known to be harmless.
        """
        words = split(statement)
        flags = words.words[1:]
        package = flags.pop(0) if flags and flags[0] in _PACKAGES | {"device", "parser"} else ""
        if package in _PACKAGES:
            if "conparam" in words.assigned:
                self._tell(
                    statement, f"{statement.brief!r} is not run; parameters keep their values"
                )
            return
        for name, value in {**dict.fromkeys(flags, ""), **words.assigned}.items():
            if name == "temp":
                self.celsius = (value, statement)
            elif name == "tnom":
                self.nominal = (value, statement)
            elif name == "rshunt":
                self.shunt = (value, statement)
            elif name == "parhier":
                self.local = value.strip("'\"{}") == "local"
            elif name in _NEUTRAL:
                self._check_neutral(name, value, statement, scope)
            elif not (name in _HARMLESS or (package == "device" and name in _DEVICE)):
                raise statement.error(
                    f"the option {name!r} is not known to leave the operating point as it is; "
                    f"remove it if it does"
                )

    def read_temperature(self, statement: Statement) -> None:
        """Take the first temperature of a ``.temp``."""
        given = split(statement).words[1:]
        if not given:
            raise statement.error(".temp must have a temperature")
        self.celsius = (given[0], statement)
        if len(given) > 1:
            self._tell(statement, f"of the temperatures of {statement.brief!r} the first is taken")

    def read_sweep(self, statement: Statement) -> None:
        """Take the first value of a ``.step``."""
        words = [w for w in split(statement).words[1:] if w not in ("lin", "dec", "oct")]
        if split(statement).assigned or not words:
            self._tell(statement, f"{statement.brief!r} is not run; parameters keep their values")
            return
        kind = words.pop(0) if words[0] in ("param", "list") and len(words) > 2 else ""
        name, values = words[0], [w for w in words[1:] if w not in ("list", "param")]
        if not values:
            raise statement.error(f"{statement.brief!r} must name what it sweeps, and values")
        self._tell(
            statement,
            f"of the sweep {statement.brief!r} the first value is taken: {name} = {values[0]}",
        )
        if name in ("temp", "temper"):
            self.celsius = (values[0], statement)
        elif kind != "list":
            self.sweeps[name.removesuffix(":r").removesuffix(":dcv0")] = (values[0], statement)

    def read_preprocess(self, statement: Statement) -> None:
        """Honour ``.preprocess replaceground``; the others add no current to connected nodes."""
        words = statement.text.replace("=", " ").split()[1:]
        if words[:1] == ["replaceground"] and words[1:2] != ["false"]:
            self.grounds = self.grounds | {"gnd", "gnd!", "ground"}
        elif words[:1] == ["addresistors"]:
            self._tell(statement, "no resistors are added by .preprocess addresistors")

    def read_connection(self, statement: Statement) -> None:
        """Join the two nodes of a ``.connect``."""
        words = split(statement).words[1:]
        if len(words) != 2:
            raise statement.error(f"{statement.brief!r} must name two nodes")
        self.joined.append((words[0], words[1], statement))

    def _check_neutral(self, name: str, value: str, statement: Statement, scope: Scope) -> None:
        found = number_of(value, statement, scope)
        if found != _NEUTRAL[name]:
            raise statement.error(
                f"the option {name} changes the circuit and is not understood; it must be "
                f"{_NEUTRAL[name]:g}, not {value!r}"
            )

    def _tell(self, statement: Statement, text: str) -> None:
        self.rules.remarks.add(f"{statement.file}:{statement.number}: {text}")


def number_of(text: str, statement: Statement, scope: Scope) -> float:
    """A number given by an option.

    Raises:
        FileError: it is none.
    """
    try:
        return number(scope.of(text))
    except (ValueError, RecursionError) as error:
        raise statement.error(f"{text!r} must be a number: {error}") from error

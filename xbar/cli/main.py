"""The ``xbar`` command.

Results go to stdout, progress and errors to stderr. Exit codes: 0 success, 1 a check failed,
2 usage or bad input, 3 an external tool is missing, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from xbar.errors import XbarError, XbarWarning, printable
from xbar.version import __version__

VERBS = {
    "compile": "xbar.cli.compile",
    "reprogram": "xbar.cli.reprogram",
    "train": "xbar.cli.train",
    "calibrate": "xbar.cli.calibrate",
    "prune": "xbar.cli.prune",
    "simulate": "xbar.cli.simulate",
    "verify": "xbar.cli.verify",
    "netlist": "xbar.cli.netlist",
    "emit": "xbar.cli.emit",
    "report": "xbar.cli.report",
    "cost": "xbar.cli.cost",
    "op": "xbar.cli.op",
    "access": "xbar.cli.access",
    "solve": "xbar.cli.solve",
    "size": "xbar.cli.size",
    "converter": "xbar.cli.converter",
    "fit": "xbar.cli.fit",
    "silicon": "xbar.cli.silicon",
    "catalog": "xbar.cli.catalog",
    "demo": "xbar.cli.demo",
    "doctor": "xbar.cli.doctor",
}
WITHOUT_ARGUMENTS = {"catalog", "doctor"}
"""Verbs that run without arguments; the others show their help."""
GROUPS = {"silicon"}
"""Verbs whose package lists verbs of its own."""
INTERRUPTED = 130


@contextmanager
def _warnings_in_one_line() -> Iterator[None]:
    """Print each of xbar's warnings once, as one line on stderr."""
    told: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always", XbarWarning)
        usual = warnings.showwarning

        def show(message: Any, category: type[Warning], *place: Any, **more: Any) -> None:
            if not issubclass(category, XbarWarning):
                usual(message, category, *place, **more)
            elif str(message) not in told:
                told.add(str(message))
                print("warning:", printable(" ".join(str(message).split())), file=sys.stderr)

        warnings.showwarning = show
        yield


def _command(name: str, module: str, bare: bool) -> Any:
    """The command of a verb's module; without arguments it shows its help unless ``bare``."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name=name, no_args_is_help=not bare)(import_module(module).run)
    command = typer.main.get_command(app)
    command.name = name
    return command


class Group(TyperGroup):
    """A verb with verbs of its own, each of whose modules is imported on demand."""

    package: ModuleType

    def list_commands(self, ctx: Any) -> list[str]:
        """The verbs, in the order of a typical workflow."""
        del ctx
        return list(self.package.VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The verb's command, or None."""
        del ctx
        package = self.package
        if cmd_name not in package.VERBS:
            return None
        bare = cmd_name in package.WITHOUT_ARGUMENTS
        return _command(cmd_name, package.VERBS[cmd_name], bare)


def _group(name: str, package: ModuleType) -> Any:
    """The command of a package that lists verbs."""
    app = typer.Typer(cls=Group, add_completion=False, rich_markup_mode=None, no_args_is_help=True)
    app.callback(help=package.SUMMARY)(lambda: None)
    group = typer.main.get_command(app)
    assert isinstance(group, Group)
    group.name, group.package = name, package
    return group


class Verbs(TyperGroup):
    """Imports a verb's module on demand and prints xbar's errors as one line."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The verbs, in the order of a typical workflow."""
        del ctx
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The verb's command, or None."""
        del ctx
        if cmd_name not in VERBS:
            return None
        if cmd_name in GROUPS:
            return _group(cmd_name, import_module(VERBS[cmd_name]))
        return _command(cmd_name, VERBS[cmd_name], cmd_name in WITHOUT_ARGUMENTS)

    def invoke(self, ctx: Any) -> Any:
        """Run the verb; expected errors print one line and set the exit code."""
        try:
            with _warnings_in_one_line():
                return super().invoke(ctx)
        except XbarError as error:
            code, message = error.exit_code, str(error)
        except BrokenPipeError:
            # the reader closed the pipe (as head does): not an error
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except OSError as error:
            code = XbarError.exit_code
            message = f"{error.filename or 'file'}: {error.strerror or error}"
        except KeyboardInterrupt as stop:
            code, message = INTERRUPTED, str(stop) or "interrupted"
        print("error:", printable(" ".join(message.split())), file=sys.stderr)
        raise typer.Exit(code)


app = typer.Typer(
    cls=Verbs,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(value: bool) -> None:
    if value:
        print(f"xbar {__version__}")
        raise typer.Exit


@app.callback()
def _xbar(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Analog crossbars whose weights are made from imprecise resistors."""
    del version


def main() -> None:
    """Entry point of the ``xbar`` command."""
    app()

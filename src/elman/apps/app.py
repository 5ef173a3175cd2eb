"""The command `elman`, to which cli.py adds its commands."""

from __future__ import annotations

from cyclopts import App, Group

from elman import __version__

app = App(
    name="elman",
    help="Recurrent networks, from a file to a trained model that writes.",
    version=__version__,
    help_format="plaintext",
    usage="Usage: elman COMMAND; elman COMMAND --help tells more",
    group_parameters=Group("Parameters", sort_key=3),
    suppress_keyboard_interrupt=False,
)

"""Starts the app's own `migrate` command, with the Django helper in the place of the migration.

    <the words before the script> -c SOURCE HELPER <the rest of the gate's command>

The app sees the command: its argv, its environment, its standard input, its main module. Only this
program runs the command's script, so nothing can migrate where it does not run. Standard input is a
socket to the supervisor. HELPER is the source of the helper. Python 3.8 and later.
"""

from __future__ import annotations

import sys

from lightgate.gate.programs.django_launcher.launcher import Launcher
from lightgate.gate.programs.django_launcher.script import run_script


def main() -> None:
    helper, *words = sys.argv[1:]
    if hasattr(sys, "orig_argv"):
        del sys.orig_argv[-len(words) - 3 : -len(words)]
    Launcher(helper).install()
    run_script(words)


main()

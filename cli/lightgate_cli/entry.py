"""Where the installed command begins: it can be interrupted before anything else is imported."""

import signal


def main() -> None:
    """Run the command. Ctrl-C during its first imports ends it without a traceback."""
    # In the background of a shell script it is ignored, and stays so.
    is_interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_interruptible:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from lightgate_cli.main import main as run

    if is_interruptible:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run(prog_name="lightgate")

"""Start the local cloud, and keep it running until Ctrl-C.

make local              a free port
PORT=4566 make local    this port
"""

import contextlib
import os
import signal
import sys

from rich.console import Console

from local.cloud.announcement import announced
from local.cloud.cloud import STACK, LocalCloud
from local.cloud.errors import LocalCloudError
from local.demo import crops
from local.demo.page import serving_the_page
from local.demo.terminal import Screen

_LABEL = 13


def main() -> int:
    screen = Screen(Console(stderr=False))
    # As after Ctrl-C, all that was started is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    port = os.environ.get("PORT", "0")
    if not port.isdigit():
        print(f"error: PORT is {port}, and has to be a number", file=sys.stderr)
        return 2
    try:
        _run(screen, int(port))
    except LocalCloudError as error:
        print("\n".join([f"error: {error}", *getattr(error, "__notes__", [])]), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        pass
    print("The local cloud is stopped. Nothing of it is left.")
    return 0


def _run(screen: Screen, port: int) -> None:
    with contextlib.ExitStack() as running:
        cloud = running.enter_context(LocalCloud(port=port, on_progress=screen.line))
        cloud.deploy()
        running.enter_context(announced(cloud.endpoint, STACK))
        url = crops.furnish(cloud.client, cloud.database)
        page = running.enter_context(serving_the_page())
        screen.title("The local cloud is running. Ctrl-C stops it and removes all that is in it.")
        for label, text in (
            ("Endpoint", cloud.endpoint),
            ("Page", page),
            ("App", f"{crops.APP}, at {url} after its first release"),
            ("Environment", 'eval "$(make -s local-env)"'),
            ("AWS CLI", "aws lightsail get-container-services, after that line"),
            ("Push", "make local-push RELEASE=v1, and then v2, v2.1 and v3"),
            ("Watch", f"lightgate status {crops.APP} --local"),
            ("Docker", f"lightgate push {crops.APP} examples/crops --tag v1 --local"),
        ):
            print(f"{label:<{_LABEL}}{text}", flush=True)
        signal.pause()


if __name__ == "__main__":
    sys.exit(main())

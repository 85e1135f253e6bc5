"""Push a release of the example app to the local cloud that runs, without Docker."""

import os
import sys

from lightgate_cli.acting.pushing import release_of_push, target_of_push
from lightgate_cli.connection import Connection, Target
from lightgate_cli.errors import CommandError
from local.by_hand.environment import running_endpoint
from local.cloud import registry
from local.demo import crops


def main() -> int:
    known = [*crops.RELEASES, *crops.FAILURES]
    release = sys.argv[1] if len(sys.argv) > 1 else ""
    endpoint = running_endpoint(os.environ)
    if release not in known:
        print(f"error: RELEASE has to be one of {', '.join(known)}", file=sys.stderr)
        return 2
    if endpoint is None:
        print("error: No local cloud is running. Start one with make local.", file=sys.stderr)
        return 1
    # The spec watches v*, so the failures are versions, too.
    tag = release if release.startswith("v") else f"v-{release}"
    try:
        _push(endpoint, release, tag)
    except CommandError as error:
        print("\n".join(filter(None, (f"error: {error}", error.hint))), file=sys.stderr)
        return 1
    return 0


def _push(endpoint: str, release: str, tag: str) -> None:
    connection = Connection(Target(local=True))
    target = target_of_push(crops.APP, tag, connection)
    digest = registry.push(endpoint, target.repository, tag, crops.image(release))
    print(f"pushed {tag} as {digest[:19]}", flush=True)
    if target.live is not None and target.live.digest == digest:
        print(f"{tag} is live already, so nothing is released.")
        return
    print(f"lightgate show {release_of_push(target, digest, connection).release} --follow --local")


if __name__ == "__main__":
    sys.exit(main())

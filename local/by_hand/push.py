"""Push a release of the example app to the local cloud that runs, without Docker."""

import os
import sys

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
    digest = registry.push(endpoint, crops.spec()["repository"], tag, crops.image(release))
    print(f"pushed {tag} as {digest[:19]}")
    print(f"lightgate show {tag} --follow --local")
    return 0


if __name__ == "__main__":
    sys.exit(main())

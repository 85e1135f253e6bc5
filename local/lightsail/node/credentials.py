"""The AWS credentials that a container finds, as on ECS (docs/lightsail.md, "Containers").

They belong to a role in an account of AWS. No service of this machine accepts them. The address is
that of ECS, so a node needs a network of its own.
"""

import asyncio
import contextlib
import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from local.lightsail.node.node import Node

ADDRESS = "169.254.170.2"
_KIND = {"AWS_EXECUTION_ENV": "AWS_ECS_FARGATE"}
_LIVES = timedelta(hours=6)


async def offer_credentials(node: Node) -> Mapping[str, str]:
    """Serve credentials at the address in the node. Returns the variables of the containers."""
    if not node.is_isolated:
        return _KIND
    path = f"/v2/credentials/{secrets.token_hex(16)}"
    await node.serve(ADDRESS, 80, _Answer(path))
    return {**_KIND, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": path}


class _Answer:
    def __init__(self, path: str) -> None:
        self._request = f"GET {path} HTTP/1.1".encode()
        self._document = {
            "RoleArn": "arn:aws:iam::170441448102:role/of-the-containers",
            "AccessKeyId": f"ASIA{secrets.token_hex(8).upper()}",
            "SecretAccessKey": secrets.token_urlsafe(30),
            "Token": secrets.token_urlsafe(120),
        }

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = await reader.readuntil(b"\r\n\r\n")
            is_known = head.startswith(self._request)
            expiration = (datetime.now(UTC) + _LIVES).strftime("%Y-%m-%dT%H:%M:%SZ")
            found = {**self._document, "Expiration": expiration} if is_known else {}
            body = json.dumps(found).encode()
            status = "200 OK" if is_known else "404 Not Found"
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            await writer.drain()
        writer.close()

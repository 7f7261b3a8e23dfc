"""A request's body as it came, read only after the caller has been let in."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Depends, HTTPException, Request

_MOST_BYTES: Final = 4_000_000


async def _raw(request: Request) -> bytes:
    # The only thing that must wait on the network, hence the only coroutine.
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MOST_BYTES:
            raise HTTPException(413, f"The body is larger than {_MOST_BYTES} bytes; send several smaller ones.")
    return bytes(body)


RawBody = Annotated[bytes, Depends(_raw)]
"""At most four million bytes; stands behind the role in a signature, so that strangers' bodies are not read."""

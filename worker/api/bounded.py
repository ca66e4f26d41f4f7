"""Reading an answer without trusting its length."""

import aiohttp


async def read_bounded(answer: aiohttp.ClientResponse, limit: int) -> bytes:
    """The body of an answer.

    Raises:
        aiohttp.ClientPayloadError: it has more than `limit` bytes.
    """
    body = bytearray()
    async for piece in answer.content.iter_chunked(65_536):
        body += piece
        if len(body) > limit:
            raise aiohttp.ClientPayloadError(f"an answer of more than {limit} bytes")
    return bytes(body)

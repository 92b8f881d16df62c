"""The floor for the engine: the same requests from the same client, with nothing around them."""

from __future__ import annotations

import asyncio
import sys
import time

import orjson

from messaging.dispatch.transport import Transport
from messaging.drivers.base import HttpRequest


async def _run(url: str, count: int, concurrency: int) -> float:
    transport = Transport(timeout=60)
    headers = {"Authorization": "Bearer sandbox-token-raw", "Content-Type": "application/json"}
    numbers = iter(range(count))

    async def worker() -> None:
        for index in numbers:
            body = {
                "messaging_product": "whatsapp",
                "recipient_type": "individual",
                "to": f"+22961{index // 90:04d}{index % 90:02d}",
                "type": "text",
                "text": {"body": "Hello from the benchmark"},
                "biz_opaque_callback_data": f"raw-{index}",
            }
            response = await transport.send(HttpRequest("POST", url, headers, orjson.dumps(body)))
            if response.status != 200:
                raise RuntimeError(response.body.decode())

    started = time.monotonic()
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    elapsed = time.monotonic() - started
    await transport.close()
    return count / elapsed


if __name__ == "__main__":
    print(asyncio.run(_run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))

"""Python's websockets speaks Infrai: publishes reach subscribers, bad tokens open nothing."""

import asyncio
import json
import os
import urllib.request

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

READY = json.loads(os.environ["E2E_READY"])
KEY = READY["tenants"][0]["project_key"]
PATIENCE_S = 10


def call(path, body):
    """POSTs with the project key; the result in the envelope."""
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{READY['http']}/v1/realtime{path}", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        envelope = json.load(answer)
    assert envelope["ok"], envelope
    return envelope["data"]


async def frame(socket):
    return json.loads(await asyncio.wait_for(socket.recv(), PATIENCE_S))


async def publishes_arrive():
    token = call("/token", {"client_id": "py", "capabilities": ["subscribe", "publish"]})["token"]
    async with connect(f"{READY['ws']}/v1/realtime/ws?token={token}") as socket:
        assert (await frame(socket))["type"] == "connected"
        await socket.send('{"type":"subscribe","channel":"py:a","id":1}')
        assert (await frame(socket))["type"] == "subscribed"
        ids = [call("/publish", {"channel": "py:a", "event": "e", "data": n})["message_id"] for n in range(5)]
        got = [await frame(socket) for _ in ids]
        assert [it["message_id"] for it in got] == ids
        assert [it["data"] for it in got] == list(range(5))


async def bad_tokens_open_nothing():
    for token in ("", "irt1.a.b", "nonsense"):
        try:
            async with connect(f"{READY['ws']}/v1/realtime/ws?token={token}"):
                raise AssertionError(token)
        except InvalidStatus as refused:
            assert refused.response.status_code == 401, token


async def main():
    await publishes_arrive()
    await bad_tokens_open_nothing()


asyncio.run(main())

"""Python's websockets at /realtime: two members of the documents' wire, filters, and what does not belong there."""

import asyncio
import json
import os
import urllib.request

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

READY = json.loads(os.environ["E2E_READY"])
KEYS = READY["tenants"][0]
PATIENCE_S = 10


def call(method, path, body):
    """Calls as an administrator."""
    headers = {"Authorization": f"Bearer {KEYS['api_key']}", "Content-Type": "application/json"}
    url = f"{READY['http']}/api/realtime{path}"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        return json.load(answer)


async def frame(socket):
    return json.loads(await asyncio.wait_for(socket.recv(), PATIENCE_S))


async def ask(socket, **fields):
    await socket.send(json.dumps(fields))
    return await frame(socket)


def reach():
    return connect(f"{READY['ws']}/realtime")


async def members_talk():
    channel = "db:orders"
    async with reach() as ada, reach() as bob:
        answer = await ask(ada, type="auth", token=KEYS["anon_key"])
        assert answer == {"type": "auth_success", "userId": "anonymous"}, answer
        answer = await ask(bob, type="auth", token=KEYS["api_key"])
        assert answer == {"type": "auth_success", "userId": "api-key"}, answer
        wanted = {"event": "INSERT", "schema": "public"}
        answer = await ask(ada, type="subscribe", channel=channel, filter=wanted)
        assert (answer["type"], answer["channel"]) == ("subscribed", channel), answer
        for n, (event, schema) in enumerate((("INSERT", "public"), ("DELETE", "public"), ("INSERT", "audit"))):
            payload = {"schema": schema, "n": n}
            answer = await ask(bob, type="publish", channel=channel, event=event, payload=payload)
            assert (answer["type"], answer["event"]) == ("published", event), answer
        got = await frame(ada)
        assert (got["type"], got["payload"]) == ("message", {"schema": "public", "n": 0}), got
        assert await ask(ada, type="ping") == {"type": "pong"}, "the others were kept back"
        await ada.send(['{"type":', '"ping"}'])  # fragments
        assert await frame(ada) == {"type": "pong"}
        await asyncio.wait_for(await ada.ping(), PATIENCE_S)


async def bytes_are_no_frames():
    async with reach() as socket:
        await socket.send(b"\x01")
        try:
            while True:
                await frame(socket)
        except ConnectionClosed as closed:
            assert closed.rcvd.code == 1003, closed


async def main():
    call("POST", "/channels", {"pattern": "db:%"})
    await members_talk()
    await bytes_are_no_frames()


asyncio.run(main())

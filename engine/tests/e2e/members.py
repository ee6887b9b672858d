"""Python's websockets: the life of two members, wrong frames, and the close codes."""

import asyncio
import json
import os
import urllib.parse
import urllib.request

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

READY = json.loads(os.environ["E2E_READY"])
KEY = READY["tenants"][0]["application_key"]
PATIENCE_S = 10


def call(path, body=None, **query):
    """Calls the node with the key; the answer's JSON."""
    url = f"{READY['http']}{path}?{urllib.parse.urlencode({'key': KEY, **query})}"
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(url, data, timeout=PATIENCE_S) as answer:
        return json.load(answer)


def url(channel, token):
    return f"{READY['ws']}/edge/realtime?{urllib.parse.urlencode({'channel': channel, 'token': token})}"


def join(channel, user):
    return connect(url(channel, call("/edge/realtime/token", user)["token"]))


async def frame(socket):
    return json.loads(await asyncio.wait_for(socket.recv(), PATIENCE_S))


async def members_talk():
    channel = "py:room"
    async with join(channel, {"user_id": "ada", "name": "Ada"}) as ada:
        assert await frame(ada) == {"action": "connected", "channel": channel}
        present = [{"id": "ada", "name": "Ada"}]
        assert await frame(ada) == {"action": "subscribed", "channel": channel, "presence": present}
        async with join(channel, {"user_id": 5}) as bob:
            await frame(bob)
            assert len((await frame(bob))["presence"]) == 2
            assert await frame(ada) == {"action": "join", "channel": channel, "user": {"id": "5"}}
            await bob.send('{"action":"publish","event":"n","data":{"n":12345678901234567890}}')
            for member in (ada, bob):
                got = await frame(member)
                assert (got["event"], got["data"]["n"], got["id"]) == ("n", 12345678901234567890, 1)
            assert (await frame(bob))["action"] == "published"
            await bob.send(["{", '"half"'])  # fragments
            assert await frame(bob) == {"error": "Invalid JSON"}
            await asyncio.wait_for(await bob.ping(), PATIENCE_S)
        left = await frame(ada)
        assert (left["action"], left["user"]) == ("leave", {"id": "5"})
    got = call("/edge/realtime/history", channel=channel, after=0)["messages"]
    assert [it["id"] for it in got] == [1]


async def closes(code, data):
    async with join("py:codes", {"user_id": "ada"}) as socket:
        await socket.send(data)
        try:
            while True:
                await frame(socket)
        except ConnectionClosed as closed:
            assert closed.rcvd.code == code, (closed, code)


async def stays_out():
    try:
        async with connect(url("py:out", "no.such.token")):
            raise AssertionError("a bad token opened a socket")
    except InvalidStatus as refused:
        assert refused.response.status_code == 401


async def main():
    await members_talk()
    await closes(1003, b"\x01")
    await closes(1009, "x" * 65_537)
    await stays_out()


asyncio.run(main())

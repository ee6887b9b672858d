"""python-socketio: the life of two members, what is refused, and the connection after the other one."""

import base64
import hashlib
import hmac
import json
import os
import queue
import time
import urllib.request

import socketio

READY = json.loads(os.environ["E2E_READY"])
KEYS = READY["tenants"][0]
# Either, and as it does by itself: it begins with the first, and moves to the second.
TRANSPORTS = (["websocket"], ["polling"], ["polling", "websocket"])
PATIENCE_S = 10


def token(sub):
    """What an authentication service gives a user: HS256, for a quarter of an hour."""
    claims = {"sub": sub, "role": "authenticated", "exp": int(time.time()) + 900}
    parts = [json.dumps(it).encode() for it in ({"alg": "HS256", "typ": "JWT"}, claims)]
    text = b".".join(base64.urlsafe_b64encode(it).rstrip(b"=") for it in parts)
    mark = hmac.digest(KEYS["jwt_secret"].encode(), text, hashlib.sha256)
    return (text + b"." + base64.urlsafe_b64encode(mark).rstrip(b"=")).decode()


def call(method, path, body):
    """Calls as an administrator."""
    headers = {"X-API-Key": KEYS["api_key"], "Content-Type": "application/json"}
    url = f"{READY['http']}/api/realtime{path}"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method=method)
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        return json.load(answer)


class Client(socketio.Client):
    """One whose events are awaited one by one."""

    def __init__(self):
        super().__init__(reconnection=False)
        self.events = queue.Queue()
        self.on("*", lambda name, value: self.events.put((name, value)))
        self.on("connect_error", lambda value: self.events.put(("connect_error", value)))

    def enter(self, auth, transports=TRANSPORTS[0]):
        self.connect(READY["http"], auth=auth, transports=transports, wait_timeout=PATIENCE_S)
        return self

    def ask(self, name, value):
        return self.call(name, value, timeout=PATIENCE_S)

    def value(self, name):
        found, value = self.events.get(timeout=PATIENCE_S)
        assert found == name, (found, value)
        return value


def members_talk(channel, transports):
    ada = Client().enter({"token": token("ada")}, transports)
    bob = Client().enter({"apiKey": KEYS["api_key"]}, transports)
    assert ada.transport() == transports[-1]
    for client, count in ((ada, 1), (bob, 2)):
        answer = client.ask("realtime:subscribe", {"channel": channel})
        assert (answer["ok"], answer["channel"]) == (True, channel), answer
        assert len(answer["presence"]["members"]) == count, answer
    joined = ada.value("presence:join")
    assert joined["member"]["presenceId"] == bob.get_sid(), joined
    assert joined["meta"]["channel"] == channel, joined
    for n in range(20):
        ada.emit("realtime:publish", {"channel": channel, "event": "n", "payload": {"n": n, "text": "söme ☃"}})
    for client in (ada, bob):
        # Each of its events has a thread of its own, so their order is to be seen by their ids alone.
        found = sorted((client.value("n") for _ in range(20)), key=lambda it: it["meta"]["messageId"])
        for n, got in enumerate(found):
            assert (got["n"], got["text"], got["meta"]["senderId"]) == (n, "söme ☃", "ada"), got
            assert got["meta"]["channel"] == f"realtime:{channel}", got
    bob.emit("realtime:unsubscribe", {"channel": channel})
    assert ada.value("presence:leave")["member"] == joined["member"]
    bob.emit("realtime:publish", {"channel": channel, "event": "n", "payload": {}})
    refused = bob.value("realtime:error")
    assert refused["code"] == "REALTIME_NOT_SUBSCRIBED", refused
    ada.emit("realtime:publish", {"channel": channel, "event": "n", "payload": {"bytes": b"\x00\x01"}})
    assert ada.value("realtime:error")["code"] == "INVALID_INPUT", "bytes are refused, and the connection stays"
    ada.emit("realtime:publish", {"channel": channel, "event": "n", "payload": {"n": 21}})
    assert ada.value("n")["n"] == 21
    for client in (ada, bob):
        client.disconnect()


def nothing_opens_with_bad_credentials():
    for auth, message in (
        (None, "No authentication provided"),
        ({"token": "anon_1"}, "Invalid anon key"),
        ({"apiKey": "ik_1"}, "Invalid API key"),
        ({"token": "a.b.c"}, "Invalid token"),
    ):
        client = Client()
        try:
            client.enter(auth)
            raise AssertionError(auth)
        except socketio.exceptions.ConnectionError:
            assert client.value("connect_error") == {"message": message}, auth


def channels_without_a_pattern_are_nobodys():
    client = Client().enter({"token": KEYS["anon_key"]})
    answer = client.ask("realtime:subscribe", {"channel": "elsewhere"})
    assert (answer["ok"], answer["error"]["code"]) == (False, "REALTIME_UNAUTHORIZED"), answer
    client.disconnect()
    client.enter({"token": KEYS["anon_key"]})
    assert client.ask("realtime:subscribe", {"channel": "py:again"})["ok"], "the same client, connected again"
    client.disconnect()


call("POST", "/channels", {"pattern": "py:*"})
for number, transports in enumerate(TRANSPORTS):
    members_talk(f"py:room:{number}", transports)
nothing_opens_with_bad_credentials()
channels_without_a_pattern_are_nobodys()
os._exit(0)

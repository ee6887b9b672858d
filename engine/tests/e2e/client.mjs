// What the scripts share: the node under test, tokens, and sockets whose frames are awaited one by one.
import assert from 'node:assert/strict';
import WebSocket from 'ws';

export const ready = JSON.parse(process.env.E2E_READY);
export const PATIENCE_MS = 10_000;

/** Fails unless the promise settles in time. */
export function soon(promise, what, patience_ms = PATIENCE_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), patience_ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** POSTs JSON with the key of the first tenant. */
export async function post(path, body) {
  const key = ready.tenants[0].application_key;
  const answer = await fetch(`${ready.http}${path}?key=${key}`, { method: 'POST', body: JSON.stringify(body) });
  assert.equal(answer.status, 200, await answer.clone().text());
  return answer.json();
}

export async function token(user_id, name) {
  return (await post('/edge/realtime/token', { user_id, name })).token;
}

export function socketUrl(channel, token) {
  return `${ready.ws}/edge/realtime?channel=${encodeURIComponent(channel)}&token=${token}`;
}

export class Client {
  constructor(url) {
    this.frames = [];
    this.waiting = [];
    this.socket = new WebSocket(url);
    this.socket.on('message', (data) => {
      const take = this.waiting.shift();
      take ? take(data.toString()) : this.frames.push(data.toString());
    });
    this.closed = new Promise((done) => this.socket.on('close', (code, reason) => done({ code, reason: `${reason}` })));
    this.socket.on('error', () => {}); // a close follows
  }

  /** A client that is in the channel; its snapshot is in `presence`. */
  static async join(channel, user, name) {
    const client = new Client(socketUrl(channel, await token(user, name)));
    assert.equal(await client.next(), JSON.stringify({ action: 'connected', channel }));
    const subscribed = await client.nextJson();
    assert.equal(subscribed.action, 'subscribed');
    assert.equal(subscribed.channel, channel);
    client.presence = subscribed.presence;
    return client;
  }

  /** The next frame, as its text. */
  next() {
    if (this.frames.length > 0) return Promise.resolve(this.frames.shift());
    return soon(new Promise((done) => this.waiting.push(done)), 'a frame');
  }

  async nextJson() {
    return JSON.parse(await this.next());
  }

  send(frame) {
    this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  /** Publishes this text, and returns the frames that come of it: the echo and the answer. */
  async publish(text) {
    this.send(text);
    const frames = [await this.next(), await this.next()];
    const answer = frames.findIndex((it) => it.startsWith('{"action":"published"'));
    assert.notEqual(answer, -1, frames.join('\n'));
    return { answer: JSON.parse(frames[answer]), echo: frames[1 - answer] };
  }

  /** Writes bytes under the WebSocket. */
  raw(...bytes) {
    this.socket._socket.write(Buffer.from(bytes));
  }

  async end() {
    this.socket.close(1000, 'bye');
    return soon(this.closed, 'a close');
  }
}

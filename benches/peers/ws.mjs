// A broadcaster on `ws`: no compression, no check of texts that nobody reads, and all messages of a turn in one write for
// each subscriber.
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';
import { ANSWER, MINTS, PORT, SUBSCRIBED, TOKEN, VERSION, channelOf, messageOf } from './bare.mjs';

const channels = new Map();
let pending = [];

function flush() {
  const due = pending;
  pending = [];
  const heard = new Map();
  for (const body of due) {
    const name = channelOf(body);
    const messages = heard.get(name) ?? heard.set(name, []).get(name);
    messages.push(Buffer.from(messageOf(body)));
  }
  for (const [name, messages] of heard) {
    for (const socket of channels.get(name) ?? []) {
      socket._socket.cork();
      for (const message of messages) socket.send(message, { binary: false });
      socket._socket.uncork();
    }
  }
}

function respond(response, text) {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': text.length });
  response.end(text);
}

const server = createServer((request, response) => {
  if (request.method !== 'POST') return respond(response, VERSION);
  let body = '';
  request.setEncoding('latin1');
  request.on('data', (part) => (body += part));
  request.on('end', () => {
    if (request.url.startsWith(MINTS)) return respond(response, TOKEN);
    if (pending.push(body) === 1) setImmediate(flush);
    respond(response, ANSWER);
  });
});
server.keepAliveTimeout = 0;
server.requestTimeout = 0;

const sockets = new WebSocketServer({ server, perMessageDeflate: false, clientTracking: false, skipUTF8Validation: true });
sockets.on('connection', (socket, request) => {
  const name = new URL(request.url, 'ws://host').searchParams.get('channel');
  const listeners = channels.get(name) ?? channels.set(name, new Set()).get(name);
  listeners.add(socket);
  socket.on('close', () => listeners.delete(socket));
  socket.on('error', () => socket.terminate());
  socket.send(SUBSCRIBED);
});
server.listen({ port: PORT, host: '127.0.0.1', backlog: 4096 });

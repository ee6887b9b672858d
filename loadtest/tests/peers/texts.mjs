// A server on `ws` with rooms and a POST, as one writes it in an afternoon. FAULT=drop: the first listener misses a message.
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';

const rooms = new Map();
let count = 0;

function publish({ pub, x }) {
  count += 1;
  const listeners = [...(rooms.get(pub) ?? [])];
  const missed = process.env.FAULT === 'drop' && count === 50 ? 1 : 0;
  listeners.slice(missed).forEach((socket) => socket.send(`${pub}|${x}`));
}

const http = createServer((request, answer) => {
  let body = '';
  request.on('data', (piece) => (body += piece));
  request.on('end', () => {
    publish(JSON.parse(body));
    answer.writeHead(202, { 'Content-Length': 0 }).end();
  });
});
new WebSocketServer({ server: http, path: '/live' }).on('connection', (socket) => {
  socket.on('message', (text) => {
    const order = JSON.parse(text);
    if (order.pub) return publish(order);
    rooms.set(order.sub, (rooms.get(order.sub) ?? new Set()).add(socket));
    socket.send(JSON.stringify({ joined: order.sub }));
  });
});
http.listen(0, '127.0.0.1', () => console.log(http.address().port));

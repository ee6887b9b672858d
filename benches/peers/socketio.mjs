// Socket.IO with WebSockets alone, on `ws` or, as its page on performance says, on uWebSockets.js: `socketio.mjs PORT ws|uws`.
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import uws from 'uWebSockets.js';
import { PORT } from './bare.mjs';

const io = new Server({ transports: ['websocket'], perMessageDeflate: false, httpCompression: false, serveClient: false, pingInterval: 3_600_000 });
io.on('connection', (socket) => {
  socket.on('subscribe', (channel, answer) => {
    socket.join(channel);
    answer?.({ ok: true });
  });
  socket.on('publish', (channel, payload) => io.to(channel).emit('message', payload));
});

if (process.argv[3] === 'uws') {
  const app = uws.App();
  io.attachApp(app);
  app.listen('127.0.0.1', PORT, (token) => {
    if (!token) process.exit(1);
  });
} else {
  const server = createServer((_, response) => response.end());
  io.attach(server);
  server.listen({ port: PORT, host: '127.0.0.1', backlog: 4096 });
}

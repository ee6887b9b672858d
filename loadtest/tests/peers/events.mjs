// A server of Socket.IO as its guide shows one: rooms that clients join by an event, and publish to by another.
import { createServer } from 'node:http';
import { Server } from 'socket.io';

const http = createServer();
const io = new Server(http);
io.on('connection', (socket) => {
  socket.on('enter', (room, done) => {
    socket.join(room);
    done({ in: room });
  });
  socket.on('shout', (room, text) => io.to(room).emit('shouted', { text }));
});
http.listen(0, '127.0.0.1', () => console.log(http.address().port));

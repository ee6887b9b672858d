// Soketi, the server of Pusher's protocol, on a free port with its usual app.
import { createServer } from 'node:net';
import { createRequire } from 'node:module';

const free = createServer().listen(0, '127.0.0.1', () => {
  const { port } = free.address();
  free.close(() => {
    const quiet = console.log;
    console.log = () => {};
    const { Server } = createRequire(import.meta.url)('@soketi/soketi/dist/server.js');
    const server = new Server({ port, host: '127.0.0.1', 'metrics.enabled': false, debug: false });
    server.start();
    // It says that it started before it listens.
    const look = () =>
      fetch(`http://127.0.0.1:${port}/ready`).then(() => quiet(port), () => setTimeout(look, 50));
    look();
  });
});

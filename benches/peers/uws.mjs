// A broadcaster on uWebSockets.js with its own publish and subscribe: no compression, no pings, no limit of what waits.
import uws from 'uWebSockets.js';
import { ANSWER, MINTS, PORT, PUBLISHES, SUBSCRIBED, TOKEN, VERSION, channelOf, messageOf } from './bare.mjs';

const app = uws.App();

function read(response, then) {
  let body;
  response.onAborted(() => {});
  response.onData((part, isLast) => {
    // The part is only there within this call.
    if (isLast && body === undefined) return then(Buffer.from(part).latin1Slice());
    body = (body ?? '') + Buffer.from(part).latin1Slice();
    if (isLast) then(body);
  });
}

const respond = (response, text) => response.writeHeader('content-type', 'application/json').end(text);

app.post(MINTS, (response) => read(response, () => respond(response, TOKEN)));
app.post(PUBLISHES, (response) =>
  read(response, (body) => {
    app.publish(channelOf(body), messageOf(body), false, false);
    respond(response, ANSWER);
  }),
);
app.any('/*', (response) => respond(response, VERSION));
app.ws(PUBLISHES, {
  compression: uws.DISABLED,
  idleTimeout: 0,
  sendPingsAutomatically: false,
  maxBackpressure: 64 * 1024 * 1024,
  upgrade: (response, request, context) => {
    const name = decodeURIComponent(request.getQuery('channel'));
    const header = (it) => request.getHeader(it);
    const key = header('sec-websocket-key');
    response.upgrade({ name }, key, header('sec-websocket-protocol'), header('sec-websocket-extensions'), context);
  },
  open: (socket) => {
    socket.subscribe(socket.getUserData().name);
    socket.send(SUBSCRIBED);
  },
});
app.listen('127.0.0.1', PORT, (token) => {
  if (!token) process.exit(1);
});

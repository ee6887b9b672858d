// A server behind the node: what it was asked it tells, and what it answers can be held back, broken off or be too much.
// The first line of its output is its port. `/_told` says what it has seen; `/_go` lets held answers go on.
import http from "node:http";

const told = { asked: 0, aborted: 0, second: 0, written: 0, sockets: 0 };
let held = [];

const answers = {
  // Everything of the request.
  echo(request, response, body) {
    response.writeHead(201, {
      "Content-Type": "application/json",
      "Set-Cookie": "a=b",
      "CF-Ray": "ray",
      "Access-Control-Allow-Origin": "https://elsewhere.example",
    });
    const { method, url, headers, rawHeaders } = request;
    response.end(JSON.stringify({ success: true, data: { method, url, headers, rawHeaders, body } }));
  },
  // One part, and one more when it is told to.
  parts(request, response) {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.write("one\n");
    held.push(() => {
      told.second += 1;
      response.end("two\n");
    });
  },
  // Bytes of a known number, as fast as they are taken.
  much(request, response) {
    const bytes = Number(new URL(request.url, "http://a").searchParams.get("bytes"));
    response.writeHead(200, { "Content-Type": "application/octet-stream", "Content-Length": bytes });
    let left = bytes;
    const more = () => {
      while (left > 0) {
        const part = Buffer.alloc(Math.min(left, 65536), "x");
        left -= part.length;
        told.written += part.length;
        if (!response.write(part)) return void response.once("drain", more);
      }
      response.end();
    };
    more();
  },
  nothing() {},
  empty(request, response) {
    response.writeHead(204).end();
  },
  broken(request, response) {
    response.writeHead(200, { "Content-Length": 100 });
    response.write("begun", () => response.socket.destroy());
  },
  cut(request, response) {
    response.writeHead(200, { "Content-Type": "text/plain" });
    response.write("begun", () => response.socket.destroy());
  },
  moved(request, response) {
    response.writeHead(302, { Location: "/accounts/secret" }).end("moved");
  },
  refused(request, response) {
    response.writeHead(403, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ error: request.headers.authorization }));
  },
  huge(request, response) {
    response.end("x".repeat(1_000_000));
  },
  token(request, response, body) {
    response.writeHead(200, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ token: "signed", asked: JSON.parse(body), by: request.headers.authorization }));
  },
};

const server = http.createServer((request, response) => {
  if (request.url === "/_told") return void response.end(JSON.stringify(told));
  if (request.url === "/_go") {
    held.forEach((go) => go());
    held = [];
    return void response.end();
  }
  told.asked += 1;
  response.on("close", () => {
    if (!response.writableFinished) told.aborted += 1;
  });
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const name = request.url.split("?")[0].split("/").pop();
    (answers[name] ?? answers.echo)(request, response, Buffer.concat(parts).toString());
  });
});
server.on("connection", () => (told.sockets += 1));
server.listen(0, "127.0.0.1", () => console.log(server.address().port));

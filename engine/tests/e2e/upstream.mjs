// A server behind the node: what it was asked it tells, and what it answers can be held back, broken off or be too much.
// The first line of its output is its port. `/_told` says what it has seen; `/_go` lets held answers go on. What a request is
// answered is named by the last part of its path, or by NAME in `/as/NAME/…`. With UPSTREAM_TLS, a folder, it speaks https.
import fs from "node:fs";
import http from "node:http";
import https from "node:https";

const told = { asked: 0, aborted: 0, second: 0, written: 0, sockets: 0 };
let held = [];
let flaws = 0;
let last = {};

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
  garbage(request, response) {
    response.end('{"token": "half');
  },
  tokenless(request, response) {
    response.end('{"error":"none"}');
  },
  // Not HTTP at all.
  noise(request, response) {
    response.socket.end("220 mail.example ESMTP\r\n");
  },
  hangup(request, response) {
    response.socket.destroy();
  },
  unauthorized(request, response) {
    response.writeHead(401).end(JSON.stringify({ error: request.headers.authorization }));
  },
  fault(request, response) {
    response.writeHead(500).end(JSON.stringify({ error: request.headers.authorization }));
  },
  // Its first answer is a fault.
  flaky(request, response, body) {
    flaws += 1;
    (flaws === 1 ? answers.fault : answers.token)(request, response, body);
  },
  // A token, once it is told to.
  later(request, response, body) {
    held.push(() => answers.token(request, response, body));
  },
  token(request, response, body) {
    response.writeHead(200, { "Content-Type": "application/json" });
    response.end(JSON.stringify({ token: "signed", asked: JSON.parse(body), by: request.headers.authorization }));
  },
};

const folder = process.env.UPSTREAM_TLS;
const pem = (name) => fs.readFileSync(`${folder}/${name}`);
const secure = folder && { key: pem("server.key"), cert: pem("server.pem") };
const create = (serve) => (secure ? https.createServer(secure, serve) : http.createServer(serve));

const server = create((request, response) => {
  if (request.url === "/_told") return void response.end(JSON.stringify(told));
  if (request.url === "/_last") return void response.end(JSON.stringify(last));
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
    const path = request.url.split("?")[0];
    const name = /^\/as\/([a-z]+)\//.exec(path)?.[1] ?? path.split("/").pop();
    const body = Buffer.concat(parts).toString();
    const { method, url, headers } = request;
    last = { method, url, headers, body };
    (answers[name] ?? answers.echo)(request, response, body);
  });
});
server.on("connection", () => (told.sockets += 1));
server.listen(0, "127.0.0.1", () => console.log(server.address().port));

// A small shop: a server that asks another address for prices, and calls itself.
"use strict";

const { NodeSDK } = require("@opentelemetry/sdk-node");
const { HttpInstrumentation } = require("@opentelemetry/instrumentation-http");
const { SpanStatusCode, trace } = require("@opentelemetry/api");

// everything else, the exporter too, comes from the environment
const sdk = new NodeSDK({
  instrumentations: [
    // the calls that a browser would make are not the application's
    new HttpInstrumentation({ ignoreOutgoingRequestHook: ({ path }) => path !== "/prices" }),
  ],
});
sdk.start();

const http = require("node:http");
const { once } = require("node:events");

function get(port, path) {
  return new Promise((resolve, reject) => {
    const request = http.get({ port, path, host: "127.0.0.1" }, (answer) => {
      answer.resume();
      answer.on("end", () => resolve(answer.statusCode));
    });
    request.on("error", reject);
  });
}

async function serve(port, path, response) {
  if (path.startsWith("/carts/")) {
    await get(port, "/prices");
  }
  if (path === "/broken") {
    const error = new TypeError("Cannot read properties of undefined (reading 'total')");
    const span = trace.getActiveSpan();
    span.recordException(error);
    span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
    response.statusCode = 500;
  }
  response.end("ok");
}

async function main() {
  const server = http.createServer((request, response) => {
    serve(server.address().port, request.url, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  for (let number = 1; number <= 3; number += 1) {
    await get(port, `/carts/${number}`);
  }
  await get(port, "/broken");
  server.close();
  await sdk.shutdown();
}

main();

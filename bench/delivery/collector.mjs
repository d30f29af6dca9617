// An endpoint of the driver for other people's libraries. They differ in path and envelope; each sends text in
// which an event's own data can be recognised, and each takes this answer as success.

import { createServer } from "node:http";
import { gunzipSync } from "node:zlib";
import { listenOnLoopback } from "../../tests/e2e/support.mjs";

const ANSWER = JSON.stringify({
  // Amplitude, PostHog, Segment
  code: 200,
  status: 1,
  success: true,
  // alloy holds everything after the first event back until it has an identity.
  requestId: "bench",
  handle: [
    {
      type: "state:store",
      payload: [{ key: "kndctr_bench_AdobeOrg_identity", value: "bench", maxAge: 3_600 }],
    },
  ],
});

/** The id of an event, whatever quotes are around it: some put JSON into a string of JSON. */
const ID = /benchId\W+([\w-]+)/g;

/** With the same faults as the inlet's, as far as scenarios for other people's libraries use them. */
export async function openCollector() {
  let arrivals;
  let count;
  let faults;
  const reset = () => {
    arrivals = new Map();
    count = 0;
  };
  const put = async ({ forMs, ...more }) => {
    faults = { ...more, until: forMs ? Date.now() + forMs : Number.POSITIVE_INFINITY };
  };
  const now = () => (Date.now() < faults.until ? faults : {});
  reset();
  await put({});

  const take = (body) => {
    const text = (body[0] === 0x1f && body[1] === 0x8b ? gunzipSync(body) : body).toString();
    const ids = new Set([...text.matchAll(ID)].map(([, id]) => id));
    for (const id of ids) {
      const known = arrivals.get(id);
      if (known) known.times += 1;
      else arrivals.set(id, { times: 1, bytes: Math.round(Buffer.byteLength(text) / ids.size) });
    }
    count += ids.size;
  };

  const server = createServer(async (request, response) => {
    const { origin = "*", "access-control-request-headers": asked } = request.headers;
    const headers = {
      "Access-Control-Allow-Origin": origin,
      "Access-Control-Allow-Credentials": "true",
      ...(asked && { "Access-Control-Allow-Headers": asked, "Access-Control-Allow-Methods": "POST" }),
    };
    const body = [];
    try {
      for await (const chunk of request) body.push(chunk);
    } catch {
      // The page left in the middle of it.
      return;
    }
    const { status, delayMs } = request.method === "POST" ? now() : {};
    if (delayMs) await new Promise((resolve) => setTimeout(resolve, delayMs));
    if (request.method === "OPTIONS") response.writeHead(204, headers).end();
    else if (status) response.writeHead(status, headers).end();
    else {
      take(Buffer.concat(body));
      response.writeHead(200, { ...headers, "Content-Type": "application/json" }).end(ANSWER);
    }
  });
  const { origin, close } = await listenOnLoopback(server);
  return {
    port: Number(new URL(origin).port),
    reset,
    faults: put,
    count: () => count,
    arrivals: () => arrivals,
    close,
  };
}

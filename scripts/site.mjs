// Serves a folder of static files on this machine, for `npm start` and the tests.

import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { inletOrigin } from "./demo.mjs";

/**
 * Serves `folder`. Pages name the inlet at its usual place; `inlet` puts another in.
 *
 * @param {string} folder
 * @param {{port?: number, inlet?: string, headers?: Record<string, string>}} [options] port 0: any free one
 * @returns {Promise<{origin: string, close: () => Promise<void>}>}
 */
export async function serve(folder, { port = 0, inlet = inletOrigin, headers = {} } = {}) {
  // Not above: this file is loaded before set-up has installed any package.
  const { default: sirv } = await import("sirv");
  const files = sirv(folder, { dev: true });
  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    const page = pageFile(folder, request.url);
    if (page && inlet !== inletOrigin) {
      response.setHeader("Content-Type", "text/html; charset=utf-8");
      response.end(readFileSync(page, "utf8").replaceAll(inletOrigin, inlet));
      return;
    }
    files(request, response, () => {
      response.statusCode = 404;
      response.end("Not found");
    });
  });
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}

function pageFile(folder, url) {
  const path = normalize(decodeURIComponent(new URL(url, "http://localhost").pathname));
  const file = join(folder, path.endsWith("/") ? `${path}index.html` : path);
  return extname(file) === ".html" && existsSync(file) ? file : undefined;
}

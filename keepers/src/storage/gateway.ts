import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream/promises";
import type { CID } from "multiformats/cid";
import { AssayError, exitCode } from "../core/errors.ts";
import type { BlobStore } from "./backends/backend.ts";
import { parseBlobCid } from "./backends/blob-cid.ts";

/** Where blobs are read. */
export type GatewayStore = Pick<BlobStore, "get" | "has">;

export type GatewayOptions = {
  /** The stores that are looked into, in order, for each request. */
  readonly stores: () => Iterable<GatewayStore>;
  readonly port: number;
  /** Loopback by default. */
  readonly host?: string;
};

/** Connections at a time; each holds a block or two of what it reads. */
const mostConnections = 256;

export type Gateway = { readonly url: string; close(): Promise<void> };

/**
 * Serves blobs over HTTP as an IPFS path gateway does, `GET /ipfs/<cid>`, for pages that read datasets: anybody may ask, from
 * any origin, and whoever asks checks the bytes against the CID.
 * @throws AssayError when the port cannot be had
 */
export async function serveGateway({ stores, port, host = "127.0.0.1" }: GatewayOptions): Promise<Gateway> {
  const server = createServer((request, response) => {
    answer(stores, request, response).catch(() => {
      // What was begun cannot be taken back: the client sees that it ends early. Why is the operator's affair alone.
      if (response.headersSent) response.destroy();
      else say(response, 502, "what is kept here cannot be read at the moment");
    });
  });
  server.maxConnections = mostConnections;
  server.requestTimeout = 10_000;
  // Whoever does not read what was asked for is not waited for.
  server.timeout = 60_000;
  await new Promise<void>((listening, failed) => {
    server.once("error", (cause) =>
      failed(
        new AssayError(`the gateway cannot be served on ${host}:${port}`, {
          next: "Choose another port.",
          exitCode: exitCode.configuration,
          cause,
        }),
      ),
    );
    server.listen(port, host, listening);
  });
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${bound}`,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  stores: GatewayOptions["stores"],
  { method, url }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  response.setHeader("access-control-allow-origin", "*");
  if (method !== "GET" && method !== "HEAD") return say(response, 405, "there is only GET and HEAD");
  const text = /^\/ipfs\/([a-z0-9]{1,128})$/.exec(new URL(url ?? "/", "http://localhost").pathname)?.[1];
  if (text === undefined) return say(response, 404, "there is /ipfs/<cid>");
  let cid: CID;
  try {
    cid = parseBlobCid(text);
  } catch (error) {
    return say(response, 400, (error as Error).message);
  }
  for (const store of stores()) {
    if (!(await store.has(cid))) continue;
    response.writeHead(200, {
      "content-type": "application/octet-stream",
      "cache-control": "public, max-age=31536000, immutable",
      etag: `"${text}"`,
      "x-content-type-options": "nosniff",
    });
    if (method === "HEAD") response.end();
    else await pipeline(store.get(cid), response);
    return;
  }
  say(response, 404, `${text} is not here`);
}

function say(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" });
  response.end(`${message}\n`);
}

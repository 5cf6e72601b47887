import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";

const types: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".png": "image/png",
};

export type PageServerOptions = {
  /** Folder of the built page. */
  readonly folder: string;
  /** What `network.json` says; it is made when the network is up, so it is no file. */
  readonly network: unknown;
  /** Below which path the page is, with slashes around it: "/ipfs/bafy…/". */
  readonly base?: string;
  readonly port?: number;
};

export type PageServer = { readonly url: string; close(): Promise<void> };

/** The file that a request names; undefined for what is not below the page, or is no address at all. */
function pathOf(url: string, base: string): string | undefined {
  try {
    const { pathname } = new URL(url, "http://localhost");
    const path = normalize(decodeURIComponent(pathname.slice(base.length)) || "index.html");
    return !pathname.startsWith(base) || path.startsWith("..") ? undefined : path;
  } catch {
    return undefined;
  }
}

/** Serves the page as an IPFS gateway does: files and the folder's index, no headers that the page would depend on. */
export async function servePage({
  folder,
  network,
  base = "/",
  port = 0,
}: PageServerOptions): Promise<PageServer> {
  const server: Server = createServer(async (request, response) => {
    const send = (status: number, type: string, body: string | Uint8Array) => {
      response.writeHead(status, { "content-type": type, "x-content-type-options": "nosniff" });
      response.end(request.method === "HEAD" ? undefined : body);
    };
    const path = pathOf(request.url ?? "/", base);
    if (path === undefined) return send(404, "text/plain", "not found");
    if (path === "network.json") {
      return network === undefined
        ? send(404, "text/plain", "not found")
        : send(200, types[".json"]!, JSON.stringify(network));
    }
    try {
      send(200, types[extname(path)] ?? "application/octet-stream", await readFile(join(folder, path)));
    } catch {
      send(404, "text/plain", "not found");
    }
  });
  await new Promise<void>((listening, failed) => {
    server.once("error", failed);
    server.listen(port, "127.0.0.1", listening);
  });
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${bound}${base}`,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

import { once } from "node:events";
import { createServer, request as httpRequest, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

/** What happens to one request on its way. */
export type Fault =
  | { kind: "none" }
  /** Answers with this status without asking the server. */
  | { kind: "status"; status: number }
  /** Cuts the connection after so many bytes of the request's body. */
  | { kind: "cut-upload"; after: number }
  /** Cuts the connection after so many bytes of the answer's body. */
  | { kind: "cut-download"; after: number }
  /** Flips a bit of this byte of the answer's body. */
  | { kind: "flip"; at: number }
  /** Never answers. */
  | { kind: "silence" };

/** A proxy before a real server that does to each request what `fault` says. */
export async function faultyProxy(
  target: string,
  fault: (request: IncomingMessage) => Fault,
): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => {
    const what = fault(request);
    if (what.kind === "silence") return;
    if (what.kind === "status") {
      request.resume();
      response.writeHead(what.status).end();
      return;
    }
    const upstream = httpRequest(new URL(request.url ?? "/", target), {
      method: request.method,
      headers: request.headers,
    });
    let sent = 0;
    request.on("data", (chunk: Buffer) => {
      sent += chunk.length;
      if (what.kind === "cut-upload" && sent > what.after) {
        upstream.destroy();
        request.destroy();
      } else upstream.write(chunk);
    });
    request.on("end", () => upstream.end());
    upstream.on("error", () => response.destroy());
    upstream.on("response", (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      let received = 0;
      answer.on("data", (chunk: Buffer) => {
        const start = received;
        received += chunk.length;
        if (what.kind === "cut-download" && received > what.after) {
          response.write(chunk.subarray(0, what.after - start), () => response.destroy());
          answer.destroy();
          return;
        }
        if (what.kind === "flip" && start <= what.at && what.at < received) {
          const flipped = Buffer.from(chunk);
          flipped[what.at - start]! ^= 1;
          response.write(flipped);
        } else response.write(chunk);
      });
      answer.on("end", () => response.end());
      answer.on("error", () => response.destroy());
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

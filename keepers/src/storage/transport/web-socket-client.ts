import type { Multiaddr } from "@multiformats/multiaddr";
import { TransportError } from "./errors.ts";

/** What of a WebSocket of `ws` is used here. */
export type Socket = {
  binaryType: string;
  on(event: "error", listener: (error: Error) => void): void;
  on(event: "open" | "close" | "ping" | "pong", listener: () => void): void;
  on(event: "message", listener: (message: { readonly byteLength: number }) => void): void;
  close(code?: number, reason?: string): void;
  terminate(): void;
};
export type SocketClass = new (uri: string, protocols: readonly string[], options: object) => Socket;

/** Milliseconds until somebody that is dialled has to answer as a WebSocket, and to the closing of one. */
const [untilOpened, untilClosed] = [10_000, 2_000];

/** Where a multiaddr leads, in the form in which WebSockets are named. */
export function uriOf(address: Multiaddr): string {
  const components = address.getComponents();
  const named = (name: string) => components.find((each) => each.name === name)?.value;
  const isSecure = components.some(({ name }) => name === "tls" || name === "wss");
  const [first] = components;
  const host = (isSecure ? named("sni") : undefined) ?? first?.value ?? "";
  const path = decodeURIComponent(named("http-path") ?? "");
  const name = first?.name === "ip6" && host === first.value ? `[${host}]` : host;
  return `${isSecure ? "wss" : "ws"}://${name}:${named("tcp")}${path === "" ? "" : `/${path.replace(/^\//, "")}`}`;
}

/**
 * Dials a WebSocket. Node.js' own, which the library would use, takes messages of any length into memory, and of a thousandth of
 * that where they are compressed, and cannot be ended by the side that has had enough.
 *
 * @param bounds options of `ws` that bound what is received
 * @throws TransportError where none is there; the signal's reason
 */
export async function dialWebSocket(
  Client: SocketClass,
  address: Multiaddr,
  bounds: object,
  signal?: AbortSignal,
): Promise<Socket> {
  signal?.throwIfAborted();
  const socket = new Client(uriOf(address), [], {
    ...bounds,
    ...{ perMessageDeflate: false, handshakeTimeout: untilOpened, closeTimeout: untilClosed },
  });
  socket.binaryType = "arraybuffer";
  let end: (() => void) | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      // It is closed after an error.
      let cause: Error | undefined;
      socket.on("error", (error) => {
        cause ??= error;
      });
      socket.on("open", resolve);
      socket.on("close", () => reject(new TransportError("no WebSocket is there", { cause })));
      end = () => {
        reject(signal?.reason);
        socket.terminate();
      };
      signal?.addEventListener("abort", end, { once: true });
    });
  } finally {
    if (end !== undefined) signal?.removeEventListener("abort", end);
  }
  return socket;
}

import type { Socket } from "node:net";
import type { Transport, Upgrader } from "@libp2p/interface";
import { webSockets } from "@libp2p/websockets";
import { onceAsked } from "./opening-socket.ts";

/** More than any message of a peer that speaks the protocol: what Noise seals at a time has at most 65,535 bytes. */
const mostMessageBytes = 1 << 17;
/** Pieces that the library keeps of a message until it is whole, and takes apart in quadratic time; each may hold on to 64 KiB. */
const most = { maxBufferedChunks: 1024, maxFragments: 64 } as const;
/** Milliseconds until a socket that has not become a WebSocket is closed. */
const untilOpened = 10_000;
/** The code of RFC 6455 for a connection that ended without being closed, which is never sent. */
const abnormal = 1006;

/** What of the library's server is set here: it is that of `ws`. */
type Server = {
  options: { maxPayload: number; maxBufferedChunks?: number; maxFragments?: number };
  handleUpgrade(request: unknown, socket: object, head: unknown, accept: Accept): void;
};
type Opened = {
  on(event: "error", listener: () => void): void;
  close(code?: number, reason?: string): void;
  terminate(): void;
};
type Accept = (socket: Opened, request: unknown) => void;
type Listening = {
  readonly wsServer: Server;
  onSocketConnection(socket: Socket): Promise<void>;
  httpRequestHandler(request: { readonly socket: Socket }): void;
  readonly server: {
    maxConnections: number;
    on(event: "connection", listener: (socket: Socket) => void): void;
  };
};

/** A transport whose upgrader is another one. */
type Factory<C> = (components: C) => Transport;

/** Has all connections of a transport set up by a guarded upgrader. */
export function withUpgrader<C>(create: Factory<C>, guard: (upgrader: Upgrader) => Upgrader): Factory<C> {
  return (components) => {
    const transport = create(components);
    const createListener = transport.createListener.bind(transport);
    const dial = transport.dial.bind(transport);
    transport.createListener = (options) => createListener({ ...options, upgrader: guard(options.upgrader) });
    transport.dial = (address, options) => dial(address, { ...options, upgrader: guard(options.upgrader) });
    return transport;
  };
}

/**
 * WebSockets, for pages. The library takes messages of 100 MiB into memory before it knows who sends them; here a
 * connection that sends a longer one than makes sense is closed. It does not listen for errors of a connection, so that
 * a frame that breaks the protocol (RFC 6455) would end the process; such a connection is closed by then. It waits for ever for
 * sockets that say nothing, and gives a connection up by a code that may not be sent, which leaves it open. And it answers whatever
 * else is asked over HTTP.
 *
 * @param maxConnections sockets of all peers
 */
export function boundedWebSockets(maxConnections: number): ReturnType<typeof webSockets> {
  const create = webSockets();
  return (components) => {
    const transport = create(components);
    const createListener = transport.createListener.bind(transport);
    transport.createListener = (options) => {
      const listener = createListener(options);
      const listening = listener as unknown as Listening;
      const { wsServer, server } = listening;
      const handOn = listening.onSocketConnection.bind(listening);
      listening.onSocketConnection = async (socket) => {
        onceAsked(socket, () => void handOn(socket).catch(() => socket.destroy()));
      };
      // What names WebSockets and asks for something else.
      listening.httpRequestHandler = ({ socket }) => socket.destroy();
      server.maxConnections = maxConnections;
      const becameOne = new WeakSet<object>();
      server.on("connection", (socket) => {
        const timer = setTimeout(() => becameOne.has(socket) || socket.destroy(), untilOpened);
        socket.once("close", () => clearTimeout(timer.unref()));
      });
      Object.assign(wsServer.options, { ...most, maxPayload: mostMessageBytes });
      const upgrade = wsServer.handleUpgrade.bind(wsServer);
      wsServer.handleUpgrade = (request, socket, head, accept) =>
        upgrade(request, socket, head, (opened, from) => {
          becameOne.add(socket);
          opened.on("error", () => undefined);
          const close = opened.close.bind(opened);
          opened.close = (code, reason) => (code === abnormal ? opened.terminate() : close(code, reason));
          accept(opened, from);
        });
      return listener;
    };
    return transport;
  };
}

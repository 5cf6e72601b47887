import type { Socket } from "node:net";
import type { MultiaddrConnection, Transport, Upgrader } from "@libp2p/interface";
import { webSockets } from "@libp2p/websockets";
import type { Multiaddr } from "@multiformats/multiaddr";
import { Allowance } from "./allowance.ts";
import { netOfIp } from "./gater.ts";
import { onceAsked } from "./opening-socket.ts";
import { Pending } from "./pending.ts";
import { dialWebSocket, type Socket as Opened, type SocketClass } from "./web-socket-client.ts";

/** More than any message of a peer that speaks the protocol: what Noise seals at a time has at most 65,535 bytes. */
const mostMessageBytes = 1 << 17;
/** Pieces that the library keeps of a message until it is whole, and takes apart in quadratic time; each may hold on to 64 KiB. */
const most = { maxBufferedChunks: 1024, maxFragments: 64 } as const;
/** Milliseconds until a socket that has not become a WebSocket is closed. */
const untilOpened = 10_000;
/** Sockets that have not become WebSockets yet, of one address, or one /64 of IPv6, and of all. */
const opening = { ofNet: 16, inAll: 256 } as const;
/** Pings and messages without bytes: browsers send none, and proxies one in some seconds. */
const empty = { burst: 100, perSecond: 1 } as const;
/** The code of RFC 6455 for a connection that ended without being closed, which is never sent. */
const abnormal = 1006;

/** What of the library's server is set here: it is that of `ws`. */
type Server = {
  options: {
    WebSocket: SocketClass;
    maxPayload: number;
    maxBufferedChunks?: number;
    maxFragments?: number;
  };
  handleUpgrade(request: unknown, socket: object, head: unknown, accept: Accept): void;
};
type Accept = (opened: Opened, request: unknown) => void;
type Listening = {
  readonly wsServer: Server;
  onSocketConnection(socket: Socket): Promise<void>;
  httpRequestHandler(request: { readonly socket: Socket }): void;
  close(): Promise<void>;
  readonly server: { maxConnections: number };
};
type Connect = (address: Multiaddr, options: { readonly signal?: AbortSignal }) => Promise<Opened>;

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
 * sockets that say nothing, gives a connection up by a code that may not be sent, which leaves it open, and answers whatever else
 * is asked over HTTP; here such sockets are closed.
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
      bound(listener as unknown as Listening, maxConnections);
      return listener;
    };
    // The library brings the client along with a server.
    const { wsServer } = createListener({ upgrader: {} as Upgrader }) as unknown as Listening;
    const { WebSocket: Client } = wsServer.options;
    const _connect: Connect = async (address, { signal }) =>
      terminable(await dialWebSocket(Client, address, { ...most, maxPayload: mostMessageBytes }, signal));
    return Object.assign(transport, { _connect });
  };
}

/**
 * Lets a WebSocket be given up by the code that may not be sent, and ends one that brings nothing again and again: pings, which are
 * answered, and messages without bytes, which nothing else counts.
 */
function terminable(socket: Opened): Opened {
  const close = socket.close.bind(socket);
  socket.close = (code, reason) => (code === abnormal ? socket.terminate() : close(code, reason));
  const left = new Allowance(empty);
  const count = (): void => {
    if (left.take() > 0) socket.terminate();
  };
  socket.on("ping", count);
  socket.on("pong", count);
  socket.on("message", (message) => {
    if (message.byteLength === 0) count();
  });
  return socket;
}

function bound(listening: Listening, maxConnections: number): void {
  const { wsServer, server } = listening;
  const pending = new Pending<Socket>({ ...opening, end: (socket) => socket.destroy() });
  const handOn = listening.onSocketConnection.bind(listening);
  listening.onSocketConnection = async (socket) => {
    pending.enter(socket, netOfIp(socket.remoteAddress ?? ""));
    const timer = setTimeout(() => pending.has(socket) && socket.destroy(), untilOpened);
    socket.once("close", () => {
      clearTimeout(timer);
      pending.leave(socket);
    });
    onceAsked(socket, () => void handOn(socket).catch(() => socket.destroy()));
  };
  // What names WebSockets and asks for something else.
  listening.httpRequestHandler = ({ socket }) => socket.destroy();
  const close = listening.close.bind(listening);
  listening.close = async () => {
    const closed = close();
    // The library waits for those that it has not seen.
    pending.endAll();
    await closed;
  };
  server.maxConnections = maxConnections + opening.inAll;
  Object.assign(wsServer.options, { ...most, maxPayload: mostMessageBytes });
  const upgrade = wsServer.handleUpgrade.bind(wsServer);
  wsServer.handleUpgrade = (request, socket, head, accept) =>
    upgrade(request, socket, head, (opened, from) => {
      pending.leave(socket as Socket);
      opened.on("error", () => undefined);
      accept(terminable(opened), from);
    });
}

/** Lets a WebSocket not be read for a while. The library leaves that out, since those of browsers cannot. */
export function letPause(connection: MultiaddrConnection): void {
  const { websocket } = connection as { websocket?: { pause?(): void; resume?(): void } };
  if (websocket?.pause === undefined) return;
  Object.assign(connection, {
    sendPause: () => websocket.pause?.(),
    sendResume: () => websocket.resume?.(),
  });
}

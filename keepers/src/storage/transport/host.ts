import { type Identify, identify } from "@libp2p/identify";
import type { Libp2p, PrivateKey } from "@libp2p/interface";
import { noise } from "@libp2p/noise";
import { type Ping, ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { yamux } from "@libp2p/yamux";
import { createLibp2p } from "libp2p";
import { boundedWebSockets } from "./web-sockets.ts";

export type Host = Libp2p<{ identify: Identify; ping: Ping }>;

export type HostParameters = {
  privateKey?: PrivateKey;
  /**
   * Multiaddrs to listen on, `/ip4/0.0.0.0/tcp/4701` say, or `/ip4/0.0.0.0/tcp/4703/ws` for pages; none for a client that only
   * dials.
   */
  listen?: string[];
  /** Multiaddrs to tell others, when they differ from those listened on. */
  announce?: string[];
  maxConnections?: number;
};

/** The window a peer may fill while nobody reads; also how much one stream may buffer. */
export const maxStreamWindow = 1 << 20;

/**
 * Starts a libp2p node: TCP and WebSockets, Noise, Yamux, identify and ping. It serves the shard protocol and bitswap alike.
 */
export async function createHost({
  privateKey,
  listen,
  announce,
  maxConnections = 500,
}: HostParameters): Promise<Host> {
  return createLibp2p({
    ...(privateKey === undefined ? {} : { privateKey }),
    addresses: { listen: listen ?? [], announce: announce ?? [] },
    transports: [tcp(), boundedWebSockets()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ streamOptions: { maxStreamWindowSize: maxStreamWindow } })],
    services: { identify: identify(), ping: ping() },
    connectionManager: {
      maxConnections,
      // The default of 5 new connections a second from one address would turn away keepers behind one gateway.
      inboundConnectionThreshold: 100,
      maxIncomingPendingConnections: 100,
    },
  });
}

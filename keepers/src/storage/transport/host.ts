import { type Identify, identify } from "@libp2p/identify";
import type { Libp2p, PrivateKey } from "@libp2p/interface";
import { type Ping, ping } from "@libp2p/ping";
import { tcp } from "@libp2p/tcp";
import { createLibp2p } from "libp2p";
import { type ByteBudgetParameters, setBudget } from "./byte-budget.ts";
import { BoundedNoise } from "./encryption.ts";
import { ConnectionRates } from "./frame-rate.ts";
import { createGater, type GaterParameters } from "./gater.ts";
import { onGone } from "./gone.ts";
import { boundedYamux } from "./muxer.ts";
import { publicLookup } from "./public-addresses.ts";
import { boundedResponders } from "./responders.ts";
import { Upgrades } from "./upgrades.ts";
import { boundedWebSockets, withUpgrader } from "./web-sockets.ts";

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
  /**
   * Whether addresses of this machine and of private networks are dialled. Addresses come from the chain, where anybody writes
   * what it likes, so on public networks they must not lead to what stands beside the keeper.
   */
  localNetwork?: boolean;
  /** What peers may make this node keep in memory. */
  memory?: ByteBudgetParameters;
  /**
   * Who comes before strangers: of connections, streams and memory these have half, and frames they share. By default nobody is a
   * stranger, but for the frames of a node that listens.
   */
  isRegistered?: (peer: string) => boolean;
  onDenied?: GaterParameters["onDenied"];
};

/** Options of `net.connect`, to which the transport hands all of them on; its types name only some. */
const heedful: object = { lookup: publicLookup };

/** Streams of all protocols on one connection. */
const streamsPerConnection = 256;

/** Milliseconds in which a connection that somebody opened has to be set up. */
const upgradeTime = 5000;
/** Bytes of a stream that nobody listens to yet: a first window of the muxer, and what is sent before it is full again. */
const unreadBytes = 1 << 19;

/**
 * Bytes of each of the up to ten messages in which a peer says who it is, where it is asked: other implementations cut what is
 * longer than 4 KiB into several.
 */
const identifyBytes = 4096;

/** The window a peer may fill while nobody reads; also how much one stream may buffer. */
export const maxStreamWindow = 1 << 20;

/**
 * Starts a libp2p node: TCP and WebSockets, Noise, Yamux, identify and ping. It serves the shard protocol and bitswap alike.
 *
 * What peers say of themselves is not kept: addresses come from the chain, and the library looks through all of a peer's with each
 * of its streams. It says who it is to whoever asks, and asks nobody by itself.
 */
export async function createHost({
  privateKey,
  listen,
  announce,
  maxConnections = 500,
  localNetwork = false,
  memory = {},
  isRegistered,
  onDenied,
}: HostParameters): Promise<Host> {
  let host: Host | undefined;
  // Whoever reaches a node that knows no peers is a stranger to it.
  const isKnown = isRegistered ?? ((listen?.length ?? 0) > 0 ? () => false : undefined);
  const noise = new BoundedNoise(new ConnectionRates(isKnown));
  const upgrades = new Upgrades();
  const guard = upgrades.guard.bind(upgrades);
  host = await createLibp2p({
    ...(privateKey === undefined ? {} : { privateKey }),
    addresses: { listen: listen ?? [], announce: announce ?? [] },
    transports: [
      withUpgrader(tcp({ dialOpts: localNetwork ? {} : heedful }), guard),
      withUpgrader(boundedWebSockets(maxConnections), guard),
    ],
    connectionGater: createGater({
      ...{ host: () => host, maxConnections, localNetwork, onDenied },
      ...(isRegistered && { isRegistered }),
    }),
    connectionEncrypters: [noise.factory()],
    streamMuxers: [
      boundedYamux(
        {
          maxInboundStreams: streamsPerConnection,
          streamOptions: { maxStreamWindowSize: maxStreamWindow, maxReadBufferLength: unreadBytes },
        },
        (connection) => noise.boundsOf(connection),
      ),
    ],
    peerStore: { addressFilter: async (peer) => host === undefined || host.peerId.equals(peer) },
    services: {
      identify: identify({ runOnConnectionOpen: false, maxMessageSize: identifyBytes }),
      ping: ping(),
    },
    connectionManager: {
      maxConnections,
      // The default of 5 new connections a second from one address would turn away keepers behind one gateway.
      inboundConnectionThreshold: localNetwork ? 100 : 20,
      maxIncomingPendingConnections: 1000,
      inboundUpgradeTimeout: upgradeTime,
    },
  });
  await boundedResponders(host, isRegistered);
  const { peerStore } = host;
  // The library keeps a record of everybody it has met.
  onGone(host, (peer) => peerStore.delete(peer));
  setBudget(host, { ...memory, ...(isRegistered && { isRegistered }) });
  return host;
}

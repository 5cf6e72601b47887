import { noise } from "@libp2p/noise";
import { webSockets } from "@libp2p/websockets";
import { yamux } from "@libp2p/yamux";
import { createLibp2p, type Libp2p } from "libp2p";

/** The window that a storage node has for a stream (keepers/src/storage/transport/host.ts). */
const maxStreamWindow = 1 << 20;

/**
 * A libp2p node that only dials, over WebSockets: what a browser can. Its identity lives as long as it does; who a storage
 * node is, its handshake proves.
 */
export function openBrowserHost(): Promise<Libp2p> {
  return createLibp2p({
    transports: [webSockets()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux({ streamOptions: { maxStreamWindowSize: maxStreamWindow } })],
    // A page may talk to nodes of the same machine or house, and what it may not call the browser itself refuses.
    connectionGater: { denyDialMultiaddr: () => false },
  });
}

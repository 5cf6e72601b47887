import { setTimeout as delay } from "node:timers/promises";
import type { Libp2p, PeerId } from "@libp2p/interface";

/** Milliseconds after the last connection of a peer in which what was still under way with it comes to its end. */
const settling = 1000;

/**
 * Tells of each peer that has gone: its last connection closed a while ago, and it has not come back. The library itself tells only
 * who asked for protocols that the peer has named, and tells it before the peer's last messages are read.
 */
export function onGone(host: Libp2p, forget: (peer: PeerId) => Promise<unknown> | unknown): void {
  host.addEventListener("peer:disconnect", ({ detail: peer }) => {
    void (async () => {
      await delay(settling, undefined, { ref: false });
      // Otherwise its next connection will be its last.
      if (host.getConnections(peer).length === 0) await forget(peer);
    })().catch(() => undefined);
  });
}

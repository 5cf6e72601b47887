import type { Stream, StreamHandler } from "@libp2p/interface";
import { TransportError } from "./errors.ts";
import type { Host } from "./host.ts";
import { PeerLimits } from "./peer-limits.ts";

const [identifyProtocol, pingProtocol] = ["/ipfs/id/1.0.0", "/ipfs/ping/1.0.0"] as const;
/** Bytes that a peer sends at a time to have them sent back: a ping has 32 (libp2p, ping). */
const mostPinged = 1024;
/** Milliseconds in which an answer is read. */
const reading = 1000;
/** What an answer takes of the thread, in tenths of a millisecond; the seal of who this node is takes the most. */
const price = 15;
/** A connection asks once who a node is, and every ten seconds whether it is there. */
const share = { burst: 300, perSecond: 50, inAll: { burst: 3000, perSecond: 500 } } as const;

/**
 * Answers who this node is, and that it is there, in the place of the library, which reads whatever comes meanwhile into memory
 * and has no price for either.
 */
export async function boundedResponders(host: Host): Promise<void> {
  const limits = new PeerLimits(share);
  const priced =
    (handler: StreamHandler): StreamHandler =>
    async (stream, connection) => {
      const peer = connection.remotePeer.toString();
      if (limits.begin(peer, price) !== "ok") {
        stream.abort(new TransportError("this peer asks for too much"));
        return;
      }
      limits.end(peer);
      await handler(stream, connection);
    };
  const { identify } = host.services as unknown as { identify: { handleProtocol: StreamHandler } };
  const answer: StreamHandler = async (stream, connection) => {
    await identify.handleProtocol(stream, connection);
    // A peer has nothing to send on it, and may have read the answer by then.
    setTimeout(
      () => isOpen(stream) && stream.abort(new TransportError("nobody reads this")),
      reading,
    ).unref();
  };
  await host.unhandle([identifyProtocol, pingProtocol]);
  const options = { maxInboundStreams: 2, maxOutboundStreams: 2, runOnLimitedConnection: true };
  await host.handle(identifyProtocol, priced(answer), options);
  await host.handle(pingProtocol, priced(echo), options);
}

function isOpen({ status }: Stream): boolean {
  return status === "open" || status === "closing";
}

/** Sends back what comes. Whoever sends more than fits into a ping, or sends on without reading, is given up. */
const echo: StreamHandler = (stream) => {
  let isWaiting = false;
  stream.addEventListener("drain", () => {
    isWaiting = false;
  });
  stream.addEventListener("message", ({ data }) => {
    if (!isOpen(stream)) return;
    if (isWaiting || data.byteLength > mostPinged) {
      stream.abort(new TransportError("what is sent back is not read"));
      return;
    }
    isWaiting = !stream.send(data);
  });
  stream.addEventListener("remoteCloseWrite", () => void stream.close().catch(() => undefined));
};

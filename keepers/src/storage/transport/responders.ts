import type { Stream, StreamHandler } from "@libp2p/interface";
import { TransportError } from "./errors.ts";
import type { Host } from "./host.ts";
import { listenTo } from "./listen.ts";
import { PeerLimits } from "./peer-limits.ts";

const [identifyProtocol, pingProtocol] = ["/ipfs/id/1.0.0", "/ipfs/ping/1.0.0"] as const;
/** Bytes that a peer sends at a time to have them sent back: a ping has 32 (libp2p, ping). */
const mostPinged = 1024;
/** Milliseconds in which an answer is read. */
const reading = 1000;
/** Bytes that may come while it is read. */
const unreadBytes = 1 << 16;
/** What it takes of the thread to say who this node is, in tenths of a millisecond: it is sealed each time. */
const price = 15;
/** A connection asks once. */
const share = { burst: 300, perSecond: 50, inAll: { burst: 6000, perSecond: 1500 } } as const;

/**
 * Answers who this node is, and that it is there, in the place of the library, which reads whatever comes meanwhile into memory.
 * Pings have no price besides that of their streams: a library whose ping is refused gives the connection up.
 */
export async function boundedResponders(host: Host, isRegistered?: (peer: string) => boolean): Promise<void> {
  const limits = new PeerLimits({ ...share, ...(isRegistered && { isRegistered }) });
  const { identify } = host.services as unknown as { identify: { handleProtocol: StreamHandler } };
  const answer: StreamHandler = async (stream, connection) => {
    const peer = connection.remotePeer.toString();
    if (limits.begin(peer, price) !== "ok") {
      stream.abort(new TransportError("this peer asks for too much"));
      return;
    }
    limits.end(peer);
    stream.maxReadBufferLength = unreadBytes;
    await identify.handleProtocol(stream, connection);
    // A peer has nothing to send on it, and may have read the answer by then.
    setTimeout(
      () => isOpen(stream) && stream.abort(new TransportError("nobody reads this")),
      reading,
    ).unref();
  };
  await host.unhandle([identifyProtocol, pingProtocol]);
  const options = { maxInboundStreams: 2, maxOutboundStreams: 2, runOnLimitedConnection: true };
  await host.handle(identifyProtocol, answer, options);
  await host.handle(pingProtocol, echo, options);
}

function isOpen({ status }: Stream): boolean {
  return status === "open" || status === "closing";
}

/** Sends back what comes. Whoever sends more than fits into a ping, or sends on without reading, is given up. */
const echo: StreamHandler = (stream) => {
  let isWaiting = false;
  listenTo(stream, "drain", () => {
    isWaiting = false;
  });
  listenTo(stream, "message", ({ data }) => {
    // What comes with the end of a stream is told after that end, by which the stream is being closed.
    if (stream.writeStatus !== "writable") return;
    if (isWaiting || data.byteLength > mostPinged) {
      stream.abort(new TransportError("what is sent back is not read"));
      return;
    }
    isWaiting = !stream.send(data);
  });
  const end = () => void stream.close().catch(() => undefined);
  listenTo(stream, "remoteCloseWrite", end);
  // It may have been said before anybody listened.
  if (stream.remoteWriteStatus === "closed") end();
};

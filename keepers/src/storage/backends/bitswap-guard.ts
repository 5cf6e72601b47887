import type { Libp2p, Stream, StreamHandler, StreamMessageEvent } from "@libp2p/interface";
import { budgetOf } from "../transport/byte-budget.ts";
import { MalformedMessageError, TransportError } from "../transport/errors.ts";
import { withoutRest } from "../transport/gatherer.ts";
import { onGone } from "../transport/gone.ts";
import { listenTo } from "../transport/listen.ts";
import { PeerLimits, type PeerLimitsParameters } from "../transport/peer-limits.ts";
import { PieceCount } from "../transport/piece-count.ts";
import { BitswapCost, bitswapMessageBytes } from "./bitswap-cost.ts";

/** Blocks that a node asks its peers for at once, for all that is read from it. */
export const bitswapWants = 16;
/**
 * Streams of bitswap that a peer may open on one connection. Other implementations send each message on a stream of its own: for
 * each block that is wanted one that says who has it and one with the block, besides wants of the peer's own. What is refused is
 * lost, because nobody sends a message again: that leaves room for all of them twice. Memory is bounded by the budget of bytes.
 */
export const bitswapStreams = 4 * bitswapWants;
/**
 * Blocks of a peer's wants that are kept until they can be sent. With each message of its the library looks for all of them, and it
 * reads all that are here into memory before it sends the first.
 */
export const bitswapWantsKept = 2 * bitswapStreams;
/**
 * What peers may make bitswap take of the thread, in tenths of a millisecond: all of them 0.4 s at once and a fifth of the thread from
 * then on, of which strangers have half, and each a quarter, so that one stranger alone does not take all that strangers have.
 */
export const bitswapShare = {
  burst: 1000,
  perSecond: 500,
  inAll: { burst: 4000, perSecond: 2000 },
} as const satisfies PeerLimitsParameters;

/** What the muxer's streams have beside what is promised of them. */
type CountedStream = Stream & {
  onData?(data: StreamMessageEvent["data"]): void;
  /** What came before anybody listened. */
  readonly readBuffer?: Iterable<Uint8Array> & { readonly byteLength: number; consume(bytes: number): void };
};

/** Takes the price of some bytes from a peer. @throws TransportError where it asks for too much */
type Charge = (cost: number) => void;

/**
 * Gives a stream up whose bytes come in too short pieces, are no messages or cost more than the peer may ask for, and hands on
 * copies of short pieces: the library keeps each as an array of its own, which may be a view on a buffer of 64 KiB. A listener
 * would not do: the stream keeps what comes before the library listens, until anybody does.
 */
function guardPieces(stream: CountedStream, charge: Charge, giveUp: (reason: Error) => void): void {
  const { readBuffer } = stream;
  const onData = stream.onData?.bind(stream);
  if (onData === undefined || readBuffer === undefined) {
    throw new TransportError("the muxer's streams cannot be counted");
  }
  const pieces = new PieceCount();
  const costs = new BitswapCost();
  const receive = (piece: Uint8Array): void => {
    if (piece.length > 0 && pieces.add(piece.length) === "tiny") {
      throw new TransportError("its bytes come in too short pieces");
    }
    const before = costs.messages;
    // Before the library sees it: what it does with a piece it does in one turn of the event loop.
    charge(costs.add(piece));
    // Other implementations send many short messages on one stream.
    if (costs.messages > before) pieces.reset();
    onData(withoutRest(piece));
  };
  let isOver = false;
  stream.onData = (data) => {
    if (isOver) return;
    try {
      receive(data instanceof Uint8Array ? data : data.subarray());
    } catch (error) {
      isOver = true;
      giveUp(error as Error);
    }
  };
  const early = [...readBuffer];
  readBuffer.consume(readBuffer.byteLength);
  for (const piece of early) stream.onData(piece);
}

/**
 * A node whose streams of bitswap count in the budget of what peers may fill, and their messages in what peers may take of the
 * thread: the library gathers a message of each until it is whole, and bounds neither their number by peer nor their sum.
 */
export function guardBitswap<H extends Libp2p>(host: H): H {
  const budget = budgetOf(host);
  const limits = new PeerLimits({ ...bitswapShare, isRegistered: (peer) => budget.isRegistered(peer) });
  const guarded =
    (handler: StreamHandler): StreamHandler =>
    (stream, connection) => {
      const peer = connection.remotePeer.toString();
      if (limits.isShutOut(peer)) {
        connection.abort(new TransportError("this peer is shut out"));
        return;
      }
      if (!budget.take(peer, bitswapMessageBytes)) {
        stream.abort(new TransportError("too many bytes of peers are in memory"));
        return;
      }
      // The library listens only once what it sends has drained; what comes meanwhile is in the budget.
      stream.maxReadBufferLength = bitswapMessageBytes;
      listenTo(stream, "close", () => budget.give(peer, bitswapMessageBytes), { once: true });
      const charge: Charge = (cost) => {
        if (limits.begin(peer, cost) !== "ok") {
          throw new TransportError("this peer takes too much of the thread");
        }
        limits.end(peer);
      };
      guardPieces(stream, charge, (reason) => {
        stream.abort(reason);
        if (!(reason instanceof MalformedMessageError) || !limits.fault(peer)) return;
        for (const open of host.getConnections(connection.remotePeer)) open.abort(reason);
      });
      return handler(stream, connection);
    };
  const handle: Libp2p["handle"] = (protocols, handler, options) =>
    host.handle(protocols, guarded(handler), options);
  const register: Libp2p["register"] = (protocol, topology, options) => {
    // It keeps what a peer wants until it is told that the peer has gone, and the peer chooses whether the library tells it.
    onGone(host, (peer) => topology.onDisconnect?.(peer));
    return host.register(protocol, topology, options);
  };
  const own: Partial<Libp2p> = { handle, register };
  return new Proxy(host, {
    get(target, name) {
      if (Object.hasOwn(own, name)) return Reflect.get(own, name);
      const value: unknown = Reflect.get(target, name, target);
      // Methods use private fields, which the proxy does not have.
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

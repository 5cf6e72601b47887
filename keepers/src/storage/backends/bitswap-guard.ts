import type { Libp2p, Stream, StreamHandler, StreamMessageEvent } from "@libp2p/interface";
import { budgetOf } from "../transport/byte-budget.ts";
import { TransportError } from "../transport/errors.ts";
import { PieceCount } from "../transport/piece-count.ts";

/** Longest message of bitswap that is read or sent, in bytes: four blocks. */
export const bitswapMessageBytes = 2 ** 20;
/** Blocks that a node asks its peers for at once, for all that is read from it. */
export const bitswapWants = 16;
/**
 * Streams of bitswap that a peer may open on one connection. Other implementations send each message on a stream of its own: for
 * each block that is wanted one that says who has it and one with the block, besides wants of the peer's own. What is refused is
 * lost, because nobody sends a message again: that leaves room for all of them twice. Memory is bounded by the budget of bytes.
 */
export const bitswapStreams = 4 * bitswapWants;

/** Finds where messages end that come with their length as a varint before them. */
class MessageEnds {
  /** Bytes of the message that are still to come, and what was read of the next one's length. */
  #left = 0;
  #length = 0;
  #shift = 0;

  /** @returns whether a message ends in these bytes, which follow those of the last call */
  pass(bytes: Uint8Array): boolean {
    let isEnd = false;
    for (let at = 0; at < bytes.length; ) {
      if (this.#left === 0) {
        const byte = bytes[at++]!;
        this.#length += (byte & 0x7f) * 2 ** this.#shift;
        this.#shift += 7;
        if (byte >= 0x80) continue;
        [this.#left, this.#length, this.#shift] = [this.#length, 0, 0];
      } else {
        const passed = Math.min(this.#left, bytes.length - at);
        this.#left -= passed;
        at += passed;
      }
      if (this.#left === 0) isEnd = true;
    }
    return isEnd;
  }
}

/** A piece, or a copy of it where it is a view that holds on to a much larger buffer. `slice` of Node's buffers copies nothing. */
export function withoutRest(piece: Uint8Array): Uint8Array {
  return piece.length < piece.buffer.byteLength / 2 ? new Uint8Array(piece) : piece;
}

/**
 * Gives a stream up whose bytes come in too short pieces, and hands on copies of short ones: the library keeps each as an array of
 * its own, which may be a view on a buffer of 64 KiB. A listener would not do: the stream keeps what comes before the library
 * listens, until anybody does.
 */
function guardPieces(stream: Stream): void {
  const received = stream as Stream & { onData?(data: StreamMessageEvent["data"]): void };
  const onData = received.onData?.bind(stream);
  if (onData === undefined) throw new TransportError("the muxer's streams cannot be counted");
  const pieces = new PieceCount();
  const messages = new MessageEnds();
  received.onData = (data) => {
    const piece = data instanceof Uint8Array ? data : data.subarray();
    if (piece.length > 0 && pieces.add(piece.length) === "tiny") {
      stream.abort(new TransportError("its bytes come in too short pieces"));
      return;
    }
    // Other implementations send many short messages on one stream.
    if (messages.pass(piece)) pieces.reset();
    onData(withoutRest(piece));
  };
}

/**
 * A node whose streams of bitswap count in the budget of what peers may fill: the library gathers a message of each until it is
 * whole, and bounds neither their number by peer nor their sum.
 */
export function guardBitswap<H extends Libp2p>(host: H): H {
  const budget = budgetOf(host);
  const guarded =
    (handler: StreamHandler): StreamHandler =>
    (stream, connection) => {
      const peer = connection.remotePeer.toString();
      if (!budget.take(peer, bitswapMessageBytes)) {
        stream.abort(new TransportError("too many bytes of peers are in memory"));
        return;
      }
      stream.addEventListener("close", () => budget.give(peer, bitswapMessageBytes), { once: true });
      guardPieces(stream);
      return handler(stream, connection);
    };
  const handle: Libp2p["handle"] = (protocols, handler, options) =>
    host.handle(protocols, guarded(handler), options);
  return new Proxy(host, {
    get(target, name) {
      if (name === "handle") return handle;
      const value: unknown = Reflect.get(target, name, target);
      // Methods use private fields, which the proxy does not have.
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

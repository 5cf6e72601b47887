import type { Libp2p, StreamHandler } from "@libp2p/interface";
import { budgetOf } from "../transport/byte-budget.ts";
import { TransportError } from "../transport/errors.ts";

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

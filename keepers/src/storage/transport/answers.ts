import type { MessageStream } from "@libp2p/interface";
import { TransportError } from "./errors.ts";

/**
 * Answers that are given before both sides have agreed on a protocol. A peer that means to agree gets three or four: that the
 * negotiation itself is known, and to each protocol that it names.
 */
const mostAnswers = 16;

const bounded = new WeakMap<MessageStream, () => void>();

/**
 * Ends a stream or connection on which too much is answered until a protocol is agreed on. A question of two bytes takes some 20 µs,
 * and all that have come are answered in one turn of the event loop. Bytes are no measure: a peer may send what it has to say along
 * with its proposal.
 */
export function boundAnswers(stream: MessageStream, hasAgreed: () => boolean = () => false): void {
  const send = stream.send.bind(stream);
  let answers = 0;
  stream.send = (bytes) => {
    if (hasAgreed()) boundNoMore(stream);
    else if (++answers > mostAnswers) {
      const error = new TransportError("no protocol is agreed on after many answers");
      stream.abort(error);
      throw error;
    }
    return send(bytes);
  };
  bounded.set(stream, () => {
    stream.send = send;
  });
}

/** A protocol is agreed on: from now on that one has its own bounds. */
export function boundNoMore(stream: MessageStream): void {
  bounded.get(stream)?.();
  bounded.delete(stream);
}

import type { MessageStream, MessageStreamEvents } from "@libp2p/interface";
import { TransportError } from "./errors.ts";

/**
 * Listens to a stream or a connection. What a listener throws otherwise ends the whole process, and whoever is at the other end
 * chooses what it is told; here it ends that stream or connection.
 */
export function listenTo<K extends keyof MessageStreamEvents>(
  target: Pick<MessageStream, "addEventListener" | "abort">,
  type: K,
  listener: (event: MessageStreamEvents[K]) => void,
  options?: AddEventListenerOptions,
): void {
  target.addEventListener(
    type,
    (event) => {
      try {
        listener(event);
      } catch (cause) {
        target.abort(cause instanceof Error ? cause : new TransportError("a listener failed", { cause }));
      }
    },
    options,
  );
}

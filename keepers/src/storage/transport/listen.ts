import type { MessageStream, MessageStreamEvents } from "@libp2p/interface";
import { TransportError } from "./errors.ts";

/**
 * Listens to a stream or a connection. What a listener throws otherwise ends the whole process, and whoever is at the other end
 * chooses what it is told; here it ends that stream or connection.
 *
 * @returns what ends the listening
 */
export function listenTo<K extends keyof MessageStreamEvents>(
  target: Pick<MessageStream, "addEventListener" | "removeEventListener" | "abort">,
  type: K,
  listener: (event: MessageStreamEvents[K]) => void,
  options?: AddEventListenerOptions,
): () => void {
  const guarded = (event: MessageStreamEvents[K]): void => {
    try {
      listener(event);
    } catch (cause) {
      target.abort(cause instanceof Error ? cause : new TransportError("a listener failed", { cause }));
    }
  };
  target.addEventListener(type, guarded, options);
  return () => target.removeEventListener(type, guarded);
}

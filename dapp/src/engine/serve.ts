import { failureOf } from "./errors.ts";
import type { Handlers, Request, Response } from "./protocol.ts";

/** What `serve` needs of a worker's global scope. */
export type Port = {
  postMessage(message: Response): void;
  addEventListener(type: "message", listener: (event: MessageEvent<Request>) => void): void;
};

/** The worker's side: runs the methods that are asked for, tells how far they are, and stops those that are cancelled. */
export function serve(port: Port, handlers: Handlers): void {
  const running = new Map<number, AbortController>();

  async function run({ id, method, input }: Extract<Request, { kind: "call" }>): Promise<void> {
    const controller = new AbortController();
    running.set(id, controller);
    const { signal } = controller;
    try {
      const handler = handlers[method] as (input: unknown, context: object) => Promise<unknown>;
      const output = await handler(input, {
        signal,
        progress: (progress: Extract<Response, { kind: "progress" }>["progress"]) =>
          port.postMessage({ kind: "progress", id, progress }),
      });
      if (!signal.aborted) port.postMessage({ kind: "done", id, output });
    } catch (error) {
      if (!signal.aborted) port.postMessage({ kind: "failed", id, failure: failureOf(error) });
    } finally {
      running.delete(id);
    }
  }

  port.addEventListener("message", ({ data }) => {
    if (data.kind === "call") void run(data);
    else running.get(data.id)?.abort();
  });
}

/** Lets what was posted to this thread come in, a cancellation for one. @throws the signal's reason */
export async function breathe(signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
  signal.throwIfAborted();
}

import { Worker } from "node:worker_threads";
import { defaultLimits } from "./limits.ts";
import type { GraphqlServer, GraphqlServerOptions } from "./listener.ts";
import type { ListenerReport } from "./listener-thread.ts";

export type { GraphqlServer, GraphqlServerOptions } from "./listener.ts";

/** A thread that listens, until `ended`. */
type Thread = { readonly worker: Worker; readonly url: string; readonly ended: Promise<void> };

async function startThread(options: GraphqlServerOptions): Promise<Thread> {
  const worker = new Worker(new URL("./listener-thread.ts", import.meta.url), {
    workerData: options,
    resourceLimits: { maxOldGenerationSizeMb: (options.limits ?? defaultLimits).listening },
  });
  let failure: NodeJS.ErrnoException | undefined;
  // Without a listener an error of the thread would end the process.
  worker.on("error", (error: Error) => {
    failure ??= error;
  });
  const ended = new Promise<void>((exited) => worker.once("exit", () => exited()));
  const report = await Promise.race([
    new Promise<ListenerReport>((said) => worker.once("message", said)),
    ended.then(
      (): ListenerReport => ({ message: failure?.message ?? "the thread has ended", code: failure?.code }),
    ),
  ]);
  if ("url" in report) return { worker, url: report.url, ended };
  await worker.terminate();
  throw Object.assign(new Error(report.message), { code: report.code });
}

/**
 * Serves queries over HTTP, and GraphiQL to browsers, from a thread of its own: what strangers send is parsed, measured and
 * validated there, so that no query holds up the thread that indexes. A thread that ends is started again at the same port.
 *
 * @throws what listening fails with, by its `code`: EADDRINUSE for a port that is taken
 */
export async function serveGraphql(options: GraphqlServerOptions): Promise<GraphqlServer> {
  const closing = Promise.withResolvers<void>();
  let isClosed = false;
  let thread = await startThread(options);
  const { url } = thread;
  const port = Number(new URL(url).port);
  /** Settles when a thread runs in the place of one that ended, or none is to run any more. */
  let restarted = Promise.resolve();
  const watch = (): void => {
    void thread.ended.then(() => {
      restarted = restart();
    });
  };
  const restart = async (): Promise<void> => {
    while (!isClosed) {
      try {
        thread = await startThread({ ...options, port });
        watch();
        return;
      } catch {
        // The port may be taken for a moment; the pause also keeps a thread that ends at once from spinning.
        const pause = new Promise<void>((wake) => setTimeout(wake, 1_000).unref());
        await Promise.race([pause, closing.promise]);
      }
    }
  };
  watch();
  return {
    url,
    close: async () => {
      isClosed = true;
      closing.resolve();
      // The thread may have ended just now, and another one may be about to start.
      await restarted;
      thread.worker.postMessage("close");
      await thread.ended;
    },
  };
}

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { defaultLimits } from "./limits.ts";
import type { GraphqlServer, GraphqlServerOptions } from "./listener.ts";
import type { ListenerReport } from "./listener-thread.ts";

export type { GraphqlServer, GraphqlServerOptions } from "./listener.ts";

/** A thread that listens, until it ends. */
async function startThread(options: GraphqlServerOptions): Promise<{ worker: Worker; url: string }> {
  const worker = new Worker(new URL("./listener-thread.ts", import.meta.url), {
    workerData: options,
    resourceLimits: { maxOldGenerationSizeMb: (options.limits ?? defaultLimits).listening },
  });
  const ended = once(worker, "exit").then((): [ListenerReport] => [
    { message: "the thread has ended", code: undefined },
  ]);
  const [report] = await Promise.race([once(worker, "message") as Promise<[ListenerReport]>, ended]);
  if ("url" in report) return { worker, url: report.url };
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
  let isClosed = false;
  let { worker, url } = await startThread(options);
  const port = Number(new URL(url).port);
  const watch = (): void => {
    // Without a listener an error of the thread would end the process; its exit is all that counts.
    worker.on("error", () => undefined);
    worker.once("exit", () => void restart());
  };
  const restart = async (): Promise<void> => {
    while (!isClosed) {
      try {
        const next = await startThread({ ...options, port });
        worker = next.worker;
        if (isClosed) await worker.terminate();
        else watch();
        return;
      } catch {
        // The port may be taken for a moment; the pause also keeps a thread that ends at once from spinning.
        await new Promise((wake) => setTimeout(wake, 1_000).unref());
      }
    }
  };
  watch();
  return {
    url,
    close: async () => {
      isClosed = true;
      const exited = once(worker, "exit");
      worker.postMessage("close");
      await exited;
    },
  };
}

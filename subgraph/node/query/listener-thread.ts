/** The thread that `serveGraphql` starts: listens, says where, and ends when it is told to. */
import { once } from "node:events";
import { parentPort, workerData } from "node:worker_threads";
import { type GraphqlServerOptions, listen } from "./listener.ts";

/** What the thread says first. */
export type ListenerReport =
  | { readonly url: string }
  | { readonly message: string; readonly code: string | undefined };

const port = parentPort!;
try {
  const server = await listen(workerData as GraphqlServerOptions);
  port.postMessage({ url: server.url } satisfies ListenerReport);
  await once(port, "message");
  await server.close();
} catch (error) {
  const { message, code } = error as NodeJS.ErrnoException;
  port.postMessage({ message, code } satisfies ListenerReport);
}
// Readers that are slow to end do not keep it.
process.exit();

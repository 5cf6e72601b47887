import type { SliceCommitment } from "../../../keepers/src/core/merkle/slice.ts";
import { type CommitThread, SlicePool, type ThreadEvents } from "../../../keepers/src/storage/slice-pool.ts";

/** More threads would take memory and give little: a browser has other things to do. */
const mostThreads = 8;

/** Commits to bundles on workers of the page. */
export function openCommitThreads(): SlicePool {
  return new SlicePool(Math.min(mostThreads, navigator.hardwareConcurrency), startThread);
}

function startThread({ answered, ended }: ThreadEvents): CommitThread {
  const worker = new Worker(new URL("./commit-thread.ts", import.meta.url), {
    type: "module",
    name: "commit",
  });
  worker.addEventListener("message", ({ data }: MessageEvent<SliceCommitment>) => answered(data));
  worker.addEventListener("error", (event) => {
    event.preventDefault();
    worker.terminate();
    ended(new Error(event.message || "its code could not be loaded"));
  });
  return {
    ask: (request) => worker.postMessage(request, [request.bytes.buffer]),
    // A page's worker lives as long as the page.
    hold: () => undefined,
    stop: async () => worker.terminate(),
  };
}

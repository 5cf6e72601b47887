import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";

/** Does something and says how late a timer came at most meanwhile, in milliseconds. */
export async function latest(work: () => Promise<unknown>): Promise<number> {
  const delays = monitorEventLoopDelay({ resolution: 10 });
  delays.enable();
  await delay(50);
  delays.reset();
  await work();
  await delay(50);
  delays.disable();
  return delays.max / 1e6;
}

import { mostPending } from "../../../../keepers/src/training/cluster/board.ts";
import { StateForm } from "../../../../keepers/src/training/cluster/forms.ts";
import type { ClusterSession } from "../../../../keepers/src/training/cluster/session.ts";
import type { PartialSums, SumsSession } from "../../../../keepers/src/training/executors/parts.ts";

/** What a worker does with an honest result; undefined: it says nothing and goes away. */
export type Conduct = (
  part: PartialSums,
  chunk: number,
) => Promise<PartialSums | undefined> | PartialSums | undefined;

export const honest: Conduct = (part) => part;

/** The same result with one number that is off by one. */
export function bent(part: PartialSums): PartialSums {
  const sums = part.sums.map((values) => values.slice());
  sums[0]![0]! += 1;
  return { ...part, sums };
}

/** A worker in this process, without a network: takes, computes, delivers, until the signal. */
export async function work(
  session: ClusterSession,
  engine: SumsSession,
  name: string,
  signal: AbortSignal,
  conduct: Conduct = honest,
): Promise<void> {
  const form = new StateForm(session.program);
  let held: { digest: string; state: Int32Array[] } | undefined;
  try {
    for (;;) {
      const task = await session.take(name, held?.digest, signal);
      if (held?.digest !== task.state) {
        const since = task.since === undefined ? undefined : held?.state;
        held = { digest: task.state, state: form.decode(task.bytes, task.state, since) };
      }
      const part = await conduct(await engine.compute(held.state, task.objects), task.chunk);
      if (part === undefined) return session.leave(name);
      const bytes = session.sums.encode(part);
      const digest = session.sums.digest(bytes);
      session.deliver(name, task.chunk, { digest, bytes: task.isSender ? bytes : undefined });
      if (session.pending(name) > mostPending) throw new Error("too many results of it wait");
    }
  } catch (error) {
    session.leave(name);
    if (!signal.aborted && (error as Error).name !== "BarredWorkerError") throw error;
  }
}

import { encodeCall } from "../../chain/contracts.ts";
import { TransactionFailedError } from "../../chain/transactions/errors.ts";
import type { DutyContext } from "./context.ts";

/** Whether a request has waited for its seed for long enough to be bound to another one: the beacon alone knows. */
export function isRedrawDue(
  { contracts, operator }: Pick<DutyContext, "contracts" | "operator">,
  requestId: bigint,
): Promise<boolean> {
  return contracts.RandomnessBeacon.simulate
    .redraw([requestId], { account: operator })
    .then(() => true)
    .catch(() => false);
}

/** Has a request bound to another seed. Each time that it is done is another transaction. */
export async function redraw(
  { queue, deployment, client, log }: DutyContext,
  requestId: bigint,
): Promise<void> {
  const call = encodeCall(deployment, "RandomnessBeacon", "redraw", [requestId]);
  const key = `redraw:${requestId}:${await client.public.getBlockNumber()}`;
  try {
    await queue.send({ ...call, key, description: `redrawing the seed of request ${requestId}` });
    log.info({ requestId }, "had a seed redrawn that did not come");
  } catch (error) {
    if (!(error instanceof TransactionFailedError)) throw error;
    log.debug({ requestId, reason: error.message }, "left to others");
  }
}

import { agreedOrUsual } from "../storage-node/agreement.ts";
import type { DutyContext } from "../storage-node/context.ts";

/**
 * What the registry fixed for a job when it was matched, bonds among it, as the endpoints agree on it: a call with another bond
 * is refused, each time until its deadline has passed.
 */
export async function parametersOf(
  chain: Pick<DutyContext, "agreed" | "client" | "contracts" | "log">,
  jobId: bigint,
) {
  const { value } = await agreedOrUsual(chain, "the terms of a job", ({ contracts }) =>
    contracts.JobRegistry.read.parametersOf([jobId]),
  );
  return value;
}

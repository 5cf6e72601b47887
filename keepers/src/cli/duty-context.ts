import { type DutyContext, readingAgreed } from "../roles/storage-node/context.ts";
import { createTelemetry } from "../roles/telemetry.ts";
import type { StorageClient } from "../storage/client/client.ts";
import type { CommandContext } from "./context.ts";

/** What a command that does a keeper's duty once works with. */
export async function dutyContext(context: CommandContext, client: StorageClient): Promise<DutyContext> {
  const { address: operator } = await context.account();
  const { chain, deployment, contracts } = client;
  const { log } = createTelemetry({ base: { account: operator } });
  log.level = context.output.verbose ? "debug" : "silent";
  return {
    ...{ operator, client: chain, deployment, contracts, log },
    agreed: readingAgreed({ client: chain, contracts, deployment }),
    queue: await context.queue(),
  };
}

import { randomUUID } from "node:crypto";
import type { Hex } from "viem";
import type { Call } from "../chain/contracts.ts";
import type { CommandContext } from "./context.ts";

/**
 * Sends what a person asked for. When the same was asked for before and its transaction is still under way (the command
 * was interrupted, say), that one is waited for instead of sending another.
 * @param what names the request with all its arguments: "stake add 100"
 */
export async function sendOnce(
  context: CommandContext,
  what: string,
  makeCall: () => Promise<Call> | Call,
): Promise<Hex> {
  const queue = await context.queue();
  const underWay = queue.pending().find(({ key }) => key.startsWith(`${what}#`));
  if (underWay !== undefined) {
    context.output.note(
      `An earlier "${what}" is still under way; waiting for it instead of sending another.`,
    );
    return (await queue.wait(underWay.key)).transactionHash;
  }
  const receipt = await queue.send({
    ...(await makeCall()),
    key: `${what}#${randomUUID()}`,
    description: what,
  });
  return receipt.transactionHash;
}

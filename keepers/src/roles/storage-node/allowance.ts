import { randomUUID } from "node:crypto";
import { addressOf, encodeCall } from "../../chain/contracts.ts";
import type { DeployedName } from "../../chain/deployment.ts";
import type { TransactionQueue } from "../../chain/transactions/queue.ts";
import { isSurely } from "./agreement.ts";
import type { DutyContext, Reading } from "./context.ts";

/** Tokens that a contract pulls from the keeper's account. */
export type Pull = {
  /** Key of the intent in which it does. */
  readonly key: string;
  readonly spender: DeployedName;
  readonly amount: bigint;
};

type AllowanceParts = Pick<DutyContext, "queue" | "contracts" | "deployment" | "client" | "agreed" | "log">;

/** What is under way of each account: an allowance is one number, and duties run side by side. */
const pulling = new WeakMap<TransactionQueue, Promise<unknown>>();

/**
 * Sends a call that pulls tokens, once its contract may pull them. Nothing else changes the allowance in between; where
 * something did after a try that failed, it is set again.
 */
export function withAllowance<T>(parts: AllowanceParts, pull: Pull, send: () => Promise<T>): Promise<T> {
  const { queue } = parts;
  const before = pulling.get(queue) ?? Promise.resolve();
  const sent = before.then(async () => {
    // What was sent has used its allowance up, or will.
    if (!queue.isBegun(pull.key)) await allow(parts, pull);
    return await send();
  });
  pulling.set(
    queue,
    sent.catch(() => undefined),
  );
  return sent;
}

/**
 * Lets a contract pull an amount of the account's tokens, unless it may already.
 * @throws TransactionFailedError when the token refuses it
 */
export async function allow(parts: AllowanceParts, { key, spender, amount }: Pull): Promise<void> {
  const { queue, deployment } = parts;
  const name = `approve-${key}:`;
  // Of a process that was killed.
  const underWay = queue.pending().find((intent) => intent.key.startsWith(name));
  if (underWay !== undefined) await queue.wait(underWay.key);
  const address = addressOf(deployment, spender);
  // One endpoint that says it is enough would have each pull refused: what is approved once too often costs a little gas.
  const isEnough = async ({ contracts }: Reading) =>
    (await contracts.AssayToken.read.allowance([queue.address, address])) >= amount;
  if (await isSurely(parts, `what ${spender} may pull`, isEnough)) return;
  const description = `allowing ${spender} to pull ${amount} base units`;
  const call = encodeCall(deployment, "AssayToken", "approve", [address, amount]);
  // An allowance comes and goes: each time that one is needed is another.
  await queue.send({ ...call, key: name + randomUUID(), description });
}

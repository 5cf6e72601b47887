import type { ReadClient } from "../contracts.ts";

/** EIP-1559 fees in wei per gas. */
export type Fees = { maxFeePerGas: bigint; maxPriorityFeePerGas: bigint };

/** Nodes take a replacement only when both fees rise by a tenth (geth's `--txpool.pricebump`); an eighth clears it. */
const bump = (fee: bigint) => fee + fee / 8n + 1n;
const higher = (a: bigint, b: bigint) => (a > b ? a : b);
const lower = (a: bigint, b: bigint) => (a < b ? a : b);

/** Fees with which a transaction is included now and through a few full blocks, at most `cap` in all. */
export async function estimateFees(client: ReadClient, cap: bigint): Promise<Fees> {
  const [{ baseFeePerGas }, tip] = await Promise.all([
    client.getBlock({ blockTag: "latest" }),
    client.estimateMaxPriorityFeePerGas(),
  ]);
  const maxFeePerGas = lower(2n * (baseFeePerGas ?? 0n) + tip, cap);
  return { maxFeePerGas, maxPriorityFeePerGas: lower(tip, maxFeePerGas) };
}

/**
 * Fees that replace those of an earlier attempt, for current fees within `cap`; undefined when `cap` leaves no room for
 * the rise that nodes ask for.
 */
export function replacementFees(previous: Fees, current: Fees, cap: bigint): Fees | undefined {
  if (bump(previous.maxFeePerGas) > cap) return undefined;
  const maxFeePerGas = higher(bump(previous.maxFeePerGas), current.maxFeePerGas);
  const maxPriorityFeePerGas = higher(bump(previous.maxPriorityFeePerGas), current.maxPriorityFeePerGas);
  return { maxFeePerGas, maxPriorityFeePerGas: lower(maxPriorityFeePerGas, maxFeePerGas) };
}

import type { Address } from "viem";
import type { ChainClient } from "../client.ts";
import { RpcUnavailableError } from "../rpc/errors.ts";
import { quantitiesOf, type Reading } from "../rpc/gather.ts";

/** EIP-1559 fees in wei per gas. */
export type Fees = { maxFeePerGas: bigint; maxPriorityFeePerGas: bigint };

/** Gas of every transaction, by the Yellow Paper's intrinsic gas. */
const leastGas = 21_000n;

/** A replacement's tip is at least this part of its fee: what it costs is a thirtieth of a base fee. */
const leastTipShare = 64n;

/** Nodes take a replacement only when both fees rise by a tenth (geth's `--txpool.pricebump`); an eighth clears it. */
const bump = (fee: bigint) => fee + fee / 8n + 1n;
const higher = (a: bigint, b: bigint) => (a > b ? a : b);
const lower = (a: bigint, b: bigint) => (a < b ? a : b);

/** What an account can pay for a unit of gas. */
export type Affords = (maxFeePerGas: bigint) => Promise<boolean>;

const quantity = (answer: unknown) => BigInt(String(answer));
const baseFeeIn = (block: unknown) => BigInt((block as { baseFeePerGas?: string | null }).baseFeePerGas ?? 0);

/**
 * Fees with which a transaction is included now and through a few full blocks, at most `cap` in all. Of what the endpoints say the
 * middle is taken; of two base fees the higher one if the account affords it, because what the block does not ask for is not paid,
 * and of two tips the lower one: a tip is spent whole.
 *
 * @throws RpcUnavailableError when none of them says
 */
export async function estimateFees(
  client: Pick<ChainClient, "quotes">,
  cap: bigint,
  affords: Affords = async () => true,
): Promise<Fees> {
  const [bases, tip] = await Promise.all([baseFees(client), tipOf(client)]);
  const feesAt = (base: bigint) => {
    const maxFeePerGas = lower(2n * base + tip, cap);
    return { maxFeePerGas, maxPriorityFeePerGas: lower(tip, maxFeePerGas) };
  };
  const fees = feesAt(bases.high);
  return bases.high === bases.low || (await affords(fees.maxFeePerGas)) ? fees : feesAt(bases.low);
}

async function baseFees(client: Pick<ChainClient, "quotes">): Promise<Middle> {
  return middle(await client.quotes("eth_getBlockByNumber", ["latest", false], baseFeeIn), baseFeeIn);
}

/** Endpoints that have no method for tips say what they ask for a unit of gas in all. */
async function tipOf(client: Pick<ChainClient, "quotes">): Promise<bigint> {
  const named = async (method: string) => middle(await client.quotes(method, [], quantity), quantity).low;
  try {
    return await named("eth_maxPriorityFeePerGas");
  } catch (error) {
    if (!(error instanceof RpcUnavailableError)) throw error;
    const [price, base] = [await named("eth_gasPrice"), await baseFees(client)];
    return higher(price - base.low, 0n);
  }
}

/**
 * Gas for a transfer of nothing to oneself: on chains that charge more than the least of all, the middle of what endpoints say, so
 * that one that names too little keeps no nonce from being used up.
 *
 * @throws RpcUnavailableError when none of them says
 */
export async function gasOfFiller(client: Pick<ChainClient, "quotes">, address: Address): Promise<bigint> {
  const call = { from: address, to: address, value: "0x0" };
  return higher(middle(await client.quotes("eth_estimateGas", [call], quantity), quantity).low, leastGas);
}

/** What is in the middle; of two both are. */
type Middle = { low: bigint; high: bigint };

function middle(answers: readonly PromiseSettledResult<unknown>[], read: Reading): Middle {
  const values = quantitiesOf(answers, read);
  const low = values[Math.floor((values.length - 1) / 2)];
  if (low === undefined) {
    const cause = answers.flatMap((each) => (each.status === "rejected" ? [each.reason] : [])).at(-1);
    throw new RpcUnavailableError("no RPC endpoint says what gas costs", { cause });
  }
  return { low, high: values.length === 2 ? values[1]! : low };
}

/**
 * Fees that replace those of an earlier attempt, for current fees within `cap`; undefined when `cap` leaves no room for
 * the rise that nodes ask for. The tip is no less than a small part of all: from one of nothing, which one of two endpoints can have
 * named, eighths would take hours to what anybody works for.
 */
export function replacementFees(previous: Fees, current: Fees, cap: bigint): Fees | undefined {
  if (bump(previous.maxFeePerGas) > cap) return undefined;
  const maxFeePerGas = higher(bump(previous.maxFeePerGas), current.maxFeePerGas);
  const raised = higher(bump(previous.maxPriorityFeePerGas), current.maxPriorityFeePerGas);
  const maxPriorityFeePerGas = higher(raised, maxFeePerGas / leastTipShare);
  return { maxFeePerGas, maxPriorityFeePerGas: lower(maxPriorityFeePerGas, maxFeePerGas) };
}

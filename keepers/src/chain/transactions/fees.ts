import type { Address } from "viem";
import type { ChainClient } from "../client.ts";
import { RpcUnavailableError } from "../rpc/errors.ts";

/** EIP-1559 fees in wei per gas. */
export type Fees = { maxFeePerGas: bigint; maxPriorityFeePerGas: bigint };

/** Gas of every transaction, by the Yellow Paper's intrinsic gas. */
const leastGas = 21_000n;

/** Nodes take a replacement only when both fees rise by a tenth (geth's `--txpool.pricebump`); an eighth clears it. */
const bump = (fee: bigint) => fee + fee / 8n + 1n;
const higher = (a: bigint, b: bigint) => (a > b ? a : b);
const lower = (a: bigint, b: bigint) => (a < b ? a : b);

/**
 * Fees with which a transaction is included now and through a few full blocks, at most `cap` in all. Of what the endpoints say of
 * the base fee and of the tip the middle is taken, the lower of two: a tip is spent whole, and one that is too low is replaced.
 *
 * @throws RpcUnavailableError when none of them says
 */
export async function estimateFees(client: Pick<ChainClient, "poll">, cap: bigint): Promise<Fees> {
  const [base, tip] = await Promise.all([baseFee(client), tipOf(client)]);
  const maxFeePerGas = lower(2n * base + tip, cap);
  return { maxFeePerGas, maxPriorityFeePerGas: lower(tip, maxFeePerGas) };
}

async function baseFee(client: Pick<ChainClient, "poll">): Promise<bigint> {
  return middle(await client.poll("eth_getBlockByNumber", ["latest", false]), (block) => {
    const { baseFeePerGas } = block as { baseFeePerGas?: string | null };
    return BigInt(baseFeePerGas ?? 0);
  });
}

/** Endpoints that have no method for tips say what they ask for a unit of gas in all. */
async function tipOf(client: Pick<ChainClient, "poll">): Promise<bigint> {
  try {
    return middle(await client.poll("eth_maxPriorityFeePerGas"), (tip) => BigInt(String(tip)));
  } catch (error) {
    if (!(error instanceof RpcUnavailableError)) throw error;
    const [price, base] = [
      middle(await client.poll("eth_gasPrice"), (each) => BigInt(String(each))),
      await baseFee(client),
    ];
    return higher(price - base, 0n);
  }
}

/**
 * Gas for a transfer of nothing to oneself: on chains that charge more than the least of all, the middle of what endpoints say, so
 * that one that names too little keeps no nonce from being used up.
 *
 * @throws RpcUnavailableError when none of them says
 */
export async function gasOfFiller(client: Pick<ChainClient, "poll">, address: Address): Promise<bigint> {
  const answers = await client.poll("eth_estimateGas", [{ from: address, to: address, value: "0x0" }]);
  return higher(
    middle(answers, (gas) => BigInt(String(gas))),
    leastGas,
  );
}

function middle(
  answers: readonly PromiseSettledResult<unknown>[],
  read: (answer: unknown) => bigint,
): bigint {
  const values: bigint[] = [];
  let cause: unknown;
  for (const answer of answers) {
    try {
      if (answer.status === "rejected") throw answer.reason;
      values.push(read(answer.value));
    } catch (error) {
      cause = error;
    }
  }
  if (values.length === 0) throw new RpcUnavailableError("no RPC endpoint says what gas costs", { cause });
  values.sort((one, other) => (one < other ? -1 : 1));
  return values[Math.floor((values.length - 1) / 2)]!;
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

import { type Address, type Hex, numberToHex } from "viem";
import type { ChainClient } from "../client.ts";
import { explainRevert, type Revert } from "../revert.ts";
import { RpcUnavailableError } from "../rpc/errors.ts";

export type PreflightOptions = {
  client: ChainClient;
  address: Address;
  /** Gas that no transaction may ask for more than. */
  maximumGas: bigint;
  /** Per cent added to the estimate. */
  gasMargin: bigint;
};

/** What a call would do now: need so much gas, be refused, or need more gas than allowed. */
export type Verdict =
  /** `leastGas`: by the other one of two endpoints, for an account that has no more. */
  | { kind: "passes"; gas: bigint; leastGas?: bigint }
  | { kind: "reverts"; revert: Revert; cause: unknown }
  | { kind: "tooLarge"; gas: bigint };

type TriedCall = { to: Address; data: Hex; value: bigint; minimumGas?: bigint };

/**
 * Tries a call on the newest state. It counts as refused when a quorum of endpoints refuses it, and both of two if both answer; of
 * their estimates of gas the middle one is taken, so that neither too low nor too high a one decides.
 *
 * @throws RpcUnavailableError when too few answer to tell
 */
export async function tryOnHead(options: PreflightOptions, call: TriedCall): Promise<Verdict> {
  const { client, address, maximumGas, gasMargin } = options;
  const { to, data, value, minimumGas = 0n } = call;
  const { quorum } = client.trust;
  let refused: (Verdict & { kind: "reverts" }) | undefined;
  try {
    await client.public.call({ account: address, to, data, value });
  } catch (cause) {
    const revert = explainRevert(cause);
    if (revert === undefined) throw cause;
    refused = { kind: "reverts", revert, cause };
    if (quorum > 1) return refused;
  }
  const answers = await client.quotes(
    "eth_estimateGas",
    [{ from: address, to, data, value: numberToHex(value) }],
    (gas) => BigInt(String(gas)),
  );
  const estimates: bigint[] = [];
  const refusals: { revert: Revert; cause: unknown }[] = [];
  let failure: unknown;
  for (const answer of answers) {
    if (answer.status === "fulfilled") estimates.push(BigInt(String(answer.value)));
    else {
      failure = answer.reason;
      const revert = explainRevert(answer.reason);
      if (revert !== undefined) refusals.push({ revert, cause: answer.reason });
    }
  }
  // Of two, one refuses the call, and one says what it needs.
  if (refused !== undefined && (answers.length < 2 || estimates.length === 0)) return refused;
  if (refusals.length >= quorum && estimates.length < quorum) return { kind: "reverts", ...refusals[0]! };
  if (estimates.length === 0) {
    throw new RpcUnavailableError("no RPC endpoint says how much gas a transaction needs", {
      cause: failure,
    });
  }
  estimates.sort((a, b) => (a < b ? -1 : 1));
  const middle = estimates[Math.floor(estimates.length / 2)]!;
  const allowed = estimates.filter((each) => each <= maximumGas);
  const enough = Math.max(quorum, Math.min(2, estimates.length));
  if (middle > maximumGas && (allowed.length === 0 || estimates.length - allowed.length >= enough)) {
    return { kind: "tooLarge", gas: middle };
  }
  const estimate = middle > maximumGas ? allowed.at(-1)! : middle;
  const limitFor = (used: bigint) => {
    const wanted = [used + (used * gasMargin) / 100n, minimumGas].reduce((a, b) => (a > b ? a : b));
    return wanted < maximumGas ? wanted : maximumGas;
  };
  const gas = limitFor(estimate);
  const leastGas = limitFor(allowed[0]!);
  const isOfTwo = estimates.length === 2 && leastGas < gas;
  return isOfTwo ? { kind: "passes", gas, leastGas } : { kind: "passes", gas };
}

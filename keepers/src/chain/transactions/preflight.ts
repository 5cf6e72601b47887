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
  | { kind: "passes"; gas: bigint }
  | { kind: "reverts"; revert: Revert; cause: unknown }
  | { kind: "tooLarge"; gas: bigint };

type TriedCall = { to: Address; data: Hex; value: bigint; minimumGas?: bigint };

/**
 * Tries a call on the newest state. It counts as refused when a quorum of endpoints refuses it; of their estimates of gas
 * the middle one is taken, so that neither too low nor too high a one decides.
 *
 * @throws RpcUnavailableError when too few answer to tell
 */
export async function tryOnHead(options: PreflightOptions, call: TriedCall): Promise<Verdict> {
  const { client, address, maximumGas, gasMargin } = options;
  const { to, data, value, minimumGas = 0n } = call;
  try {
    await client.public.call({ account: address, to, data, value });
  } catch (cause) {
    const revert = explainRevert(cause);
    if (revert === undefined) throw cause;
    return { kind: "reverts", revert, cause };
  }
  const answers = await client.poll("eth_estimateGas", [
    { from: address, to, data, value: numberToHex(value) },
  ]);
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
  const { quorum } = client.trust;
  if (refusals.length >= quorum && estimates.length < quorum) return { kind: "reverts", ...refusals[0]! };
  if (estimates.length === 0) {
    throw new RpcUnavailableError("no RPC endpoint says how much gas a transaction needs", {
      cause: failure,
    });
  }
  estimates.sort((a, b) => (a < b ? -1 : 1));
  const middle = estimates[Math.floor(estimates.length / 2)]!;
  const allowed = estimates.filter((each) => each <= maximumGas);
  if (middle > maximumGas && (allowed.length === 0 || estimates.length - allowed.length >= quorum)) {
    return { kind: "tooLarge", gas: middle };
  }
  const estimate = middle > maximumGas ? allowed.at(-1)! : middle;
  const wanted = [estimate + (estimate * gasMargin) / 100n, minimumGas].reduce((a, b) => (a > b ? a : b));
  return { kind: "passes", gas: wanted < maximumGas ? wanted : maximumGas };
}

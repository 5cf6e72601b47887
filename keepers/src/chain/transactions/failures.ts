import type { Hex } from "viem";
import { TransactionFailedError } from "./errors.ts";
import type { Verdict } from "./preflight.ts";
import type { StoredIntent } from "./store.ts";
import type { Intent } from "./types.ts";

type Named = Pick<Intent, "key" | "description">;

const nameOf = ({ key, description }: Named): string => description ?? `the transaction ${key}`;

/** Nodes refuse what was signed for an intent, or its account cannot pay for it. */
export function refusalOf(intent: Named, reason: string, isPoor = false): TransactionFailedError {
  return new TransactionFailedError(`${nameOf(intent)} was refused: ${reason}`, {
    isPoor,
    key: intent.key,
    next: "fund the account, or change the request, and try again",
  });
}

/** What was mined for an intent had no effect. */
export function failureOf({ key, hash, reason, errorName, isFinal }: StoredIntent): TransactionFailedError {
  const next = isFinal
    ? "look at the reason; what it depended on has changed since it was tried"
    : "it can be tried again once its block is final";
  const why = reason ?? "the contract gave no reason";
  return new TransactionFailedError(`the transaction ${key} failed on chain: ${why}`, {
    key,
    hash,
    errorName,
    next,
  });
}

/** Why a call is not sent. `failed`: the transaction that has failed before. */
export function verdictError(
  intent: Named,
  verdict: Exclude<Verdict, { kind: "passes" }>,
  maximumGas: bigint,
  failed?: Hex,
): TransactionFailedError {
  const { key } = intent;
  if (verdict.kind === "tooLarge") {
    return new TransactionFailedError(`${nameOf(intent)} needs ${verdict.gas} gas, more than ${maximumGas}`, {
      key,
      next: "split it into smaller ones",
    });
  }
  const { revert, cause } = verdict;
  const would = failed === undefined ? "would fail" : "failed on chain, and would fail again";
  return new TransactionFailedError(`${nameOf(intent)} ${would}: ${revert.reason}`, {
    key,
    hash: failed,
    errorName: revert.errorName,
    args: revert.args,
    cause,
  });
}

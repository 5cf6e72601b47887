import { readAmount } from "../mine/amount.ts";

/** What is paid for a dataset's audits. */
export type Terms = {
  /** Base units of the token for each bundle and answered audit. */
  readonly feePerAudit: bigint;
  /** Audits of a bundle that are paid in advance, one each epoch. */
  readonly epochs: number;
};

export type TermProblems = { readonly fee?: string; readonly epochs?: string };

/** Epochs that a dataset may be paid for at once (contracts/storage/Limits.sol). */
const mostEpochs = 16_384;
/** Fees are kept in 96 bits. */
const mostFee = 2n ** 96n - 1n;

/** Reads what was typed; or says what is wrong with it. */
export function readTerms(fee: string, epochs: string): { terms: Terms } | { problems: TermProblems } {
  const amount = readAmount(fee);
  const problem = "problem" in amount ? amount.problem : amount.units > mostFee ? "a smaller fee" : undefined;
  const isCount = /^[1-9]\d{0,4}$/.test(epochs.trim()) && Number(epochs) <= mostEpochs;
  if ("units" in amount && problem === undefined && isCount)
    return { terms: { feePerAudit: amount.units, epochs: Number(epochs) } };
  return {
    problems: {
      ...(problem !== undefined && { fee: problem }),
      ...(!isCount && { epochs: `a whole number from 1 to ${mostEpochs.toLocaleString("en")}` }),
    },
  };
}

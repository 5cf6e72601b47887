import type { Hex } from "viem";
import { AssayError, type AssayErrorOptions, exitCode } from "../../core/errors.ts";

export type TransactionFailedOptions = AssayErrorOptions & {
  key: string;
  hash?: Hex;
  errorName?: string;
  args?: readonly unknown[];
  isPoor?: boolean;
};

/** A transaction that was refused before it was sent, or that was mined and had no effect. */
export class TransactionFailedError extends AssayError {
  override readonly name: string = "TransactionFailedError";
  /** Key of the intent. */
  readonly key: string;
  /** undefined when nothing was sent. */
  readonly hash: Hex | undefined;
  /** The contract's custom error, when it gave one. */
  readonly errorName: string | undefined;
  readonly args: readonly unknown[];
  /** Whether the account has too little of the chain's coin: nobody else does what it was to do. */
  readonly isPoor: boolean;

  constructor(
    message: string,
    { key, hash, errorName, args = [], isPoor = false, ...options }: TransactionFailedOptions,
  ) {
    super(message, {
      exitCode: exitCode.refused,
      kept: hash === undefined ? "nothing was sent, nothing was spent" : "only the fee was spent",
      ...options,
    });
    this.key = key;
    this.hash = hash;
    this.errorName = errorName;
    this.args = args;
    this.isPoor = isPoor;
  }
}

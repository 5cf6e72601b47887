import { AssayError, type AssayErrorOptions, BadInputError, exitCode } from "../../core/errors.ts";
import type { CodewordFraud } from "./codeword-fraud.ts";
import type { StoredStream } from "./stored-stream.ts";

/** What went wrong with one operator, in a result or an error. */
export type OperatorFailure = { operator: `0x${string}`; reason: string };

/** Another process works on the same upload. */
export class PutInProgressError extends AssayError {
  override readonly name: string = "PutInProgressError";

  constructor(directory: string, options: AssayErrorOptions = {}) {
    super(`another process is uploading this dataset (${directory})`, {
      kept: "Nothing was changed by this one.",
      next: "Wait until it ends, or stop it, then run the same command again.",
      exitCode: exitCode.unavailable,
      ...options,
    });
  }
}

/** The folder for bundles that are on their way cannot take them. */
export class StagingError extends AssayError {
  override readonly name: string = "StagingError";

  constructor(
    directory: string,
    cause: unknown,
    kept = "Nothing was uploaded or paid; the source is untouched.",
  ) {
    const full = isCode(cause, "ENOSPC") || isCode(cause, "EDQUOT");
    super(full ? `no space is left in ${directory}` : `${directory} cannot be written: ${reason(cause)}`, {
      kept,
      next: "Free some space or choose another folder with --home, then run the same command again.",
      exitCode: exitCode.cannotWrite,
      cause,
    });
  }
}

/** Too few operators hold bundles for the dataset to be restored from them. */
export class TooFewHoldersError extends AssayError {
  override readonly name: string = "TooFewHoldersError";
  readonly failures: readonly OperatorFailure[];

  /** @param seconds after which it was given up; undefined when no operator was left */
  constructor(
    segment: number,
    stored: number,
    needed: number,
    failures: readonly OperatorFailure[],
    seconds?: number,
  ) {
    const time = seconds === undefined ? "" : ` in ${Math.round(seconds)} s`;
    super(
      `only ${stored} of the ${needed} bundles that segment ${segment} needs found an operator${time}${
        failures.length === 0 ? "; no other one has enough unlocked stake" : listed(failures)
      }`,
      {
        kept: "The encoded bundles and every receipt are kept; nothing was anchored or paid.",
        next: "Run the same command again when more operators are there; it goes on where it stopped.",
        exitCode: exitCode.unavailable,
      },
    );
    this.failures = failures;
  }
}

/** Fewer than k bundles of a segment could be fetched. */
export class NotEnoughBundlesError extends AssayError {
  override readonly name: string = "NotEnoughBundlesError";
  readonly failures: readonly OperatorFailure[];

  constructor(
    segment: number,
    found: number,
    needed: number,
    failures: readonly OperatorFailure[],
    kept?: string,
  ) {
    super(
      `segment ${segment}: ${found} of the ${needed} bundles needed could be fetched${listed(failures)}`,
      {
        kept: kept ?? "Nothing was written.",
        next: "Try again later: nodes may come back, and lost bundles are repaired while k of n are left.",
        exitCode: exitCode.unavailable,
      },
    );
    this.failures = failures;
  }
}

/** The chain knows no such dataset. */
export class UnknownDatasetError extends AssayError {
  override readonly name: string = "UnknownDatasetError";

  constructor(datasetId: string) {
    super(`there is no dataset ${datasetId} on this chain`, {
      next: "Check the id and the network; `assay data list` shows your datasets.",
      exitCode: exitCode.badInput,
    });
  }
}

/** The dataset has ended: it was closed by its owner or shown to be fraudulent. */
export class DatasetOverError extends AssayError {
  override readonly name: string = "DatasetOverError";

  constructor(datasetId: string) {
    super(`dataset ${datasetId} has ended; nobody holds bundles of it any more`, {
      next: "`assay data health` says how it ended.",
      exitCode: exitCode.refused,
    });
  }
}

/** The manifest was not found anywhere it should be, or nobody gave the right one. */
export class ManifestUnavailableError extends AssayError {
  override readonly name: string = "ManifestUnavailableError";

  constructor(cid: string, failures: readonly OperatorFailure[]) {
    super(`nobody gave the manifest ${cid}${listed(failures)}`, {
      next: "Try again later, or fetch the manifest by its CID from an IPFS node and pass its file.",
      exitCode: exitCode.unavailable,
    });
  }
}

/** The manifest that hashes to the anchor says something else than the anchor does. */
export class ManifestMismatchError extends BadInputError {
  override readonly name: string = "ManifestMismatchError";

  constructor(field: string, options: AssayErrorOptions = {}) {
    super(`the dataset's manifest contradicts its anchor at ${field}`, {
      kept: "Nothing was written.",
      next: "Do not use this dataset: its owner anchored something else than the manifest says.",
      ...options,
    });
  }
}

/** What hashes to the anchor is no manifest. */
export class MalformedManifestError extends BadInputError {
  override readonly name: string = "MalformedManifestError";

  constructor(cause: BadInputError) {
    super(`what the dataset's anchor names as its manifest is none: ${cause.message}`, {
      kept: "Nothing was written.",
      next: "Do not use this dataset: its owner anchored something that nobody can read.",
      cause,
    });
  }
}

/** Bundles that are as anchored give another bundle than the one that was anchored. */
export class MisencodedError extends BadInputError {
  override readonly name: string = "MisencodedError";
  /** What convicts the owner; undefined where nothing contradicts what was fetched but the root of a bundle that nobody gives. */
  readonly fraud: CodewordFraud | undefined;
  /** What the bundles that were served give, as far as the segment goes that is another. */
  readonly stored: StoredStream | undefined;

  constructor(
    datasetId: string,
    bundleIndex: number,
    fraud: CodewordFraud | undefined,
    stored?: StoredStream,
  ) {
    super(`the dataset ${datasetId} is wrongly encoded: bundle ${bundleIndex} is another`, {
      kept: "Nothing was written.",
      next:
        fraud === undefined
          ? "`assay data challenge` asks on chain for what is not served."
          : "`assay data challenge` shows it to the contracts, which pay half of its bond for that.",
    });
    this.fraud = fraud;
    this.stored = stored;
  }
}

/** The account cannot pay what anchoring costs. */
export class InsufficientFundsError extends AssayError {
  override readonly name: string = "InsufficientFundsError";

  constructor(needed: bigint, available: bigint, symbol: string, kept?: string) {
    super(`anchoring costs ${needed} base units of ${symbol}, the account has ${available}`, {
      kept: kept ?? "The encoded bundles and every receipt are kept; nothing was anchored or paid.",
      next: "Send tokens to the account, or ask for fewer epochs or a lower fee, then run the command again.",
      exitCode: exitCode.refused,
    });
  }
}

function listed(failures: readonly OperatorFailure[]): string {
  if (failures.length === 0) return "";
  const shown = failures.slice(0, 20).map(({ operator, reason: why }) => `${operator}: ${why}`);
  const more = failures.length > shown.length ? `; and ${failures.length - shown.length} more` : "";
  return ` (${shown.join("; ")}${more})`;
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

import { type Clock, systemClock } from "../../chain/clock.ts";
import { WrongEncodingError } from "../../core/dataset/decode.ts";
import { DecryptionError } from "../../core/dataset/encryption.ts";
import { WrongHashListError } from "../../core/dataset/object-hashes.ts";
import { AssayError, BadInputError, exitCode } from "../../core/errors.ts";
import {
  MalformedManifestError,
  ManifestMismatchError,
  MisencodedError,
} from "../../storage/client/errors.ts";
import { ModelTooLargeError } from "../../training/executors/errors.ts";
import { OrderRefusedError } from "../jobs/errors.ts";

/** isOurs: what is lacking is this machine's. isUnavailable: it may be there another time. */
export type Failed = {
  readonly isWrong: boolean;
  readonly isOurs: boolean;
  readonly isUnavailable: boolean;
  readonly reason: string;
};

export type Tried<T> = { readonly value: T } | Failed;

/** Milliseconds after which what nobody gave is asked for once more. */
const pause = 2_000;

const frauds = [
  WrongEncodingError,
  WrongHashListError,
  DecryptionError,
  ManifestMismatchError,
  MalformedManifestError,
  MisencodedError,
];

/**
 * Whether an error shows that what is stored is not what was anchored. Manifest and bundles were held against their anchored hashes
 * before: no node that gives other bytes can cause one.
 */
export function isFraud(error: unknown): boolean {
  return frauds.some((fraud) => error instanceof fraud);
}

/**
 * What is refused for what it says is wrong; what cannot be had, or is too much for this machine, is not.
 *
 * @throws the reason of the signal, when it was aborted; what is no failure that a user can meet
 */
export async function tried<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<Tried<T>> {
  try {
    return { value: await work() };
  } catch (error) {
    signal?.throwIfAborted();
    if (!(error instanceof AssayError)) throw error;
    // That a model does not fit in here says nothing of the order.
    const isOurs = error instanceof ModelTooLargeError;
    const isRefused = error instanceof OrderRefusedError || error instanceof BadInputError;
    return {
      isWrong: !isOurs && (isRefused || isFraud(error)),
      isOurs,
      isUnavailable: error.exitCode === exitCode.unavailable,
      reason: error.message,
    };
  }
}

/** As {@link tried}, once more after a while when nobody gave what was wanted: nodes begin anew, and connections break. */
export async function fetched<T>(
  work: () => Promise<T>,
  { clock = systemClock, signal }: { readonly clock?: Clock; readonly signal?: AbortSignal },
): Promise<Tried<T>> {
  const first = await tried(work, signal);
  if ("value" in first || !first.isUnavailable) return first;
  await clock.sleep(pause, signal);
  signal?.throwIfAborted();
  return await tried(work, signal);
}

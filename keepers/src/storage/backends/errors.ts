import { AssayError, type AssayErrorOptions, BadInputError, exitCode } from "../../core/errors.ts";

/** Bytes that do not hash to the CID they were asked for under. They are never handed on. */
export class WrongBytesError extends AssayError {
  override readonly name: string = "WrongBytesError";

  constructor(cid: string, where: string, options: AssayErrorOptions = {}) {
    super(`${where} returned bytes that do not belong to ${cid}`, {
      next: "Fetch the blob from another holder; this copy is damaged or the store is lying.",
      exitCode: exitCode.badInput,
      ...options,
    });
  }
}

/** The store does not hold the blob. */
export class BlobNotFoundError extends AssayError {
  override readonly name: string = "BlobNotFoundError";

  constructor(cid: string, where: string, options: AssayErrorOptions = {}) {
    super(`${cid} was not found in ${where}`, {
      next: "Check the CID, or fetch the blob from another holder.",
      exitCode: exitCode.unavailable,
      ...options,
    });
  }
}

/** More bytes than a blob may have. */
export class OversizeError extends BadInputError {
  override readonly name: string = "OversizeError";

  constructor(limit: number, options: AssayErrorOptions = {}) {
    super(`a blob may have at most ${limit} bytes`, {
      kept: "Nothing was stored.",
      next: "Cut the data into bundles first.",
      ...options,
    });
  }
}

/** A range that does not lie inside the blob. */
export class BadRangeError extends BadInputError {
  override readonly name: string = "BadRangeError";

  constructor(offset: number, length: number | undefined, size: number | undefined) {
    const asked = length === undefined ? `from ${offset}` : `${length} from ${offset}`;
    super(`bytes ${asked} do not lie inside the blob${size === undefined ? "" : ` of ${size} bytes`}`, {
      next: "Ask for a range inside the blob.",
    });
  }
}

/** A CID that no blob can have: another codec or hash than {@link ./blob-cid.ts} defines. */
export class NotABlobCidError extends BadInputError {
  override readonly name: string = "NotABlobCidError";

  constructor(cid: string) {
    super(`${cid} is not the CID of a blob`, {
      next: "Blobs have CIDv1 with SHA-256 and the codec raw or dag-pb.",
    });
  }
}

/** The disk is full. */
export class StorageFullError extends AssayError {
  override readonly name: string = "StorageFullError";

  constructor(where: string, options: AssayErrorOptions = {}) {
    super(`no space is left in ${where}`, {
      kept: "Every blob stored before is untouched; the unfinished one was removed.",
      next: "Free some space or move the store, then store the blob again.",
      exitCode: exitCode.cannotWrite,
      ...options,
    });
  }
}

/** The store cannot be reached, is too slow, or answered with a failure of its own. */
export class BackendUnavailableError extends AssayError {
  override readonly name: string = "BackendUnavailableError";

  constructor(message: string, options: AssayErrorOptions = {}) {
    super(message, {
      next: "Check that the store runs and can be reached, then try again; finished blobs are not sent twice.",
      exitCode: exitCode.unavailable,
      ...options,
    });
  }
}

/** The store refuses these credentials. */
export class AccessDeniedError extends AssayError {
  override readonly name: string = "AccessDeniedError";

  constructor(where: string, detail: string, options: AssayErrorOptions = {}) {
    super(`${where} refused access: ${detail}`, {
      next: "Check the access key, its secret and its rights to the bucket.",
      exitCode: exitCode.refused,
      ...options,
    });
  }
}

/** The store does not understand the request: asking again does not help. */
export class RejectedRequestError extends AssayError {
  override readonly name: string = "RejectedRequestError";

  constructor(where: string, detail: string, options: AssayErrorOptions = {}) {
    super(`${where} rejected the request: ${detail}`, {
      next: "Check the endpoint, region and bucket; the same request will be rejected again.",
      exitCode: exitCode.configuration,
      ...options,
    });
  }
}

import { BadInputError } from "../errors.ts";
import { cellBytes, type PoseidonKernel } from "../poseidon/kernel.ts";
import { BundleCommitment } from "./bundle-commitment.ts";
import { bundleCells, commitSlice, type SliceCommitment, sliceBytes } from "./slice.ts";

/**
 * Cuts a bundle that arrives in chunks of any size into slices.
 *
 * A full slice is held back until more bytes come, because a bundle's only slice is committed to differently.
 */
export class Slicer {
  #buffer = new Uint8Array(sliceBytes);
  #filled = 0;
  #slices = 0;

  /** Takes the next bytes; returns the slices they complete, each the caller's to keep. */
  push(chunk: Uint8Array): Uint8Array<ArrayBuffer>[] {
    if (this.#slices * sliceBytes + this.#filled + chunk.length > bundleCells * cellBytes) {
      throw new BadInputError(`a bundle has at most ${bundleCells * cellBytes} bytes`);
    }
    const complete: Uint8Array<ArrayBuffer>[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.#filled === sliceBytes) {
        complete.push(this.#buffer);
        this.#buffer = new Uint8Array(sliceBytes);
        this.#filled = 0;
        this.#slices++;
      }
      const part = chunk.subarray(at, at + sliceBytes - this.#filled);
      this.#buffer.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
    }
    return complete;
  }

  /** The last slice, and whether it is the only one. Throws BadInputError when nothing came. */
  finish(): { bytes: Uint8Array<ArrayBuffer>; only: boolean } {
    if (this.#filled === 0) throw new BadInputError("a bundle has at least one byte");
    return { bytes: this.#buffer.subarray(0, this.#filled), only: this.#slices === 0 };
  }
}

/** Commits to a bundle that streams through, in memory for one slice (508 KB) and 64 bytes per cell. */
export class BundleCommitter {
  readonly #slicer = new Slicer();
  readonly #slices: SliceCommitment[] = [];
  readonly #kernel: PoseidonKernel | undefined;

  constructor(kernel?: PoseidonKernel) {
    this.#kernel = kernel;
  }

  /** Takes the next bytes. Throws BadInputError when there are more than a bundle holds. */
  update(chunk: Uint8Array): this {
    for (const slice of this.#slicer.push(chunk)) this.#slices.push(commitSlice(slice, false, this.#kernel));
    return this;
  }

  /** Throws BadInputError when nothing came. */
  finish(): BundleCommitment {
    const { bytes, only } = this.#slicer.finish();
    return BundleCommitment.fromSlices([...this.#slices, commitSlice(bytes, only, this.#kernel)]);
  }
}

/** Commits to a whole bundle in this thread. */
export function commitBundle(bundle: Uint8Array, kernel?: PoseidonKernel): BundleCommitment {
  return new BundleCommitter(kernel).update(bundle).finish();
}

/** Bytes of the first buffer that an unfinished part is gathered in. */
const leastBuffer = 1024;

/**
 * Gathers one part of a stream in one buffer, however short the pieces are that it comes in. The library keeps pieces in lists, whose
 * time to be taken apart grows with the square of their number.
 */
export class Gatherer {
  #buffer = new Uint8Array(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** @param most bytes of the whole part: the buffer does not become larger */
  append(bytes: Uint8Array, most: number): void {
    const needed = this.#length + bytes.length;
    if (needed > this.#buffer.length) {
      const grown = new Uint8Array(Math.min(most, Math.max(leastBuffer, needed, 2 * this.#buffer.length)));
      grown.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = grown;
    }
    this.#buffer.set(bytes, this.#length);
    this.#length = needed;
  }

  /** What was gathered; nothing is afterwards. */
  take(): Uint8Array {
    const taken = this.#buffer.subarray(0, this.#length);
    this.#buffer = new Uint8Array(0);
    this.#length = 0;
    return taken;
  }
}

/** A piece, or a copy of it where it is a view that holds on to a much larger buffer. `slice` of Node's buffers copies nothing. */
export function withoutRest(piece: Uint8Array): Uint8Array {
  return piece.length < piece.buffer.byteLength / 2 ? new Uint8Array(piece) : piece;
}

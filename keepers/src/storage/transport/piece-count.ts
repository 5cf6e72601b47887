/** Pieces of one message that may be of any length. */
const freePieces = 64;
/** Bytes that those beyond must have on average: a third of what fits into one packet of TCP. */
const leastPiece = 512;
/** Bytes of a piece of which the prices of requests are made up. */
const usualPiece = 4096;

/**
 * Pieces in which the bytes of a stream arrive. Each takes 15 µs of the thread and a few hundred bytes, however short it is, so
 * that bytes alone are no measure of what a peer makes a process do.
 */
export class PieceCount {
  #pieces = 0;
  #bytes = 0;
  #told = 0;

  /** A new message begins, which was paid for as such. */
  reset(): void {
    this.#pieces = 0;
    this.#bytes = 0;
    this.#told = 0;
  }

  /**
   * Counts one more.
   * @param bytes its length
   * @returns whether they are too short on average for a peer that means to send something
   */
  add(bytes: number): "ok" | "tiny" {
    this.#pieces++;
    this.#bytes += bytes;
    return this.#pieces > freePieces + this.#bytes / leastPiece ? "tiny" : "ok";
  }

  /** Pieces beyond those that so many bytes usually come in, since this was asked last. */
  takeExcess(): number {
    const excess = Math.floor(this.#pieces - freePieces / 4 - this.#bytes / usualPiece);
    if (excess <= this.#told) return 0;
    const fresh = excess - this.#told;
    this.#told = excess;
    return fresh;
  }
}

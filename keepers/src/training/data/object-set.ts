/**
 * Some objects of a dataset, by index: a bit for each. Whoever has stored a dataset chooses how many these are, and a list of them
 * would be longer than the objects; the hashes of the objects, which are held while they are gathered, take 256 times as much.
 */
export class ObjectSet {
  #bits = new Uint8Array();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(index: number): void {
    const at = Math.floor(index / 8);
    if (at >= this.#bits.length) {
      const larger = new Uint8Array(Math.max(at + 1, 2 * this.#bits.length));
      larger.set(this.#bits);
      this.#bits = larger;
    }
    if (this.#has(index)) return;
    this.#bits[at]! |= 1 << (index % 8);
    this.#size++;
  }

  /** Their indices, ascending. */
  *[Symbol.iterator](): Generator<number> {
    for (let at = 0; at < this.#bits.length; at++) {
      if (this.#bits[at] === 0) continue;
      for (let index = 8 * at; index < 8 * at + 8; index++) if (this.#has(index)) yield index;
    }
  }

  #has(index: number): boolean {
    return ((this.#bits[Math.floor(index / 8)]! >> (index % 8)) & 1) === 1;
  }
}

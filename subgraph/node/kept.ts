/**
 * What was made of texts, by the text: the newest, as much as weighs no more than a limit in all. Strangers choose the texts:
 * a limit on their number would bound no memory.
 */
export class Kept<Value> {
  readonly #most: number;
  readonly #entries = new Map<string, { readonly value: Value; readonly weight: number }>();
  #weight = 0;

  /** The unit of `most` is that of the weights. */
  constructor(most: number) {
    this.#most = most;
  }

  /** The weight of all that is kept. */
  get weight(): number {
    return this.#weight;
  }

  get(text: string): Value | undefined {
    return this.#entries.get(text)?.value;
  }

  /** Keeps `value` and lets the oldest go; what weighs more than the limit by itself is not kept. */
  set(text: string, value: Value, weight: number): void {
    this.#remove(text);
    if (weight > this.#most) return;
    this.#entries.set(text, { value, weight });
    this.#weight += weight;
    for (const oldest of this.#entries.keys()) {
      if (this.#weight <= this.#most) return;
      this.#remove(oldest);
    }
  }

  #remove(text: string): void {
    this.#weight -= this.#entries.get(text)?.weight ?? 0;
    this.#entries.delete(text);
  }
}

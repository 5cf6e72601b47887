/** What was kept last, by name: beyond so many, what was kept longest ago is forgotten. */
export class Recent<V> {
  readonly #most: number;
  readonly #known = new Map<string, V>();

  constructor(most: number) {
    this.#most = most;
  }

  get(name: string): V | undefined {
    return this.#known.get(name);
  }

  keep(name: string, value: V): V {
    this.#known.delete(name);
    this.#known.set(name, value);
    if (this.#known.size > this.#most) this.#known.delete(this.#known.keys().next().value!);
    return value;
  }

  forget(name: string): void {
    this.#known.delete(name);
  }
}

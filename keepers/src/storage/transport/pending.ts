export type PendingParameters<T> = {
  /** Of one network, and of all. */
  readonly ofNet: number;
  readonly inAll: number;
  /** Ends one that has to make way. */
  readonly end: (one: T) => void;
};

/**
 * What is not done yet and takes a place until then. Where there is no place the one that has taken longest makes way: to refuse the
 * newest would keep everybody out for as long as others care to wait.
 */
export class Pending<T> {
  readonly #parameters: PendingParameters<T>;
  readonly #all = new Map<T, string | undefined>();
  readonly #nets = new Map<string, Set<T>>();

  constructor(parameters: PendingParameters<T>) {
    this.#parameters = parameters;
  }

  /** @param net undefined where addresses say little about who is there */
  enter(one: T, net: string | undefined): void {
    const { ofNet, inAll } = this.#parameters;
    const same = net === undefined ? undefined : this.#nets.get(net);
    if (same !== undefined && same.size >= ofNet) this.#end(same);
    if (this.#all.size >= inAll) this.#end(this.#all.keys());
    this.#all.set(one, net);
    if (net === undefined) return;
    this.#nets.set(net, (this.#nets.get(net) ?? new Set<T>()).add(one));
  }

  has(one: T): boolean {
    return this.#all.has(one);
  }

  leave(one: T): void {
    const net = this.#all.get(one);
    this.#all.delete(one);
    const same = net === undefined ? undefined : this.#nets.get(net);
    same?.delete(one);
    if (same?.size === 0) this.#nets.delete(net!);
  }

  endAll(): void {
    for (const one of [...this.#all.keys()]) this.#end([one]);
  }

  #end(oldestFirst: Iterable<T>): void {
    for (const oldest of oldestFirst) {
      this.leave(oldest);
      this.#parameters.end(oldest);
      return;
    }
  }
}

/** Chunks that a worker may be late with before it rests: one is an accident. */
const mostMisses = 3;
/** A result in time makes up for this part of a late one: who alternates has no better of it. */
const forgiven = 1 / 4;
/**
 * A rest, and the time for which a late chunk is remembered, in limits of a chunk: who is late with all that it is given holds
 * the provider up for 3 limits of 67 at most, less than a twentieth of the time.
 */
export const restTurns = 64;

type Misses = { readonly count: number; readonly until: number };

/**
 * Which workers are late again and again, and get no chunks for a while. Each name that a worker goes by is counted: another
 * peer id under the same account rests too. Who comes with new names altogether is new here; see `Pace` for what all of
 * them cost together.
 */
export class Rests {
  readonly #now: () => number;
  readonly #misses = new Map<string, Misses>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** @param limit milliseconds that it had */
  missed(worker: string, limit: number): void {
    const until = this.#now() + restTurns * limit;
    for (const name of namesOf(worker)) {
      this.#misses.set(name, { count: (this.#find(name)?.count ?? 0) + 1, until });
    }
  }

  /** A result came in time. */
  kept(worker: string): void {
    for (const name of namesOf(worker)) {
      const misses = this.#find(name);
      if (misses === undefined) continue;
      const count = misses.count - forgiven;
      if (count <= 0) this.#misses.delete(name);
      else this.#misses.set(name, { ...misses, count });
    }
  }

  rests(worker: string): boolean {
    return namesOf(worker).some((name) => (this.#find(name)?.count ?? 0) >= mostMisses);
  }

  /** Forgets what is long ago: names are free, and there may be any number of them. */
  prune(): void {
    for (const name of [...this.#misses.keys()]) this.#find(name);
  }

  #find(name: string): Misses | undefined {
    const misses = this.#misses.get(name);
    if (misses === undefined || misses.until >= this.#now()) return misses;
    this.#misses.delete(name);
    return undefined;
  }
}

/** What a worker goes by, each with its place: an account is no peer id. */
function namesOf(worker: string): string[] {
  return worker.split("/").map((name, i) => `${i}/${name}`);
}

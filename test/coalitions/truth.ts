import { type Address, getAddress, type Hex } from "viem";

/** What an operator was shown when it signed for a bundle. */
export type Agreement = { readonly fee: bigint; readonly epochs: number };

/**
 * What really is so, whatever anybody says on chain: who has which bytes, which traces and results are right, what was agreed
 * to. Proofs of possession are made for what stands here, and for nothing else.
 */
export class Truth {
  /** Leading cells of a bundle, by its Poseidon root, that an account has. */
  readonly #cells = new Map<string, number>();
  readonly #rightTraces = new Set<Hex>();
  readonly #agreed = new Map<string, Agreement>();
  /** Datasets whose bytes are not what their author says that they are. */
  readonly #garbage = new Set<Hex>();
  /** Places in draws whose members have signed what is not so. */
  readonly #liars = new Set<string>();

  give(account: Address, root: bigint, cells = Number.POSITIVE_INFINITY): void {
    this.#cells.set(keyOf(account, root), cells);
  }

  drop(account: Address, root: bigint): void {
    this.#cells.delete(keyOf(account, root));
  }

  cellsOf(account: Address, root: bigint): number {
    return this.#cells.get(keyOf(account, root)) ?? 0;
  }

  /** Whether an account has all of a bundle. */
  has(account: Address, root: bigint): boolean {
    return this.cellsOf(account, root) === Number.POSITIVE_INFINITY;
  }

  callRight(traceRoot: Hex): void {
    this.#rightTraces.add(traceRoot);
  }

  isRight(traceRoot: Hex): boolean {
    return this.#rightTraces.has(traceRoot);
  }

  callGarbage(datasetId: Hex): void {
    this.#garbage.add(datasetId);
  }

  isGarbage(datasetId: Hex): boolean {
    return this.#garbage.has(datasetId);
  }

  callLiar(jobId: bigint, attempt: bigint, position: number): void {
    this.#liars.add(`${jobId}/${attempt}/${position}`);
  }

  isLiar(jobId: bigint, attempt: bigint, position: number): boolean {
    return this.#liars.has(`${jobId}/${attempt}/${position}`);
  }

  agree(account: Address, bundleId: Hex, agreement: Agreement): void {
    this.#agreed.set(`${getAddress(account)}:${bundleId}`, agreement);
  }

  /** Terms that an account has signed for; undefined when it never did. */
  agreedBy(account: Address, bundleId: Hex): Agreement | undefined {
    return this.#agreed.get(`${getAddress(account)}:${bundleId}`);
  }
}

function keyOf(account: Address, root: bigint): string {
  return `${getAddress(account)}:${root}`;
}

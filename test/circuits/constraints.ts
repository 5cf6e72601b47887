import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mock } from "node:test";
import type { CircuitArtifacts } from "../../circuits/setup/circuits.ts";
import type { R1cs } from "../../circuits/setup/r1cs.ts";
import { readR1cs } from "../../circuits/setup/r1cs.ts";
import { inverse, modulo, scalarField as r } from "../../keepers/src/core/groth16/field.ts";
import type { CircuitInput } from "../../keepers/src/core/groth16/inputs.ts";
import { readLittleEndian } from "../../keepers/src/core/groth16/montgomery.ts";
import { calculateWitness } from "../../keepers/src/storage/prover/witness.ts";

type Term = { wire: number; value: bigint };
type Linear = { known: bigint; slope: bigint };
type Constraint = [Term[], Term[], Term[]];

/**
 * Checks witnesses against a circuit's constraints alone. The witness generator refuses bad inputs too, but a cheat writes a
 * generator of their own: only the constraints bind.
 */
export class ConstraintChecker {
  readonly header: R1cs["header"];
  readonly #constraints: Constraint[];
  /** For each wire the constraints that it occurs in. */
  readonly #uses: Set<number>[];
  readonly #inverses = new Map<bigint, bigint>();

  constructor(artifacts: CircuitArtifacts) {
    const r1cs = readR1cs(readFileSync(artifacts.r1cs));
    this.header = r1cs.header;
    this.#constraints = Array.from({ length: r1cs.header.constraints }, () => [[], [], []]);
    this.#uses = Array.from({ length: r1cs.header.wires }, () => new Set());
    r1cs.forEachTerm((matrix, constraint, wire, value) => {
      this.#constraints[constraint]![matrix].push({ wire, value });
      this.#uses[wire]!.add(constraint);
    });
  }

  /** Positions of the constraints that the witness breaks. */
  broken(witness: readonly bigint[]): number[] {
    return [...this.#constraints.keys()].filter((index) => !this.#holds(index, witness));
  }

  /** Whether one wire can take another value while all others keep theirs. */
  isFree(witness: bigint[], wire: number, value: bigint): boolean {
    const before = witness[wire]!;
    witness[wire] = value;
    const free = [...this.#uses[wire]!].every((index) => this.#holds(index, witness));
    witness[wire] = before;
    return free;
  }

  /**
   * What a cheat would compute from inputs of their choice: every wire that a constraint decides is solved for, and the rest
   * is taken from an honest witness (bits of a number, say, which no single constraint decides).
   * @param inputs the wires from 1 to the last private input, outputs among them.
   */
  complete(inputs: readonly bigint[], honest: readonly bigint[]): bigint[] {
    const witness = [1n, ...inputs];
    const unknowns = this.#constraints.map((parts) => new Set(parts.flat().map(({ wire }) => wire)));
    const ready: number[] = [];
    const settle = (wire: number): void => {
      for (const index of this.#uses[wire]!) {
        if (unknowns[index]!.delete(wire) && unknowns[index]!.size === 1) ready.push(index);
      }
    };
    for (const wire of witness.keys()) settle(wire);
    for (let next = witness.length; next < honest.length; next++) {
      for (let index = ready.pop(); index !== undefined; index = ready.pop()) {
        const [wire] = unknowns[index]!;
        const value = wire === undefined ? undefined : this.#solve(index, wire, witness);
        if (wire === undefined || value === undefined) continue;
        witness[wire] = value;
        settle(wire);
      }
      if (witness[next] !== undefined) continue;
      witness[next] = honest[next]!;
      settle(next);
    }
    return witness;
  }

  /** The only value of `wire` that satisfies a constraint which is linear in it. */
  #solve(index: number, wire: number, witness: readonly bigint[]): bigint | undefined {
    const [a, b, c] = this.#constraints[index]!.map((terms) => ({
      known: sum(
        terms.filter((term) => term.wire !== wire),
        witness,
      ),
      slope: sum(
        terms.filter((term) => term.wire === wire).map(({ value }) => ({ wire: 0, value })),
        witness,
      ),
    })) as [Linear, Linear, Linear];
    if (a.slope * b.slope !== 0n) return undefined;
    const slope = modulo(a.slope * b.known + a.known * b.slope - c.slope, r);
    if (slope === 0n) return undefined;
    let inverted = this.#inverses.get(slope);
    if (inverted === undefined) {
      inverted = inverse(slope, r);
      this.#inverses.set(slope, inverted);
    }
    return modulo((c.known - a.known * b.known) * inverted, r);
  }

  #holds(index: number, witness: readonly bigint[]): boolean {
    const [a, b, c] = this.#constraints[index]!;
    return (sum(a, witness) * sum(b, witness) - sum(c, witness)) % r === 0n;
  }
}

function sum(terms: readonly Term[], witness: readonly bigint[]): bigint {
  let total = 0n;
  for (const { wire, value } of terms) total += value * witness[wire]!;
  return total % r;
}

export async function witnessOf(artifacts: CircuitArtifacts, input: CircuitInput): Promise<bigint[]> {
  const bytes = await calculateWitness(input, artifacts.wasm);
  return Array.from({ length: bytes.length / 32 }, (_, wire) => readLittleEndian(bytes, 32 * wire));
}

/** The witness generator refuses the input. It also writes where it failed to the console, which is kept silent. */
export async function assertUnsatisfiable(artifacts: CircuitArtifacts, input: CircuitInput): Promise<void> {
  const silenced = mock.method(console, "error", () => {});
  try {
    await assert.rejects(witnessOf(artifacts, input), /Assert Failed/);
  } finally {
    silenced.mock.restore();
  }
}

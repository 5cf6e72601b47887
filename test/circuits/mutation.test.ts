import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import type { CircuitArtifacts } from "../../circuits/setup/circuits.ts";
import { setupCircuits } from "../../circuits/setup/setup.ts";
import { scalarField } from "../../keepers/src/core/groth16/field.ts";
import { openingInput, registrationInput } from "../../keepers/src/core/groth16/inputs.ts";
import { assertUnsatisfiable, ConstraintChecker, witnessOf } from "./constraints.ts";
import { sampleNumber, sampleOpening, tinyInput } from "./samples.ts";
import type { Hash } from "./tree.ts";
import { referencePoseidon } from "./tree.ts";

/** Wires in a circuit's witness: the constant, outputs and public inputs, private inputs, then what is computed. */
const firstPrivate = (checker: ConstraintChecker): number => checker.header.publicSignals + 1;

describe("the constraints of the tiny circuit", () => {
  let artifacts: CircuitArtifacts;
  let checker: ConstraintChecker;
  let hash: Hash;
  let witness: bigint[];

  before(async () => {
    [artifacts] = (await setupCircuits({ only: ["tiny"] })) as [CircuitArtifacts];
    checker = new ConstraintChecker(artifacts);
    hash = await referencePoseidon();
    witness = await witnessOf(artifacts, tinyInput(hash, "mutation"));
  });

  it("hold for an honest witness", () => {
    assert.deepEqual(checker.broken(witness), []);
  });

  it("break when any one wire changes, be it public, private or computed", () => {
    for (let wire = 1; wire < witness.length; wire++) {
      for (const value of [(witness[wire]! + 1n) % scalarField, 0n, sampleNumber(`wire/${wire}`)]) {
        if (value === witness[wire]) continue;
        assert.equal(checker.isFree(witness, wire, value), false, `wire ${wire}`);
      }
    }
  });

  it("break when any private input changes and a cheat computes everything else from it", () => {
    const inputs = firstPrivate(checker) + checker.header.privateInputs;
    assert.deepEqual(checker.complete(witness.slice(1, inputs), witness), witness, "the cheat can compute");
    for (let wire = firstPrivate(checker); wire < inputs; wire++) {
      const mutated = witness.with(wire, (witness[wire]! + 1n) % scalarField);
      const completed = checker.complete(mutated.slice(1, inputs), witness);
      assert.notDeepEqual(completed, mutated, "the change spreads");
      assert.notDeepEqual(checker.broken(completed), [], `wire ${wire}`);
    }
  });

  it("refuse another index, stray high bits, and another root", async () => {
    const honest = tinyInput(hash, "mutation");
    const [indices] = honest.indices as bigint[];
    for (let bit = 0n; bit < 8n; bit++) {
      await assertUnsatisfiable(artifacts, { ...honest, indices: [indices! ^ (1n << bit)] });
    }
    for (const bit of [8n, 9n, 100n, 252n]) {
      await assertUnsatisfiable(artifacts, { ...honest, indices: [indices! + (1n << bit)] });
    }
    await assertUnsatisfiable(artifacts, { ...honest, root: 5n });
  });

  it("leave no bit of an index undecided: a bit that is neither 0 nor 1 breaks them", () => {
    const { publicSignals, privateInputs } = checker.header;
    const bits = [...witness.keys()].filter(
      (wire) => wire > publicSignals + privateInputs && witness[wire]! < 2n,
    );
    assert.ok(bits.length >= 8);
    for (const wire of bits) assert.equal(checker.isFree(witness, wire, 2n), false, `wire ${wire}`);
  });
});

describe("the constraints of the full circuits", () => {
  let hash: Hash;
  before(async () => {
    hash = await referencePoseidon();
  });

  for (const [name, depth] of [
    ["possession", 7],
    ["covering", 10],
  ] as const) {
    it(`of ${name}: every private input and a sample of computed wires are bound`, async () => {
      const [artifacts] = (await setupCircuits({ only: [name] })) as [CircuitArtifacts];
      const checker = new ConstraintChecker(artifacts);
      const witness = await witnessOf(artifacts, openingInput(name, sampleOpening(hash, depth, name)));
      assert.deepEqual(checker.broken(witness), []);
      const endOfInputs = firstPrivate(checker) + checker.header.privateInputs;
      for (let wire = 1; wire < witness.length; wire += wire < endOfInputs ? 1 : 101) {
        const value = (witness[wire]! + 1n) % scalarField;
        assert.equal(checker.isFree(witness, wire, value), false, `wire ${wire}`);
      }
    });
  }

  it("of registration: every wire is bound", async () => {
    const [artifacts] = (await setupCircuits({ only: ["registration"] })) as [CircuitArtifacts];
    const checker = new ConstraintChecker(artifacts);
    const roots = Array.from({ length: 40 }, (_, i) => sampleNumber(`root/${i}`));
    const witness = await witnessOf(artifacts, registrationInput({ rho: sampleNumber("rho"), roots }));
    assert.deepEqual(checker.broken(witness), []);
    for (let wire = 1; wire < witness.length; wire++) {
      const value = (witness[wire]! + 1n) % scalarField;
      assert.equal(checker.isFree(witness, wire, value), false, `wire ${wire}`);
    }
  });
});

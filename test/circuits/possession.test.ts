import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { getCurveFromName } from "ffjavascript";
import { groth16 } from "snarkjs";
import type { CircuitArtifacts } from "../../circuits/setup/circuits.ts";
import { circuitArtifacts } from "../../circuits/setup/circuits.ts";
import { publicTrapdoor } from "../../circuits/setup/dev-key.ts";
import { readCircuitInfo, setupCircuits } from "../../circuits/setup/setup.ts";
import { compressProof } from "../../keepers/src/core/groth16/compress.ts";
import { scalarField } from "../../keepers/src/core/groth16/field.ts";
import type { OpeningCircuit } from "../../keepers/src/core/groth16/inputs.ts";
import { evaluate, openingInput, registrationInput } from "../../keepers/src/core/groth16/inputs.ts";
import type { SnarkjsVerifyingKey } from "../../keepers/src/core/groth16/snarkjs.ts";
import { proofToSnarkjs, verifyingKeyFromSnarkjs } from "../../keepers/src/core/groth16/snarkjs.ts";
import { Verifier } from "../../keepers/src/core/groth16/verifier.ts";
import { decodeVerifyingKey, verifyingKeyHash } from "../../keepers/src/core/groth16/verifying-key.ts";
import { ProcessProver } from "../../keepers/src/storage/prover/process-prover.ts";
import type { ProveResult } from "../../keepers/src/storage/prover/prover.ts";
import { assertUnsatisfiable, witnessOf } from "./constraints.ts";
import { forge } from "./rerandomise.ts";
import { sampleNumber, sampleOpening } from "./samples.ts";
import type { Hash } from "./tree.ts";
import { referencePoseidon, SparseTree } from "./tree.ts";

async function snarkjsKey(artifacts: CircuitArtifacts): Promise<SnarkjsVerifyingKey> {
  return JSON.parse(await readFile(artifacts.verifyingKeyJson, "utf8")) as SnarkjsVerifyingKey;
}

/** Verified by snarkjs from the JSON key and by our verifier from the key's bytes. */
async function assertVerifies(artifacts: CircuitArtifacts, result: ProveResult): Promise<void> {
  const signals = result.publicSignals.map(String);
  const key = await snarkjsKey(artifacts);
  assert.equal(await groth16.verify(key, signals, proofToSnarkjs(result.proof)), true);
  using verifier = await Verifier.create(decodeVerifyingKey(await readFile(artifacts.verifyingKeyBytes)));
  assert.equal(verifier.verify(compressProof(result.proof), result.publicSignals), true);
}

describe("proofs of the protocol's circuits", () => {
  let hash: Hash;
  let prover: ProcessProver;

  before(async () => {
    await setupCircuits();
    hash = await referencePoseidon();
    prover = new ProcessProver({
      circuits: {
        possession: circuitArtifacts("possession"),
        covering: circuitArtifacts("covering"),
        registration: circuitArtifacts("registration"),
      },
    });
  });
  after(async () => {
    await prover.close();
    // snarkjs' verification has started the curve's threads, which would keep this process alive.
    await (await getCurveFromName("bn128")).terminate();
  });

  for (const [name, depth, words] of [
    ["possession", 7, 1],
    ["covering", 10, 2],
  ] as const satisfies [OpeningCircuit, number, number][]) {
    it(`${name}: signals in the order of the protocol, accepted by snarkjs and by our verifier`, async () => {
      const opening = sampleOpening(hash, depth, `proof of ${name}`);
      const input = openingInput(name, opening);
      const result = await prover.prove(name, input);
      const elements = opening.cells.flatMap((cell) => cell.elements);
      const indices = input.indices as bigint[];
      assert.equal(indices.length, words);
      assert.deepEqual(result.publicSignals, [
        evaluate(elements, opening.rho),
        opening.root,
        ...indices,
        opening.rho,
      ]);
      await assertVerifies(circuitArtifacts(name), result);
    });
  }

  it("registration: the covering root is the root of the tree over all 64 roots", async () => {
    const roots = Array.from({ length: 50 }, (_, i) => sampleNumber(`root/${i}`));
    const rho = sampleNumber("registration rho");
    const result = await prover.prove("registration", registrationInput({ roots, rho }));
    const tree = new SparseTree(hash, 3, new Map(roots.entries()));
    assert.deepEqual(result.publicSignals, [tree.root, evaluate(roots, rho), rho]);
    await assertVerifies(circuitArtifacts("registration"), result);
  });

  it("covering: opens cells of bundles under the root that the registration proved", async () => {
    // A cover's tree of depth 10 is the registration's tree of depth 3 over bundle trees of depth 7.
    const opening = sampleOpening(hash, 10, "nested");
    const bundles = new Map<number, bigint>();
    for (const { index, children } of opening.cells) bundles.set(index >> 14, hash(children[6]!));
    const empty = new SparseTree(hash, 7, new Map()).root;
    const roots = Array.from({ length: 64 }, (_, bundle) => bundles.get(bundle) ?? empty);
    const witness = await witnessOf(
      circuitArtifacts("registration"),
      registrationInput({ roots, rho: opening.rho }),
    );
    assert.equal(witness[1], opening.root);
  });

  it("possession: refuses a tampered cell, another index, stray high bits and another root", async () => {
    const artifacts = circuitArtifacts("possession");
    const opening = sampleOpening(hash, 7, "refused");
    const honest = openingInput("possession", opening);
    const cells = honest.cells as bigint[][];
    const [word] = honest.indices as bigint[];
    const mutants = [
      { ...honest, cells: cells.with(15, cells[15]!.with(15, cells[15]![15]! ^ 1n)) },
      { ...honest, cells: cells.with(0, cells[1]!).with(1, cells[0]!) },
      { ...honest, indices: [word! ^ 1n] },
      { ...honest, indices: [word! ^ (1n << 223n)] },
      { ...honest, indices: [word! + (1n << 224n)] },
      { ...honest, indices: [word! + (1n << 252n)] },
      { ...honest, root: (opening.root + 1n) % scalarField },
    ];
    for (const mutant of mutants) await assertUnsatisfiable(artifacts, mutant);
  });
});

describe("development keys", () => {
  it("are labelled, hash to what is written beside them, and agree in both forms", async () => {
    for (const artifacts of await setupCircuits({ only: ["tiny", "registration"] })) {
      const info = await readCircuitInfo(artifacts.name);
      const bytes = await readFile(artifacts.verifyingKeyBytes);
      assert.equal(info?.development, true);
      assert.equal(info.keyHash, `0x${Buffer.from(verifyingKeyHash(bytes)).toString("hex")}`);
      const key = decodeVerifyingKey(bytes);
      assert.deepEqual(verifyingKeyFromSnarkjs(await snarkjsKey(artifacts)), key);
      assert.equal(key.ic.length, info.nPublic + 1);
    }
  });

  it("let anyone forge a proof of a false statement, which is why public networks refuse them", async () => {
    const [tiny] = (await setupCircuits({ only: ["tiny"] })) as [CircuitArtifacts];
    const key = decodeVerifyingKey(await readFile(tiny.verifyingKeyBytes));
    const lie = [1n, 2n, 3n, 4n];
    const forged = compressProof(forge(key, publicTrapdoor("tiny"), lie));
    using verifier = await Verifier.create(key);
    assert.equal(verifier.verify(forged, lie), true);
  });

  it("are made once: a second set-up with the same sources says nothing and does nothing", async () => {
    await setupCircuits({ only: ["tiny"] });
    const lines: string[] = [];
    await setupCircuits({ only: ["tiny"], onProgress: (line) => lines.push(line) });
    assert.deepEqual(lines, []);
  });
});

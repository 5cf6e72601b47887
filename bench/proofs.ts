import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { getCurveFromName } from "ffjavascript";
import { groth16 } from "snarkjs";
import { circuitArtifacts } from "../circuits/setup/circuits.ts";
import { setupCircuits } from "../circuits/setup/setup.ts";
import { coverIndices } from "../keepers/src/core/audit/challenge.ts";
import { compressedProofLength, compressProof } from "../keepers/src/core/groth16/compress.ts";
import { proofLength } from "../keepers/src/core/groth16/encode.ts";
import type { CircuitInput } from "../keepers/src/core/groth16/inputs.ts";
import {
  challengesPerProof,
  openingInput,
  registrationInput,
  rootsPerCover,
} from "../keepers/src/core/groth16/inputs.ts";
import { proofToSnarkjs, type SnarkjsVerifyingKey } from "../keepers/src/core/groth16/snarkjs.ts";
import { Verifier } from "../keepers/src/core/groth16/verifier.ts";
import { decodeVerifyingKey } from "../keepers/src/core/groth16/verifying-key.ts";
import { ProcessProver } from "../keepers/src/storage/prover/process-prover.ts";
import type { ProveResult, ProverCircuit } from "../keepers/src/storage/prover/prover.ts";
import { sampleNumber, sampleOpening } from "../test/circuits/samples.ts";
import { referencePoseidon } from "../test/circuits/tree.ts";
import { type BenchOptions, interleave, type Report } from "./measure.ts";
import { buildRapidsnark, rapidsnarkVersion } from "./peers/rapidsnark.ts";
import { proveWithSnarkjs } from "./peers/snarkjs-prove.ts";

const circuits: ProverCircuit[] = ["possession", "covering", "registration"];
const batchSize = 64;

type Proved = { result: ProveResult; input: CircuitInput; seconds: number; peakMemory: number };

/** Size, proving, verification and what a cover finds. */
export async function run(report: Report, options: BenchOptions): Promise<void> {
  report({
    name: "proof on the wire and at rest",
    value: compressedProofLength,
    unit: "bytes",
    peer: "uncompressed, as the contract takes it",
    peerValue: proofLength,
    ratio: compressedProofLength / proofLength,
    note: "own / peer",
  });
  await setupCircuits();
  const proved = await proving(report, options);
  for (const circuit of ["possession", "covering"] as const) {
    await verification(report, options, circuit, proved[circuit].result);
  }
  detection(report, options);
  await (await getCurveFromName("bn128")).terminate();
}

async function proving(report: Report, { quick }: BenchOptions): Promise<Record<ProverCircuit, Proved>> {
  const files = {
    possession: circuitArtifacts("possession"),
    covering: circuitArtifacts("covering"),
    registration: circuitArtifacts("registration"),
  };
  const hash = await referencePoseidon();
  const roots = Array.from({ length: rootsPerCover }, (_, i) => sampleNumber(`root/${i}`));
  const inputs: Record<ProverCircuit, CircuitInput> = {
    possession: openingInput("possession", sampleOpening(hash, 7, "bench")),
    covering: openingInput("covering", sampleOpening(hash, 10, "bench")),
    registration: registrationInput({ roots, rho: sampleNumber("rho") }),
  };
  const cores = availableParallelism();
  const rapidsnark = buildRapidsnark();
  if ("missing" in rapidsnark) throw new Error(`rapidsnark ${rapidsnark.missing}`);
  using native = rapidsnark;
  const proved = {} as Record<ProverCircuit, Proved>;
  for (const name of circuits) {
    let peakMemory = 0;
    const prover = new ProcessProver<ProverCircuit>({
      circuits: files,
      onPeakMemory: (bytes) => {
        peakMemory = bytes;
      },
    });
    let result: ProveResult | undefined;
    let peer = { seconds: 0, peakMemory: 0 };
    let nativePeer = { seconds: 0, peakMemory: 0 };
    const best = await interleave(
      {
        own: async () => {
          const start = performance.now();
          result = await prover.prove(name, inputs[name]);
          return (performance.now() - start) / 1000;
        },
        snarkjs: async () => {
          peer = await proveWithSnarkjs(files[name], inputs[name], false);
          return peer.seconds;
        },
        rapidsnark: async () => {
          nativePeer = await native.prove(files[name], inputs[name]);
          return nativePeer.seconds;
        },
      },
      quick ? 1 : 3,
    );
    await prover.close();
    proved[name] = { result: result!, input: inputs[name], seconds: best.own, peakMemory };
    const peers = [
      ["snarkjs, all cores", best.snarkjs, peer.peakMemory],
      [`rapidsnark ${rapidsnarkVersion}, native, all cores`, best.rapidsnark, nativePeer.peakMemory],
    ] as const;
    for (const [title, seconds, memory] of peers) {
      report({
        name: `prove ${name}`,
        value: best.own,
        unit: "s",
        peer: title,
        peerValue: seconds,
        ratio: seconds / best.own,
        note: `peer's time / own, witness included, ${cores} cores${name === "possession" ? "; bar: at most 7 s on two" : ""}`,
      });
      report({
        name: `prove ${name}, peak memory`,
        value: peakMemory / 1e6,
        unit: "MB",
        peer: title,
        peerValue: memory / 1e6,
        ratio: peakMemory / memory,
        note: `own / peer, resident, whole process${name === "possession" ? "; bar: at most 400 MB" : ""}`,
      });
    }
  }
  return proved;
}

async function verification(
  report: Report,
  { quick }: BenchOptions,
  circuit: "possession" | "covering",
  { proof, publicSignals }: ProveResult,
): Promise<void> {
  const artifacts = circuitArtifacts(circuit);
  const key = JSON.parse(await readFile(artifacts.verifyingKeyJson, "utf8")) as SnarkjsVerifyingKey;
  using verifier = await Verifier.create(decodeVerifyingKey(await readFile(artifacts.verifyingKeyBytes)));
  const bytes = compressProof(proof);
  const claims = Array.from({ length: batchSize }, () => ({ proof: bytes, publicSignals }));
  const theirs = proofToSnarkjs(proof);
  const signals = publicSignals.map(String);
  const timed = async (work: () => boolean | Promise<boolean>): Promise<number> => {
    const start = performance.now();
    if (!(await work())) throw new Error("a valid proof was refused");
    return performance.now() - start;
  };
  const best = await interleave(
    {
      single: () => timed(() => verifier.verify(bytes, publicSignals)),
      batch: () => timed(() => verifier.verifyBatch(claims)),
      snarkjs: () => timed(() => groth16.verify(key, signals, theirs)),
    },
    quick ? 5 : 30,
  );
  const each = best.batch / batchSize;
  // A proof of a cover says as much of its bundles to the peer as to us: both times are divided by as many.
  const row = (name: string, own: number, bar: string, bundles = 1): void =>
    report({
      name,
      value: own / bundles,
      unit: "ms",
      peer: "snarkjs.groth16.verify",
      peerValue: best.snarkjs / bundles,
      ratio: best.snarkjs / own,
      note: `peer's time / own, one thread, subgroup checks on; bar: ${bar}`,
    });
  if (circuit === "possession") {
    row("verify one 128-byte proof", best.single, "at most 6 ms");
    row(`verify a batch of ${batchSize}, each`, each, "at most 2.5 ms");
  } else {
    row("verify, per bundle under a cover of 64", best.single, "at most 0.1 ms", rootsPerCover);
    row(`verify a batch of ${batchSize} covers, per bundle`, each, "at most 0.1 ms", rootsPerCover);
  }
}

const bundleCells = 16384;

/** Whether a bundle that lacks `missing` of its cells lacks this one: evenly spread, which an audit finds least often. */
const isMissing = (cell: number, missing: number): boolean =>
  Math.floor((cell + 1) * missing) > Math.floor(cell * missing);

/** Chance that one audit of a cover of `bundles` asks for a missing cell of its first bundle, by formula. */
function detectionRate(bundles: number, missing: number): number {
  const share = (bundles * bundleCells) / challengesPerProof;
  let unseen = 1;
  for (let j = 0; j < challengesPerProof; j++) {
    const ofFirst = Math.max(0, Math.min(bundleCells, (j + 1) * share) - j * share);
    unseen *= 1 - (missing * ofFirst) / share;
  }
  return 1 - unseen;
}

/** The protocol's own derivation of indices, over random seeds: how often the first bundle's missing cells are asked for. */
function simulatedRate(bundles: number, missing: number, trials: number): number {
  const cells = new Array<number>(bundles).fill(bundleCells);
  let found = 0;
  for (let trial = 0; trial < trials; trial++) {
    const seed = `0x${trial.toString(16).padStart(64, "0")}` as const;
    const indices = coverIndices({ seed, duty: seed, operator: `0x${"11".repeat(20)}` }, cells);
    if (indices.some((index) => index < bundleCells && isMissing(index, missing))) found++;
  }
  return found / trials;
}

function detection(report: Report, { quick }: BenchOptions): void {
  const trials = quick ? 500 : 5000;
  for (const [bundles, missing] of [
    [1, 0.1],
    [16, 1],
    [64, 1],
    [64, 0.5],
  ] as const) {
    const formula = detectionRate(bundles, missing);
    const simulated = simulatedRate(bundles, missing, trials);
    const spread = Math.sqrt((formula * (1 - formula)) / trials);
    if (Math.abs(simulated - formula) > 5 * spread + 1e-9) {
      throw new Error(`the simulated detection rate ${simulated} is not the formula's ${formula}`);
    }
    const epochs = Math.ceil(Math.log(0.001) / Math.log(Math.max(1 - formula, 1e-9)));
    report({
      name: `detection per epoch, ${missing * 100} % of one bundle of ${bundles} lost`,
      value: 100 * simulated,
      unit: "%",
      peer: "formula",
      peerValue: 100 * formula,
      ratio: simulated / formula,
      note: `simulated / formula, ${trials} seeds; 99.9 % after ${epochs} epoch${epochs === 1 ? "" : "s"}`,
    });
  }
}

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { getCurveFromName } from "ffjavascript";
import { powersOfTau as snarkjsTau } from "snarkjs";
import {
  applyBeacon,
  contribute,
  exportKey,
  startCeremony,
  verifyCeremony,
} from "../../circuits/ceremony/ceremony.ts";
import { readContributions } from "../../circuits/ceremony/contributions.ts";
import { checkPowersOfTau, knownPowersOfTau } from "../../circuits/ceremony/powers-of-tau.ts";
import type { CircuitArtifacts, CircuitInfo } from "../../circuits/setup/circuits.ts";
import { circuitArtifacts, repository } from "../../circuits/setup/circuits.ts";
import { CircuitSetupError } from "../../circuits/setup/errors.ts";
import { setupCircuits } from "../../circuits/setup/setup.ts";
import { compressProof } from "../../keepers/src/core/groth16/compress.ts";
import { evaluate } from "../../keepers/src/core/groth16/inputs.ts";
import { Verifier } from "../../keepers/src/core/groth16/verifier.ts";
import { decodeVerifyingKey, verifyingKeyHash } from "../../keepers/src/core/groth16/verifying-key.ts";
import { proveGroth16 } from "../../keepers/src/storage/prover/groth16-prove.ts";
import { calculateWitness } from "../../keepers/src/storage/prover/witness.ts";
import { sampleNumber } from "./samples.ts";

const beacon = { value: "c0ffee".repeat(8), iterationsExponent: 10 };

/** Exit code and standard output of the command; the entropy goes through a pipe. */
function run(
  parameters: string[],
  entropy = "",
): Promise<{ code: number | null; output: string; errors: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(repository, "circuits/ceremony/main.ts"), ...parameters]);
    let output = "";
    let errors = "";
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.stderr.on("data", (chunk: Buffer) => {
      errors += chunk.toString();
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, output, errors }));
    child.stdin.end(entropy);
  });
}

describe("a phase-2 ceremony on the sample circuit", () => {
  let folder: string;
  let circuit: CircuitArtifacts;
  let tau: { path: string; hash: string };
  const file = (name: string): string => join(folder, name);

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "assay-ceremony-"));
    [circuit] = (await setupCircuits({ only: ["sample"] })) as [CircuitArtifacts];
    const curve = await getCurveFromName("bn128");
    await snarkjsTau.newAccumulator(curve, 5, file("0.ptau"));
    await snarkjsTau.contribute(file("0.ptau"), file("1.ptau"), "first", "entropy");
    await snarkjsTau.beacon(file("1.ptau"), file("2.ptau"), "beacon", beacon.value, 10);
    await snarkjsTau.preparePhase2(file("2.ptau"), file("final.ptau"));
    const hash = createHash("blake2b512")
      .update(await readFile(file("final.ptau")))
      .digest("hex");
    tau = { path: file("final.ptau"), hash };
    await startCeremony(circuit, tau, file("0.zkey"));
    await contribute(file("0.zkey"), file("1.zkey"), "Alice", "some entropy");
    await contribute(file("1.zkey"), file("2.zkey"), "Bob", "");
    await applyBeacon(file("2.zkey"), file("final.zkey"), beacon);
  });
  after(async () => {
    await (await getCurveFromName("bn128")).terminate();
    await rm(folder, { recursive: true });
  });

  it("verifies, from the start computed anew and from a trusted one, and lists who contributed", async () => {
    for (const initial of [undefined, file("0.zkey")]) {
      const steps = await verifyCeremony({
        circuit,
        powersOfTau: tau,
        key: file("final.zkey"),
        initial,
        beacon,
      });
      assert.deepEqual(
        steps.map(({ kind, name }) => [kind, name]),
        [
          ["contributor", "Alice"],
          ["contributor", "Bob"],
          ["beacon", "beacon"],
        ],
      );
    }
  });

  it("gives a key under which proofs verify, labelled as no development key", async () => {
    const info = await exportKey(circuit, file("final.zkey"), folder);
    assert.equal(info.development, false);
    const artifacts = circuitArtifacts("sample", folder);
    const written = JSON.parse(await readFile(artifacts.info, "utf8")) as CircuitInfo;
    assert.equal(written.keyHash, info.keyHash);
    const bytes = await readFile(artifacts.verifyingKeyBytes);
    assert.equal(info.keyHash, `0x${Buffer.from(verifyingKeyHash(bytes)).toString("hex")}`);
    const elements = Array.from({ length: 16 }, (_, i) => sampleNumber(`element/${i}`));
    const rho = sampleNumber("rho");
    const witness = await calculateWitness({ elements, rho }, artifacts.wasm);
    const { proof, publicSignals } = await proveGroth16(artifacts.zkey, witness);
    assert.deepEqual(publicSignals, [evaluate(elements, rho), rho]);
    using verifier = await Verifier.create(decodeVerifyingKey(bytes));
    assert.equal(verifier.verify(compressProof(proof), publicSignals), true);
    // The secrets are fresh: the key of another ceremony, the development key among them, is another one.
    using development = await Verifier.create(decodeVerifyingKey(await readFile(circuit.verifyingKeyBytes)));
    assert.equal(development.verify(compressProof(proof), publicSignals), false);
  });

  it("never gives the same key twice: contributions differ though name and entropy are the same", async () => {
    await contribute(file("0.zkey"), file("again.zkey"), "Alice", "some entropy");
    const [first] = await readContributions(file("1.zkey"));
    const [again] = await readContributions(file("again.zkey"));
    assert.notEqual(first?.transcript, again?.transcript);
  });

  it("refuses a tampered contribution, wherever the key is changed", async () => {
    const key = await readFile(file("final.zkey"));
    // The last byte of each section: of the constraint terms, of every list of points, of the record.
    let position = 12;
    for (let remaining = key.readUInt32LE(8); remaining > 0; remaining--) {
      const length = Number(key.readBigUInt64LE(position + 4));
      const tampered = Buffer.from(key);
      // The beacon's value ends the record: a changed one is another beacon.
      tampered[position + 12 + length - 1]! ^= 1;
      await writeFile(file("tampered.zkey"), tampered);
      await assert.rejects(
        verifyCeremony({
          circuit,
          powersOfTau: tau,
          key: file("tampered.zkey"),
          initial: file("0.zkey"),
          beacon,
        }),
        CircuitSetupError,
        `section ${key.readUInt32LE(position)}`,
      );
      position += 12 + length;
    }
  });

  it("refuses a key whose record leaves out a contributor", async () => {
    await applyBeacon(file("1.zkey"), file("short.zkey"), beacon);
    const key = await readFile(file("final.zkey"));
    const short = await readFile(file("short.zkey"));
    const record = (bytes: Buffer): number => {
      let position = 12;
      while (bytes.readUInt32LE(position) !== 10)
        position += 12 + Number(bytes.readBigUInt64LE(position + 4));
      return position;
    };
    const spliced = Buffer.concat([key.subarray(0, record(key)), short.subarray(record(short))]);
    await writeFile(file("spliced.zkey"), spliced);
    await assert.rejects(
      verifyCeremony({ circuit, powersOfTau: tau, key: file("spliced.zkey"), initial: file("0.zkey") }),
      CircuitSetupError,
    );
  });

  it("refuses another beacon than the one announced, and a key that ends with none", async () => {
    const verify = (key: string, expected: typeof beacon): Promise<unknown> =>
      verifyCeremony({ circuit, powersOfTau: tau, key, initial: file("0.zkey"), beacon: expected });
    await assert.rejects(verify(file("final.zkey"), { ...beacon, value: "00" }), /ends with the beacon/);
    await assert.rejects(
      verify(file("final.zkey"), { ...beacon, iterationsExponent: 11 }),
      /ends with the beacon/,
    );
    await assert.rejects(verify(file("2.zkey"), beacon), /does not end with a beacon/);
    await assert.rejects(
      applyBeacon(file("2.zkey"), file("x.zkey"), { ...beacon, value: "xyz" }),
      CircuitSetupError,
    );
    await assert.rejects(
      applyBeacon(file("2.zkey"), file("x.zkey"), { ...beacon, iterationsExponent: 9 }),
      CircuitSetupError,
    );
  });

  it("exports no key without a contributor or without a beacon at the end", async () => {
    await applyBeacon(file("0.zkey"), file("nobody.zkey"), beacon);
    for (const key of ["0.zkey", "2.zkey", "nobody.zkey"]) {
      await assert.rejects(
        exportKey(circuit, file(key), file("refused")),
        /at least one contributor and a beacon/,
      );
    }
    await assert.rejects(exportKey(circuit, circuit.zkey, file("refused")), CircuitSetupError);
  });

  it("refuses powers of tau with another hash, before anything is written", async () => {
    const other = { ...tau, hash: knownPowersOfTau.powersOfTau28_hez_final_16 };
    await assert.rejects(startCeremony(circuit, other, file("wrong.zkey")), /not 6a6277a2/);
    await assert.rejects(readFile(file("wrong.zkey")), { code: "ENOENT" });
    await assert.rejects(checkPowersOfTau(tau.path, "powersOfTau28_hez_final_16"), CircuitSetupError);
    await assert.rejects(checkPowersOfTau(tau.path, "no hash"), /neither a known/);
    const sha256 = createHash("sha256")
      .update(await readFile(tau.path))
      .digest("hex");
    await checkPowersOfTau(tau.path, sha256);
  });

  it("runs as a command from start to end, with entropy from a pipe", async () => {
    const powers = ["--powers-of-tau", tau.path, "--powers-of-tau-hash", tau.hash];
    const steps: [string[], string?][] = [
      [["init", "--circuit", "sample", ...powers, "--out", file("c0.zkey")]],
      [
        ["contribute", "--in", file("c0.zkey"), "--out", file("c1.zkey"), "--name", "Carol"],
        "typed by Carol\n",
      ],
      [
        [
          ...["beacon", "--in", file("c1.zkey"), "--out", file("c2.zkey")],
          ...["--value", beacon.value, "--iterations-exponent", "10"],
        ],
      ],
      [
        [
          ...["verify", "--circuit", "sample", ...powers, "--key", file("c2.zkey")],
          ...["--value", beacon.value, "--iterations-exponent", "10"],
        ],
      ],
      [["export", "--circuit", "sample", "--key", file("c2.zkey"), "--out", file("exported")]],
    ];
    const outputs: string[] = [];
    for (const [parameters, entropy] of steps) {
      const { code, output, errors } = await run(parameters, entropy);
      assert.equal(code, 0, `${parameters[0]}: ${errors}`);
      assert.ok(!`${output}${errors}`.includes("typed by Carol"), "the entropy is not printed");
      outputs.push(output);
    }
    assert.match(outputs[3]!, /1\. Carol[\s\S]*2\. beacon c0ffee/);
    assert.equal((JSON.parse(outputs[4]!) as CircuitInfo).development, false);
    const wrong = await run([
      "init",
      "--circuit",
      "sample",
      "--powers-of-tau",
      tau.path,
      "--powers-of-tau-hash",
      "0".repeat(64),
      "--out",
      file("no.zkey"),
    ]);
    assert.notEqual(wrong.code, 0);
    assert.match(wrong.errors, /Download the file again/);
  });
});

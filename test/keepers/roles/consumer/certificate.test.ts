import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { keccak256, toHex } from "viem";
import { resultFiles } from "../../../../keepers/src/core/exact/result-files.ts";
import {
  type Certificate,
  evaluateModel,
  evaluateOn,
  fetchModel,
} from "../../../../keepers/src/roles/consumer/fetch-model.ts";
import { readMetadata } from "../../../../keepers/src/roles/consumer/metadata.ts";
import {
  type VerifyCertificateParameters,
  verifyCertificate,
} from "../../../../keepers/src/roles/consumer/verify-certificate.ts";
import type { JobRecord } from "../../../../keepers/src/roles/jobs/job-record.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import { windows } from "../jobs/network.ts";
import { limits, Scene } from "../jobs/scene.ts";

describe("a certificate", () => {
  let scene: Scene;
  let job: JobRecord;
  let certificate: Certificate;

  before(async () => {
    scene = await Scene.start();
    const provider = await scene.provider();
    const described = await scene.order();
    await scene.consumer.post(described);
    await scene.until(described, "Committed", [provider]);
    await scene.network.outlast(windows.challenge);
    job = await scene.until(described, "Finalised", [provider]);
    certificate = await scene.network.contracts.ModelCertificate.read.certificateOf([job.certificateId!]);
  });
  after(() => scene?.close());

  const parameters = (changes: Partial<VerifyCertificateParameters> = {}): VerifyCertificateParameters => ({
    certificateId: job.certificateId!,
    certificate,
    job,
    ledger: scene.consumer.ledger,
    contracts: scene.network.contracts,
    deployment: scene.network.deployment,
    storage: scene.storage.of(scene.owner),
    executor: nativeExecutor,
    limits,
    folder: join(scene.network.folder, "certificate"),
    steps: false,
    ...changes,
  });
  const verdicts = async (changes?: Partial<VerifyCertificateParameters>) =>
    Object.fromEntries(
      (await verifyCertificate(parameters(changes))).map(({ claim, verdict }) => [claim, verdict]),
    );
  const all = ["metadata", "job", "order", "commitment", "attestation", "program", "stored model"];
  const sound = Object.fromEntries(all.map((claim) => [claim, "holds"]));

  it("holds claim by claim, down to every step when that is asked for", async () => {
    assert.deepEqual(await verdicts(), { ...sound, steps: "skipped" });
    assert.deepEqual(await verdicts({ steps: true }), { ...sound, steps: "holds" });
  });

  it("gives metadata that any wallet reads, for what it certifies", async () => {
    const uri = await scene.network.contracts.ModelCertificate.read.tokenURI([job.certificateId!]);
    const { attributes } = readMetadata(uri);
    assert.equal(attributes["state root"], job.result!.stateRoot);
    assert.equal(attributes.job, Number(job.jobId));
    assert.throws(() => readMetadata("https://example.org/1.json"), /not in its own URI/);
    assert.throws(() => readMetadata("data:application/json;base64,e30="), /malformed/);
  });

  it("does not hold for another state, order, provider or committee than those of the job", async () => {
    const other = keccak256(toHex("other"));
    const cases: [Partial<Certificate>, string[]][] = [
      [{ stateRoot: other }, ["metadata", "job", "commitment", "stored model", "steps"]],
      [{ traceRoot: other }, ["metadata", "job", "commitment", "stored model"]],
      [{ leavesDigest: other }, ["metadata", "commitment", "stored model"]],
      [{ programRoot: other }, ["metadata", "order"]],
      [{ datasetId: other }, ["metadata", "order"]],
      [{ provider: scene.owner.address }, ["metadata", "job", "commitment"]],
      [{ isAttested: true }, ["metadata", "attestation"]],
    ];
    for (const [change, expected] of cases) {
      const steps = "stateRoot" in change;
      const claims = await verdicts({ certificate: { ...certificate, ...change }, steps });
      const wrong = Object.keys(claims).filter((claim) => claims[claim] === "wrong");
      assert.deepEqual(wrong, expected, Object.keys(change)[0]);
    }
  });

  it("does not hold when the nodes serve another model than the one that was certified", async () => {
    const path = join(scene.storage.folderOf(job.result!.resultId), resultFiles.state);
    const bytes = await readFile(path);
    const changed = Buffer.from(bytes);
    changed[5] = changed[5]! ^ 1;
    await writeFile(path, changed);
    assert.deepEqual(await verdicts(), { ...sound, "stored model": "wrong", steps: "skipped" });
    await writeFile(path, bytes);
  });

  it("is not there before a job is final", async () => {
    const { contracts } = scene.network;
    await assert.rejects(contracts.ModelCertificate.read.certificateOf([9n]), /ERC721NonexistentToken/);
  });

  it("comes with a model that is scored on the samples kept apart, and on any dataset of the same shape", async () => {
    const posted = scene.consumer.ledger.order(job.orderHash)!;
    const own = { ...parameters(), posted, folder: join(scene.network.folder, "scored") };
    const model = await fetchModel(own);
    const kept = await evaluateModel(own, model);
    const whole = await evaluateOn(own, model, scene.datasetId);
    assert.equal(whole.exact.samples, 1_797);
    assert.ok(kept!.exact.samples < whole.exact.samples);
    assert.ok(whole.exact.accuracy! > 0.5);
    await assert.rejects(evaluateOn(own, model, job.result!.resultId));
  });
});

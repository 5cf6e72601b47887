import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { bytesToHex, hexToBytes, keccak256 } from "viem";
import { setupCircuits } from "../../../../circuits/setup/setup.ts";
import { evaluateCells } from "../../../../keepers/src/core/audit/answer.ts";
import { auditPoint, bundleIndices } from "../../../../keepers/src/core/audit/challenge.ts";
import { packIndices } from "../../../../keepers/src/core/groth16/inputs.ts";
import { Verifier } from "../../../../keepers/src/core/groth16/verifier.ts";
import { decodeVerifyingKey } from "../../../../keepers/src/core/groth16/verifying-key.ts";
import { bundleId } from "../../../../keepers/src/core/ids.ts";
import { verifyBinaryProof } from "../../../../keepers/src/core/merkle/binary-tree.ts";
import { collect } from "../../../../keepers/src/storage/backends/backend.ts";
import { BadRangeError, BlobNotFoundError } from "../../../../keepers/src/storage/backends/errors.ts";
import { ProcessProver } from "../../../../keepers/src/storage/prover/process-prover.ts";
import { deployment } from "../dataset.ts";
import { account, data, offer, other, put, refused, rootsOf, storageScenes } from "./scene.ts";

describe("the storage service: reads", () => {
  const scene = storageScenes();

  it("gives byte ranges, and nothing beyond a bundle's end or of bundles that are not here", async () => {
    const service = await scene().service();
    await offer(service, data, 0);
    await put(service, data, 0);
    const bytes = data.bundles[0]!;
    const request = { datasetId: data.datasetId, bundleIndex: 0, offset: 100, length: 700 };
    assert.equal(bytesToHex(await collect(service.get(request))), bytesToHex(bytes.subarray(100, 800)));
    await assert.rejects(collect(service.get({ ...request, offset: bytes.length - 10 })), BadRangeError);
    await assert.rejects(collect(service.get({ ...request, bundleIndex: 1 })), BlobNotFoundError);
    await assert.rejects(collect(service.get({ ...request, datasetId: other.datasetId })), BlobNotFoundError);
  });

  it("opens cells under the anchored transport root", async () => {
    const service = await scene().service();
    await offer(service, data, 0);
    await put(service, data, 0);
    const { cells } = scene().shelf.get(data.datasetId, 0)!;
    const request = { datasetId: data.datasetId, bundleIndex: 0 };
    const opened = await service.cells({ ...request, cells: [cells - 1, 0, 2, 2] });
    assert.deepEqual(
      opened.map(({ index }) => index),
      [cells - 1, 0, 2, 2],
    );
    const root = hexToBytes(rootsOf(data, 0).transportRoot);
    for (const { index, cell, siblings } of opened) {
      const leaf = keccak256(new Uint8Array([0, ...cell]), "bytes");
      assert.equal(verifyBinaryProof({ root, leaf, index, leaves: cells, siblings }), true);
      leaf[0]! ^= 1;
      assert.equal(verifyBinaryProof({ root, leaf, index, leaves: cells, siblings }), false);
    }
    await assert.rejects(service.cells({ ...request, cells: [0, cells] }), refused("bad-request", /no cell/));
    await assert.rejects(service.cells({ ...request, bundleIndex: 1, cells: [0] }), BlobNotFoundError);
  });

  it("proves possession on a client's seed, as the verifying key and the bytes say", async () => {
    const [artifacts] = await setupCircuits({ only: ["possession"] });
    const { wasm, zkey, verifyingKeyBytes } = artifacts!;
    const circuits = { possession: { wasm, zkey }, covering: { wasm, zkey }, registration: { wasm, zkey } };
    const prover = new ProcessProver({ circuits });
    try {
      const service = await scene().service({ prover });
      await offer(service, data, 4);
      await put(service, data, 4);
      const seed = keccak256("0x1234");
      const { proof, evaluation } = await service.prove({
        datasetId: data.datasetId,
        bundleIndex: 4,
        seed,
      });
      const duty = bundleId(data.datasetId, 4);
      const root = BigInt(rootsOf(data, 4).poseidonRoot);
      const operator = account.address;
      const bytes = data.bundles[4]!;
      const indices = bundleIndices({ seed, duty, operator }, Math.ceil(bytes.length / 496));
      const context = { seed, duty, root, operator, chainId: BigInt(deployment.chainId) };
      const auditContract = deployment.addresses.StorageAudit;
      const rho = auditPoint({ ...context, auditContract, epoch: 2n ** 256n - 1n });
      const cells = indices.map((index) => {
        const cell = new Uint8Array(496);
        cell.set(bytes.subarray(index * 496, (index + 1) * 496));
        return cell;
      });
      assert.equal(evaluation, evaluateCells(cells, rho));
      using verifier = await Verifier.create(decodeVerifyingKey(readFileSync(verifyingKeyBytes)));
      const signals = [evaluation, root, packIndices(indices, 14, 16)[0]!, rho];
      assert.equal(verifier.verify(proof, signals), true);
      assert.equal(verifier.verify(proof, signals.with(0, evaluation + 1n)), false);
      await assert.rejects(
        service.prove({ datasetId: data.datasetId, bundleIndex: 1, seed }),
        BlobNotFoundError,
      );
    } finally {
      await prover.close();
    }
  });
});

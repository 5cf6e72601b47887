import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  encodeAbiParameters,
  type Hex,
  keccak256,
  parseAbiParameters,
  recoverAddress,
  stringToBytes,
} from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import {
  dataIndicesHash,
  learningRecord,
  learningRecordDigest,
  learningRecordTypedData,
} from "../../../../keepers/src/core/exact/learning-record.ts";
import { samplesOf, trainingHash } from "../../../../keepers/src/core/exact/order.ts";
import { recordedRefusals } from "../refusals.ts";
import { order } from "./sample-order.ts";

const throws = recordedRefusals("exact/learning-record");

const word = (byte: string): Hex => `0x${byte.repeat(32)}`;
const account = privateKeyToAccount(word("07"));
const domain = { chainId: 31337, verifyingContract: "0x00000000000000000000000000000000000000aa" } as const;
const result = {
  interval: 3,
  rootBefore: word("a1"),
  rootAfter: word("a2"),
  witnessHash: word("a3"),
  worker: account.address,
};

describe("Proof-of-Learning record", () => {
  it("takes from the order everything but the worker's result", () => {
    const record = learningRecord(order, result);
    const indices = Buffer.alloc(4 * 8);
    for (let i = 0; i < 8; i++) indices.writeUInt32BE(samplesOf(order).sample(24, i >> 2, i % 4), 4 * i);
    assert.deepEqual(record, {
      ...result,
      programRoot: order.programRoot,
      trainingHash: trainingHash(order),
      firstStep: 24n,
      steps: 1,
      seed: order.seed,
      dataIndicesHash: keccak256(indices),
    });
    throws(() => learningRecord(order, { ...result, interval: 4 }), BadInputError);
  });

  it("hashes the samples of consecutive steps over the end of an epoch", () => {
    const indices = Buffer.alloc(4 * 8 * 3);
    for (let i = 0; i < 24; i++) {
      const object = samplesOf(order).sample(9 + (i >> 3), (i >> 2) % 2, i % 4);
      indices.writeUInt32BE(object, 4 * i);
    }
    assert.equal(dataIndicesHash(order, 9, 3), keccak256(indices));
  });

  it("has the digest of EIP-712, put together by hand", () => {
    const record = learningRecord(order, result);
    const typeHash = keccak256(
      stringToBytes(
        "LearningRecord(bytes32 programRoot,bytes32 trainingHash,uint32 interval,uint64 firstStep,uint32 steps,bytes32 seed,bytes32 dataIndicesHash,bytes32 rootBefore,bytes32 rootAfter,bytes32 witnessHash,address worker)",
      ),
    );
    const domainHash = keccak256(
      encodeAbiParameters(parseAbiParameters("bytes32, bytes32, bytes32, uint256, address"), [
        keccak256(
          stringToBytes("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
        ),
        keccak256(stringToBytes("Assay Training")),
        keccak256(stringToBytes("1")),
        31337n,
        domain.verifyingContract,
      ]),
    );
    const structHash = keccak256(
      encodeAbiParameters(
        parseAbiParameters(
          "bytes32, bytes32, bytes32, uint32, uint64, uint32, bytes32, bytes32, bytes32, bytes32, bytes32, address",
        ),
        [
          typeHash,
          record.programRoot,
          record.trainingHash,
          record.interval,
          record.firstStep,
          record.steps,
          record.seed,
          record.dataIndicesHash,
          record.rootBefore,
          record.rootAfter,
          record.witnessHash,
          record.worker,
        ],
      ),
    );
    const expected = keccak256(`0x1901${domainHash.slice(2)}${structHash.slice(2)}`);
    assert.equal(learningRecordDigest(record, domain), expected);
  });

  it("names its worker through the signature, and nobody once a field has changed", async () => {
    const record = learningRecord(order, result);
    const signature = await account.signTypedData(learningRecordTypedData(record, domain));
    const signer = (changed: typeof record) =>
      recoverAddress({ hash: learningRecordDigest(changed, domain), signature });
    assert.equal(await signer(record), account.address);
    assert.notEqual(await signer({ ...record, rootAfter: word("a4") }), account.address);
    assert.notEqual(await signer({ ...record, firstStep: 23n }), account.address);
  });
});

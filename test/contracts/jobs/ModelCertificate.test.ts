import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { network } from "hardhat";
import { getAddress, getContract, keccak256, parseAbi, parseEventLogs, toHex } from "viem";

/** Of the double, which no build but the tests' has. */
const jobsAbi = parseAbi([
  "struct Certificate { uint256 jobId; address provider; bytes32 orderHash; bytes32 datasetId; bytes32 programRoot; bytes32 trainingHash; bytes32 traceRoot; bytes32 stateRoot; bytes32 resultId; bytes32 programDigest; bytes32 leavesDigest; bool isAttested; uint64 finalisedAt; }",
  "function issue(address consumer, Certificate certificate)",
  "function certificates() view returns (address)",
  "error ERC721InvalidSender(address sender)",
]);

const hashOf = (text: string) => keccak256(toHex(text));

const certificate = {
  jobId: 7n,
  provider: getAddress("0x00000000000000000000000000000000deadbeef"),
  orderHash: hashOf("order"),
  datasetId: hashOf("dataset"),
  programRoot: hashOf("program"),
  trainingHash: hashOf("training"),
  traceRoot: hashOf("trace"),
  stateRoot: hashOf("state"),
  resultId: hashOf("result"),
  programDigest: hashOf("file"),
  leavesDigest: hashOf("leaves"),
  isAttested: true,
  finalisedAt: 1_800_000_000n,
};

describe("ModelCertificate", async () => {
  const { viem } = await network.create();
  const [issuer, consumer] = await viem.getWalletClients();
  const { address } = await viem.deployContract("CertifiedDouble");
  const jobs = getContract({ address, abi: jobsAbi, client: issuer! });
  const certificates = await viem.getContractAt("ModelCertificate", await jobs.read.certificates());
  const client = await viem.getPublicClient();
  const owner = consumer!.account.address;
  const hash = await jobs.write.issue([owner, certificate]);
  const receipt = await client.waitForTransactionReceipt({ hash });

  it("belongs to the consumer, under the job's number, and says so in its event", async () => {
    assert.equal(getAddress(await certificates.read.ownerOf([7n])), getAddress(owner));
    assert.deepEqual(await certificates.read.certificateOf([7n]), certificate);
    const logs = parseEventLogs({
      abi: certificates.abi,
      logs: receipt.logs,
      eventName: "CertificateIssued",
    });
    assert.deepEqual(
      logs.map(({ args }) => args),
      [{ certificateId: 7n, jobId: 7n, consumer: getAddress(owner), certificate }],
    );
  });

  it("has metadata on chain that name all that is needed to check the model again", async () => {
    const uri = await certificates.read.tokenURI([7n]);
    const [head, body] = uri.split(",") as [string, string];
    assert.equal(head, "data:application/json;base64");
    const { name, attributes } = JSON.parse(Buffer.from(body, "base64").toString("utf8")) as {
      name: string;
      attributes: { trait_type: string; value: string | number }[];
    };
    assert.equal(name, "Assay model 7");
    assert.deepEqual(Object.fromEntries(attributes.map(({ trait_type, value }) => [trait_type, value])), {
      job: 7,
      provider: certificate.provider,
      attested: "yes",
      finalised: 1_800_000_000,
      order: certificate.orderHash,
      dataset: certificate.datasetId,
      "training order": certificate.trainingHash,
      "program root": certificate.programRoot,
      "program file (SHA-256)": certificate.programDigest,
      "trace root": certificate.traceRoot,
      "trace leaves (SHA-256)": certificate.leavesDigest,
      "state root": certificate.stateRoot,
      "stored model": certificate.resultId,
    });
  });

  it("is issued by the registry alone, once, and does not exist before", async () => {
    const account = issuer!.account;
    await assert.rejects(certificates.write.issue([owner, certificate], { account }), /NotRegistry/);
    await assert.rejects(jobs.write.issue([owner, certificate]), /ERC721InvalidSender/);
    await assert.rejects(certificates.read.tokenURI([8n]), /ERC721NonexistentToken/);
    await assert.rejects(certificates.read.certificateOf([8n]), /ERC721NonexistentToken/);
  });
});

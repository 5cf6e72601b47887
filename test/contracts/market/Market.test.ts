import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { network } from "hardhat";
import {
  type Address,
  type Hex,
  hashStruct,
  hashTypedData,
  keccak256,
  sha256,
  toHex,
  zeroAddress,
} from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";

const types = {
  Order: [
    { name: "consumer", type: "address" },
    { name: "problem", type: "Problem" },
    { name: "conditions", type: "Conditions" },
    { name: "nonce", type: "uint256" },
    { name: "expiry", type: "uint64" },
  ],
  Problem: [
    { name: "datasetId", type: "bytes32" },
    { name: "trainingHash", type: "bytes32" },
    { name: "programRoot", type: "bytes32" },
    { name: "nodeCounts", type: "uint32[3]" },
    { name: "witnessNode", type: "uint32" },
    { name: "slots", type: "uint32" },
    { name: "programDigest", type: "bytes32" },
  ],
  Conditions: [
    { name: "maximumPrice", type: "uint128" },
    { name: "deposit", type: "uint128" },
    { name: "priceFeed", type: "address" },
    { name: "trainingTime", type: "uint32" },
    { name: "minimumCompute", type: "uint32" },
    { name: "regions", type: "uint64" },
    { name: "regulations", type: "uint64" },
    { name: "privacyTier", type: "uint8" },
    { name: "scheme", type: "uint8" },
    { name: "committeeSize", type: "uint8" },
    { name: "threshold", type: "uint8" },
    { name: "checkFee", type: "uint128" },
    { name: "instalments", type: "uint8" },
  ],
  Bid: [
    { name: "provider", type: "address" },
    { name: "order", type: "bytes32" },
    { name: "price", type: "uint128" },
    { name: "compute", type: "uint32" },
    { name: "region", type: "uint64" },
    { name: "regulations", type: "uint64" },
    { name: "privacyTier", type: "uint8" },
    { name: "nonce", type: "uint256" },
    { name: "expiry", type: "uint64" },
  ],
} as const;

const packed = toHex("{}");
const training = toHex("training");

/** Every field differs from every other, so that two that are swapped show. */
const orderOf = (consumer: Address) => ({
  consumer,
  problem: {
    datasetId: keccak256("0x01"),
    trainingHash: keccak256(training),
    programRoot: keccak256("0x03"),
    nodeCounts: [11, 12, 13] as const,
    witnessNode: 14,
    slots: 15,
    programDigest: sha256(packed),
  },
  conditions: {
    maximumPrice: 21n,
    deposit: 2n ** 128n - 1n,
    priceFeed: zeroAddress,
    trainingTime: 23,
    minimumCompute: 24,
    regions: 2n ** 64n - 1n,
    regulations: 26n,
    privacyTier: 27,
    scheme: 2,
    committeeSize: 29,
    threshold: 30,
    checkFee: 31n,
    instalments: 37,
  },
  nonce: 2n ** 256n - 1n,
  expiry: 2n ** 40n,
});

const bidOf = (provider: Address, order: Hex) => ({
  provider,
  order,
  price: 41n,
  compute: 42,
  region: 43n,
  regulations: 44n,
  privacyTier: 45,
  nonce: 46n,
  expiry: 2n ** 64n - 1n,
});

describe("what consumers and providers sign", async () => {
  const { viem } = await network.create({ network: "embedded" });
  const [owner] = await viem.getWalletClients();
  const publicClient = await viem.getPublicClient();
  const holder = owner!.account.address;
  let market: Awaited<ReturnType<typeof deploy>>;

  const deploy = async () => {
    const token = await viem.deployContract("AssayToken", [holder, 1n]);
    // Neither staking nor jobs are called by what is tested here.
    const modules = [holder, token.address, holder, holder, holder, holder] as const;
    return viem.deployContract("Market", [...modules, { leastWindow: 600, grace: 600 }, zeroAddress]);
  };

  const domain = async () => ({
    name: "Assay Market",
    version: "1",
    chainId: await publicClient.getChainId(),
    verifyingContract: market.address,
  });

  before(async () => {
    market = await deploy();
  });

  it("the domain is what EIP-5267 says", async () => {
    const [fields, name, version, chainId, verifyingContract] = await market.read.eip712Domain();
    assert.equal(fields, "0x0f");
    const said = {
      name,
      version,
      chainId: Number(chainId),
      verifyingContract: verifyingContract.toLowerCase(),
    };
    assert.deepEqual(said, await domain());
  });

  it("hashes of orders and bids agree with viem's", async () => {
    const order = orderOf(holder);
    const hash = hashStruct({ types, primaryType: "Order", data: order });
    assert.equal(await market.read.hashOrder([order]), hash);
    const bid = bidOf(holder, hash);
    assert.equal(await market.read.hashBid([bid]), hashStruct({ types, primaryType: "Bid", data: bid }));
  });

  it("an order signed as typed data is taken, for this market alone", async () => {
    const account = privateKeyToAccount(generatePrivateKey());
    const order = orderOf(account.address);
    const typed = { domain: await domain(), types, primaryType: "Order", message: order } as const;
    const signature = await account.signTypedData(typed);
    assert.equal(await account.sign({ hash: hashTypedData(typed) }), signature);
    const post = await market.write.post([order, training, packed, signature]);
    const { status } = await publicClient.getTransactionReceipt({ hash: post });
    assert.equal(status, "success");
    const elsewhere = { ...typed, domain: { ...typed.domain, chainId: 1 } };
    await viem.assertions.revertWithCustomErrorWithArgs(
      market.write.post([order, training, packed, await account.signTypedData(elsewhere)]),
      market,
      "WrongSignature",
      [account.address],
    );
  });
});

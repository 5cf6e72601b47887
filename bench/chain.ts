import { readFileSync } from "node:fs";
import { encodeFunctionData, zeroHash } from "viem";
import { datasetRegistryAbi } from "../keepers/src/chain/abi/dataset-registry.ts";
import { reportJobCosts } from "./job-costs.ts";
import type { BenchOptions, Report } from "./measure.ts";

/** Gas of the code that is deployed, as test/contracts/gas.test.ts measures and checks it. */
const gas = JSON.parse(
  readFileSync(new URL("../test/snapshots/gas.json", import.meta.url), "utf8"),
) as Record<string, number>;

/**
 * Prices the cost table is stated at: what a user can compare with today's. All three networks post their data as
 * EIP-4844 blobs, so a byte of calldata costs about one blob gas (131,072 to a blob of 131,072 bytes), uncompressed.
 */
const assumed = { dollarsPerEther: 3_000, blobGweiPerByte: 5 };
const assumedNetworks = [
  { name: "Linea", gweiPerGas: 0.06 },
  { name: "Scroll", gweiPerGas: 0.04 },
  { name: "zkSync (EVM interpreter)", gweiPerGas: 0.05 },
];
const dollarBar = 0.5;

/** Published elsewhere, not measured here: one storage proof of EthStorage on chain. */
const ethStorageProof = 372_882;

function need(name: string): number {
  const value = gas[name];
  if (value === undefined) throw new Error(`test/snapshots/gas.json has no entry "${name}"`);
  return value;
}

/** Calldata bytes of anchoring a dataset with this many bundles. */
function anchorBytes(bundles: number): number {
  const filled = `0x${"ab".repeat(32)}` as const;
  const roots = new Array<typeof filled>(bundles).fill(filled);
  const shape = { objectCount: 1797n, objectSize: 65, segmentObjects: 1797, k: 8, n: 11, encrypted: false };
  const data = encodeFunctionData({
    abi: datasetRegistryAbi,
    functionName: "anchor",
    args: [
      {
        datasetId: filled,
        manifestHash: filled,
        manifestDigest: filled,
        objectRoot: filled,
        shape,
        previous: zeroHash,
        feePerAudit: 10n ** 15n,
        epochs: 30,
      },
      roots,
      roots,
    ],
  });
  return (data.length - 2) / 2;
}

/** What the protocol costs on chain. */
export async function run(report: Report, options: BenchOptions): Promise<void> {
  const { dollarsPerEther = assumed.dollarsPerEther, blobGweiPerByte = assumed.blobGweiPerByte } = options;
  const networks = assumedNetworks.map(({ name, gweiPerGas }) => {
    return { name, gweiPerGas: options.gweiPerGas ?? gweiPerGas };
  });
  const answer = need("answer, first");
  report({
    name: "audit answer, one proof, whole transaction",
    value: answer,
    unit: "gas",
    peer: "EthStorage proof (published figure)",
    peerValue: ethStorageProof,
    ratio: answer / ethStorageProof,
    note: "lower is better; bar 300,000; the first answer in 256 epochs",
  });
  const cover = need("answerCover of 64, later") / 64;
  report({
    name: "audit answer per bundle, cover of 64",
    value: cover,
    unit: "gas",
    peer: "a proof per bundle",
    peerValue: need("answer, later"),
    ratio: cover / need("answer, later"),
    note: "lower is better; each epoch samples 16 of the 64 bundles",
  });
  const anchor = need("anchor 11 bundles");
  report({
    name: "anchor a dataset of 11 bundles",
    value: anchor,
    unit: "gas",
    peer: "storing both roots of each bundle in slots (22,100 gas each)",
    peerValue: 22 * 22_100,
    ratio: anchor / (22 * 22_100),
    note: "lower is better; bond and fees included",
  });
  const bytes = anchorBytes(11);
  for (const { name, gweiPerGas } of networks) {
    const data = bytes * blobGweiPerByte;
    const dollars = ((anchor * gweiPerGas + data) / 1e9) * dollarsPerEther;
    const breakEven = ((dollarBar / dollarsPerEther) * 1e9 - data) / anchor;
    report({
      name: `anchor on ${name}`,
      value: dollars,
      unit: "$",
      peer: "bar",
      peerValue: dollarBar,
      ratio: dollars / dollarBar,
      note: `at ${gweiPerGas} gwei a gas, ${blobGweiPerByte} gwei a byte (${bytes} bytes), $${dollarsPerEther} an ether; the bar holds up to ${breakEven.toFixed(2)} gwei`,
    });
  }
  reportJobCosts(report, { dollarsPerEther, blobGweiPerByte, networks });
}

import { readFileSync } from "node:fs";
import type { Report } from "./measure.ts";

/** Prices that costs are stated at. They are assumptions, in the order of what these networks asked in 2025. */
export type Prices = {
  readonly dollarsPerEther: number;
  /** Of a byte of calldata, which the networks post as EIP-4844 blobs (131,072 bytes for as much blob gas). */
  readonly blobGweiPerByte: number;
  readonly networks: readonly { readonly name: string; readonly gweiPerGas: number }[];
};

/** Gas and calldata, each summed over the transactions of one part of a job. */
type Cost = { readonly gas: number; readonly bytes: number };

function recordOf(name: string): (key: string) => number {
  const file = `test/snapshots/${name}.json`;
  const values = JSON.parse(readFileSync(new URL(`../${file}`, import.meta.url), "utf8")) as Record<
    string,
    number
  >;
  return (key) => {
    const value = values[key];
    if (value === undefined) throw new Error(`${file} has no entry "${key}"`);
    return value;
  };
}

function sum(read: (key: string) => number, keys: readonly string[]): Cost {
  return {
    gas: keys.reduce((total, key) => total + read(key), 0),
    bytes: keys.reduce((total, key) => total + read(`${key}, bytes`), 0),
  };
}

/** What a job costs on chain, from what tests put on record, at the prices of each network. */
export function reportJobCosts(report: Report, { dollarsPerEther, blobGweiPerByte, networks }: Prices): void {
  const job = sum(recordOf("jobGas"), [
    "open",
    "matchJob",
    "lock",
    "commit",
    "callTimeout",
    "finalise",
    "withdraw",
  ]);
  const calls = ["draw", "attest", "openWitnesses", "reveal"].map((call) => `5 of 9, ${call}`);
  const attestation = sum(recordOf("attestationGas"), calls);
  const lenet = recordOf("disputeLenet");
  const convolution = "9370 steps, 16 to a leaf, CONV";
  const parts: [string, Cost][] = [
    ["job without a dispute, open to payment", job],
    [
      "the same, attested by 5 of 9",
      { gas: job.gas + attestation.gas, bytes: job.bytes + attestation.bytes },
    ],
    [
      "dispute over a convolution of LeNet-5",
      { gas: lenet(`${convolution}, total`), bytes: lenet(`${convolution}, bytes`) },
    ],
  ];
  for (const [name, { gas, bytes }] of parts) {
    for (const network of networks) {
      const execution = (gas * network.gweiPerGas * dollarsPerEther) / 1e9;
      const data = (bytes * blobGweiPerByte * dollarsPerEther) / 1e9;
      report({
        name: `${name}, on ${network.name}`,
        value: execution + data,
        unit: "$",
        peer: "its execution alone",
        peerValue: execution,
        ratio: (execution + data) / execution,
        note: `${gas.toLocaleString("en")} gas at ${network.gweiPerGas} gwei, ${bytes.toLocaleString("en")} bytes at ${blobGweiPerByte} gwei, $${dollarsPerEther} an ether`,
      });
    }
  }
}

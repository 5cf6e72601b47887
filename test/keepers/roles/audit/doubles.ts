import { type Hex, numberToHex } from "viem";
import type { AssayEvent } from "../../../../keepers/src/chain/contracts.ts";
import type { ChainHistory, Stamp, Stamps } from "../../../../keepers/src/roles/audit/history.ts";
import type { IndexFindings } from "../../../../keepers/src/roles/audit/told.ts";

export const word = (value: number | bigint): Hex => numberToHex(value, { size: 32 });
export const account = (value: number | bigint): Hex => numberToHex(value, { size: 20 });

/** Transaction of the only event of a block. */
const hashOf = (block: number): Hex => word(0x7000_0000 + block);

/** An event that is the only one of its block. */
export function happened(block: number, name: string, args: Readonly<Record<string, unknown>>): AssayEvent {
  const [contract, eventName] = name.split(".");
  return {
    ...{ contract, eventName, args, blockNumber: BigInt(block), logIndex: 0 },
    ...{ blockHash: word(0xb0000 + block), transactionHash: hashOf(block) },
  } as unknown as AssayEvent;
}

/** Transactions of events, ten seconds from block to block; `known` says what of a block's transaction matters. */
export function stampsOf(events: readonly AssayEvent[], known: Partial<Stamp> = {}): Stamps {
  return new Map(
    events.map(({ blockNumber, transactionHash }) => [
      transactionHash,
      { timestamp: blockNumber * 10n, from: account(0xf), to: account(0x70), input: "0x", ...known },
    ]),
  );
}

export function historyOf(events: readonly AssayEvent[], block: number): ChainHistory {
  const addresses = { Committee: account(0xc0), Market: account(0x3a) };
  return {
    chainId: 31_337,
    deployment: { chainId: 31_337, startBlock: 0n, beacon: "CommitRevealBeacon", addresses, keyHashes: {} },
    block: { number: BigInt(block), hash: word(0xb0000 + block), timestamp: BigInt(block) * 10n },
    events,
  } as unknown as ChainHistory;
}

/** What an honest index behaves like that has reached a block and was not asked anything yet. */
export function findingsAt(block: number, rest: Partial<IndexFindings> = {}): IndexFindings {
  const position = { number: BigInt(block), hash: word(0xb0000 + block), hasErrors: false };
  return {
    ...{ url: "http://127.0.0.1/", position, asOf: BigInt(block), isBehind: false, isOnChain: true },
    ...{ told: {}, failures: [] },
    ...rest,
  };
}

import { type AbiEvent, decodeEventLog, type Hex } from "viem";
import { parseBytes } from "../values/value.ts";

/** What of a log holds the values of its event. */
export type EncodedLog = { readonly topics: readonly string[]; readonly data: string };

/** The values of an event in the order of its inputs; undefined for a log that only looks like it. */
export type EventDecoder = (log: EncodedLog) => readonly unknown[] | undefined;

/** A value out of the 64 hexadecimal digits of its word. */
type WordReader = (word: string) => unknown;

function wordReader(type: string): WordReader | undefined {
  if (type === "address") return (word) => parseBytes(word.slice(24));
  if (type === "bool") return (word) => BigInt(`0x${word}`) !== 0n;
  if (/^uint\d*$/.test(type)) return (word) => BigInt(`0x${word}`);
  if (/^int\d*$/.test(type)) return (word) => BigInt.asIntN(256, BigInt(`0x${word}`));
  const bytes = /^bytes(\d+)$/.exec(type);
  return bytes === null ? undefined : (word) => parseBytes(word.slice(0, 2 * Number(bytes[1])));
}

/**
 * Decodes logs of one event (Solidity's ABI, "Events"). Most events have values of one word each, which need no more than
 * cutting; the others are left to viem.
 */
export function eventDecoder(event: AbiEvent): EventDecoder {
  const readers = event.inputs.map(({ type }) => wordReader(type));
  return readers.every((reader) => reader !== undefined)
    ? simpleDecoder(event, readers)
    : generalDecoder(event);
}

function simpleDecoder({ inputs }: AbiEvent, readers: readonly WordReader[]): EventDecoder {
  const indexed = inputs.filter((input) => input.indexed === true).length;
  const length = 2 + 64 * (inputs.length - indexed);
  return ({ topics, data }) => {
    if (topics.length !== indexed + 1 || data.length < length) return undefined;
    let topic = 1;
    let at = 2;
    return inputs.map((input, i) => {
      if (input.indexed === true) return readers[i]!(topics[topic++]!.slice(2));
      at += 64;
      return readers[i]!(data.slice(at - 64, at));
    });
  };
}

function generalDecoder(event: AbiEvent): EventDecoder {
  // Inputs without names are decoded by position, with names by name.
  const inputs = event.inputs.map((input, i) => ({ ...input, name: input.name || `param${i}` }));
  const abi = [{ ...event, inputs }];
  return ({ topics, data }) => {
    try {
      const { args } = decodeEventLog({ abi, topics: topics as unknown as [Hex], data: data as Hex });
      return inputs.map(({ name }) => (args as Record<string, unknown>)[name]);
    } catch {
      return undefined;
    }
  };
}

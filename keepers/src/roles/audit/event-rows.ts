import {
  type Abi,
  type AbiEvent,
  type AbiParameter,
  concatHex,
  type Hex,
  keccak256,
  size,
  toHex,
} from "viem";
import { abis } from "../../chain/abi/index.ts";
import type { AssayEvent } from "../../chain/contracts.ts";
import { canonicalJson } from "../../core/dataset/canonical-json.ts";
import type { Stamps } from "./history.ts";
import type { Row } from "./rows.ts";

/** Longest bytes that an index writes out in an event's parameters. */
const longestBytes = 1_024;

/** Id of an event in an index: its block and its place in it, big-endian, eight and four bytes. */
export function eventId({ blockNumber, logIndex }: Pick<AssayEvent, "blockNumber" | "logIndex">): Hex {
  return concatHex([toHex(blockNumber, { size: 8 }), toHex(logIndex, { size: 4 })]);
}

/** An event as an index has to give it. */
export function eventRow(event: AssayEvent, stamps: Stamps): Row {
  const { timestamp, from } = stamps.get(event.transactionHash)!;
  return {
    id: eventId(event),
    contract: event.contract,
    name: event.eventName,
    parameters: parametersOf(event),
    block: String(event.blockNumber),
    timestamp: String(timestamp),
    transaction: event.transactionHash,
    sender: from.toLowerCase(),
    logIndex: event.logIndex,
  };
}

/** Parameters that an index gave, written so that equal ones are equal texts. */
export function normalParameters(text: string): string {
  try {
    return canonicalJson(JSON.parse(text));
  } catch {
    return text;
  }
}

function parametersOf({ contract, eventName, args }: AssayEvent): string {
  const { inputs } = (abis[contract] as Abi).find(
    (item): item is AbiEvent => item.type === "event" && item.name === eventName,
  )!;
  const values = args as Readonly<Record<string, unknown>> | undefined;
  return canonicalJson(
    Object.fromEntries(inputs.map((input) => [input.name!, described(values?.[input.name!], input)])),
  );
}

type Described = string | number | boolean | readonly Described[] | { readonly [name: string]: Described };

/** A value as the mappings write it: integers in decimal, bytes in hexadecimal, long bytes as their hash. */
function described(value: unknown, parameter: AbiParameter): Described {
  const { type } = parameter;
  const element = /^(.*)\[\d*\]$/.exec(type)?.[1];
  if (element !== undefined) {
    const inner = { ...parameter, type: element } as AbiParameter;
    return (value as readonly unknown[]).map((each) => described(each, inner));
  }
  if (type === "tuple") {
    const { components } = parameter as AbiParameter & { readonly components: readonly AbiParameter[] };
    const named = value as Readonly<Record<string, unknown>>;
    return components.map((component) => described(named[component.name!], component));
  }
  if (type === "bool") return value as boolean;
  if (type === "string") return value as string;
  if (!type.startsWith("bytes")) return type === "address" ? (value as Hex).toLowerCase() : String(value);
  const bytes = value as Hex;
  if (size(bytes) <= longestBytes) return bytes;
  return { keccak256: keccak256(bytes), length: size(bytes) };
}

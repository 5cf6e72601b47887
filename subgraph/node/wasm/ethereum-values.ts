import type { Address, Hex } from "viem";
import { UnsupportedSubgraphError } from "../errors.ts";
import { parseBytes } from "../values/value.ts";
import { type Memory, typeId } from "./memory.ts";

/** A parameter of an event or a component of a tuple, as in an ABI. */
export type Parameter = {
  readonly name?: string;
  readonly type: string;
  readonly components?: readonly Parameter[];
};

/** A block as a mapping sees it; what the chain does not know is zero. */
export type ChainBlock = {
  readonly number: bigint;
  readonly hash: Hex;
  readonly parentHash: Hex;
  readonly timestamp: bigint;
  readonly sha3Uncles?: Hex | null;
  readonly miner?: Address | null;
  readonly stateRoot?: Hex;
  readonly transactionsRoot?: Hex;
  readonly receiptsRoot?: Hex;
  readonly gasUsed?: bigint | undefined;
  readonly gasLimit?: bigint | undefined;
  readonly difficulty?: bigint | undefined;
  readonly size?: bigint | undefined;
  readonly baseFeePerGas?: bigint | null | undefined;
};

export type ChainTransaction = {
  readonly hash: Hex;
  readonly transactionIndex: number;
  readonly from: Address;
  readonly to: Address | null;
  readonly value: bigint;
  readonly gas: bigint;
  readonly gasPrice?: bigint;
  readonly input: Hex;
  readonly nonce: number;
};

/** An event with its values in the order of `inputs`. */
export type ChainEvent = {
  readonly address: Address;
  readonly logIndex: number;
  readonly inputs: readonly Parameter[];
  readonly values: readonly unknown[];
};

/** Kinds of `ethereum.Value` in graph-ts. */
const kind = {
  address: 0,
  fixedBytes: 1,
  bytes: 2,
  int: 3,
  uint: 4,
  bool: 5,
  string: 6,
  fixedArray: 7,
  array: 8,
  tuple: 9,
} as const;

const zeroHash: Hex = `0x${"0".repeat(64)}`;
const zeroAddress: Hex = `0x${"0".repeat(40)}`;

/** Values of viem are hexadecimal; those of the node's own decoder are bytes already. */
const bytesOf = (value: unknown): Uint8Array =>
  value instanceof Uint8Array ? value : parseBytes(value as string)!;

/** Writes an `ethereum.Event` and gives its pointer. */
export function writeEvent(
  memory: Memory,
  event: ChainEvent,
  block: ChainBlock,
  transaction: ChainTransaction,
): number {
  const parameters = event.inputs.map((input, i) =>
    memory.writeObject(typeId.EventParam, [
      memory.writeString(input.name || `param${i}`),
      writeValue(memory, input, event.values[i]),
    ]),
  );
  const index = BigInt(event.logIndex);
  return memory.writeObject(typeId.EthereumEvent, [
    memory.writeBytes(bytesOf(event.address)),
    memory.writeBigInt(index),
    // The JSON-RPC answers of today's nodes have no index within the transaction: graph-node gives the log's there.
    memory.writeBigInt(index),
    0,
    writeBlock(memory, block),
    writeTransaction(memory, transaction),
    memory.writeArray(typeId.ArrayEventParam, parameters),
    0,
  ]);
}

/** Bytes of the hashes and accounts of blocks and transactions, which come with each of their events. */
const known = new WeakMap<ChainBlock | ChainTransaction, Map<Hex, Uint8Array>>();

function knownBytes(owner: ChainBlock | ChainTransaction, value: Hex): Uint8Array {
  let values = known.get(owner);
  if (values === undefined) {
    values = new Map();
    known.set(owner, values);
  }
  let bytes = values.get(value);
  if (bytes === undefined) {
    bytes = parseBytes(value)!;
    values.set(value, bytes);
  }
  return bytes;
}

function writeBlock(memory: Memory, block: ChainBlock): number {
  const hash = (value: Hex | null | undefined) => memory.writeBytes(knownBytes(block, value ?? zeroHash));
  const number = (value: bigint | null | undefined) => memory.writeBigInt(value ?? 0n);
  return memory.writeObject(typeId.EthereumBlock, [
    hash(block.hash),
    hash(block.parentHash),
    hash(block.sha3Uncles),
    memory.writeBytes(knownBytes(block, block.miner ?? zeroAddress)),
    hash(block.stateRoot),
    hash(block.transactionsRoot),
    hash(block.receiptsRoot),
    number(block.number),
    number(block.gasUsed),
    number(block.gasLimit),
    number(block.timestamp),
    number(block.difficulty),
    // Total difficulty ended with proof of work.
    number(0n),
    block.size === undefined ? 0 : number(block.size),
    block.baseFeePerGas == null ? 0 : number(block.baseFeePerGas),
  ]);
}

function writeTransaction(memory: Memory, transaction: ChainTransaction): number {
  const number = (value: bigint) => memory.writeBigInt(value);
  const bytes = (value: Hex) => memory.writeBytes(knownBytes(transaction, value));
  return memory.writeObject(typeId.EthereumTransaction, [
    bytes(transaction.hash),
    number(BigInt(transaction.transactionIndex)),
    bytes(transaction.from),
    transaction.to === null ? 0 : bytes(transaction.to),
    number(transaction.value),
    number(transaction.gas),
    number(transaction.gasPrice ?? 0n),
    bytes(transaction.input),
    number(BigInt(transaction.nonce)),
  ]);
}

function writeValue(memory: Memory, parameter: Parameter, value: unknown): number {
  const tagged = (valueKind: number, payload: number) =>
    memory.writeTagged(typeId.EthereumValue, valueKind, payload);
  const { type, components = [] } = parameter;
  const array = /^(.*)\[(\d*)\]$/.exec(type);
  if (array !== null) {
    const elements = (value as readonly unknown[]).map((element) =>
      writeValue(memory, { type: array[1]!, components }, element),
    );
    const pointer = memory.writeArray(typeId.ArrayEthereumValue, elements);
    return tagged(array[2] === "" ? kind.array : kind.fixedArray, pointer);
  }
  if (type === "tuple") {
    const parts = components.map((component, i) =>
      writeValue(
        memory,
        component,
        Array.isArray(value) ? value[i] : (value as Record<string, unknown>)[component.name!],
      ),
    );
    return tagged(kind.tuple, memory.writeArray(typeId.ArrayEthereumValue, parts));
  }
  if (type === "address") return tagged(kind.address, memory.writeBytes(bytesOf(value)));
  if (type === "bool") return tagged(kind.bool, value === true ? 1 : 0);
  if (type === "string") return tagged(kind.string, memory.writeString(value as string));
  if (type === "bytes") return tagged(kind.bytes, memory.writeBytes(bytesOf(value)));
  if (type.startsWith("bytes")) return tagged(kind.fixedBytes, memory.writeBytes(bytesOf(value)));
  const integer = /^(u?)int(\d*)$/.exec(type);
  if (integer === null)
    throw new UnsupportedSubgraphError(`events with values of type ${type} are not supported`);
  // viem gives integers of up to 48 bits as numbers.
  return tagged(
    integer[1] === "u" ? kind.uint : kind.int,
    memory.writeBigInt(BigInt(value as number | bigint)),
  );
}

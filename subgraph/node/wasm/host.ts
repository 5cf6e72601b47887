import { keccak256 } from "viem";
import { MappingError, UnsupportedSubgraphError } from "../errors.ts";
import type { EntityType } from "../schema/entity-schema.ts";
import { BigDecimal } from "../values/big-decimal.ts";
import { type Entity, parseBytes, toHexText, type Value } from "../values/value.ts";
import type { Memory } from "./memory.ts";
import { readBigDecimal, readFields, writeBigDecimal, writeEntity } from "./store-values.ts";

/** Entities as a handler sees them; ids as mappings write them, bytes in hexadecimal. */
export type MappingStore = {
  type(name: string): EntityType;
  get(type: EntityType, id: string): Entity | undefined;
  /** The entity when the block that is being handled set it. */
  getInBlock(type: EntityType, id: string): Entity | undefined;
  set(type: EntityType, id: string, fields: ReadonlyMap<string, Value>): void;
  remove(type: EntityType, id: string): void;
};

/** What does not change between the events of one data source. */
export type DataSource = {
  readonly address: `0x${string}`;
  readonly network: string;
};

export type HostParts = {
  readonly store: MappingStore;
  readonly source: DataSource;
  readonly memory: () => Memory;
  /** Level as in graph-ts: 1 error, 2 warning, 3 info, 4 debug. */
  readonly log: (level: number, message: string) => void;
};

/** Pointers and numbers in, a pointer, a number or nothing out. */
type HostFunction = (...args: number[]) => unknown;

const truncate = (numerator: bigint, denominator: bigint): bigint => {
  if (denominator === 0n) throw new MappingError("a mapping divided a BigInt by zero");
  return numerator / denominator;
};

/** The functions of graph-node that a mapping may import, by module and name, for those that `imported` names. */
export function hostImports(imported: readonly WebAssembly.ModuleImportDescriptor[], parts: HostParts) {
  const known = { ...basics(parts), ...storeFunctions(parts), ...integers(parts), ...decimals(parts) };
  const imports: Record<string, Record<string, HostFunction>> = {};
  for (const { module, name } of imported) {
    const found = (known as Record<string, HostFunction>)[`${module}.${name}`];
    if (found === undefined)
      throw new UnsupportedSubgraphError(`mappings call ${module}.${name}, which this node does not provide`);
    imports[module] = { ...imports[module], [name]: found };
  }
  return imports;
}

function basics({ memory, source, log }: HostParts): Record<string, HostFunction> {
  const conversion = "conversion.typeConversion";
  return {
    "env.abort": (message, file, line, column) => {
      const m = memory();
      throw new MappingError(`${m.string(message!)} (${m.string(file!)}:${line}:${column})`);
    },
    "index.log.log": (level, message) => {
      const text = memory().string(message!);
      if (level === 0) throw new MappingError(`a mapping stopped the subgraph: ${text}`);
      log(level!, text);
    },
    "index.crypto.keccak256": (bytes) => memory().writeBytes(keccak256(memory().bytes(bytes!), "bytes")),
    "datasource.dataSource.address": () => memory().writeBytes(parseBytes(source.address)!),
    "datasource.dataSource.network": () => memory().writeString(source.network),
    [`${conversion}.bytesToString`]: (bytes) =>
      memory().writeString(Buffer.from(memory().bytes(bytes!)).toString("utf8").replace(/\0+$/, "")),
    [`${conversion}.bytesToHex`]: (bytes) => memory().writeString(toHexText(memory().bytes(bytes!))),
    [`${conversion}.bigIntToString`]: (value) => memory().writeString(memory().bigInt(value!).toString()),
    [`${conversion}.bigIntToHex`]: (value) => {
      const n = memory().bigInt(value!);
      return memory().writeString(n < 0n ? `-0x${(-n).toString(16)}` : `0x${n.toString(16)}`);
    },
    [`${conversion}.stringToH160`]: (text) => {
      const written = memory().string(text!);
      const bytes = parseBytes(written);
      if (bytes?.length !== 20) throw new MappingError(`"${written}" is not an address`);
      return memory().writeBytes(bytes);
    },
  };
}

function storeFunctions({ memory, store }: HostParts): Record<string, HostFunction> {
  const found = (type: EntityType, entity: Entity | undefined) =>
    entity === undefined ? 0 : writeEntity(memory(), type, entity);
  const named = (pointer: number) => store.type(memory().name(pointer));
  return {
    "index.store.get": (name, id) => {
      const type = named(name!);
      return found(type, store.get(type, memory().string(id!)));
    },
    "index.store.get_in_block": (name, id) => {
      const type = named(name!);
      return found(type, store.getInBlock(type, memory().string(id!)));
    },
    "index.store.set": (name, id, data) =>
      store.set(named(name!), memory().string(id!), readFields(memory(), data!)),
    "index.store.remove": (name, id) => store.remove(named(name!), memory().string(id!)),
  };
}

function integers({ memory }: HostParts): Record<string, HostFunction> {
  const binary = (compute: (a: bigint, b: bigint) => bigint) => (a?: number, b?: number) =>
    memory().writeBigInt(compute(memory().bigInt(a!), memory().bigInt(b!)));
  const withByte = (compute: (a: bigint, b: bigint) => bigint) => (a?: number, b?: number) =>
    memory().writeBigInt(compute(memory().bigInt(a!), BigInt(b! & 255)));
  const module = "numbers.bigInt";
  return {
    [`${module}.plus`]: binary((a, b) => a + b),
    [`${module}.minus`]: binary((a, b) => a - b),
    [`${module}.times`]: binary((a, b) => a * b),
    [`${module}.dividedBy`]: binary(truncate),
    [`${module}.mod`]: binary((a, b) => a - truncate(a, b) * b),
    [`${module}.bitOr`]: binary((a, b) => a | b),
    [`${module}.bitAnd`]: binary((a, b) => a & b),
    [`${module}.pow`]: withByte((a, b) => a ** b),
    [`${module}.leftShift`]: withByte((a, b) => a << b),
    [`${module}.rightShift`]: withByte((a, b) => a >> b),
    [`${module}.dividedByDecimal`]: (a, b) =>
      writeBigDecimal(memory(), divide(new BigDecimal(memory().bigInt(a!), 0), readBigDecimal(memory(), b!))),
    [`${module}.fromString`]: (text) => {
      const written = memory().string(text!);
      if (!/^[+-]?\d+$/.test(written)) throw new MappingError(`"${written}" is not an integer`);
      return memory().writeBigInt(BigInt(written));
    },
  };
}

function decimals({ memory }: HostParts): Record<string, HostFunction> {
  const binary = (compute: (a: BigDecimal, b: BigDecimal) => BigDecimal) => (a?: number, b?: number) =>
    writeBigDecimal(memory(), compute(readBigDecimal(memory(), a!), readBigDecimal(memory(), b!)));
  const module = "numbers.bigDecimal";
  return {
    [`${module}.plus`]: binary((a, b) => a.plus(b)),
    [`${module}.minus`]: binary((a, b) => a.minus(b)),
    [`${module}.times`]: binary((a, b) => a.times(b)),
    [`${module}.dividedBy`]: binary(divide),
    [`${module}.equals`]: (a, b) =>
      readBigDecimal(memory(), a!).compare(readBigDecimal(memory(), b!)) === 0 ? 1 : 0,
    [`${module}.toString`]: (value) => memory().writeString(readBigDecimal(memory(), value!).toString()),
    [`${module}.fromString`]: (text) => writeBigDecimal(memory(), BigDecimal.parse(memory().string(text!))),
  };
}

function divide(a: BigDecimal, b: BigDecimal): BigDecimal {
  if (b.digits === 0n) throw new MappingError("a mapping divided a BigDecimal by zero");
  return a.dividedBy(b);
}

import { createHash } from "node:crypto";
import { type Hex, zeroHash } from "viem";
import { MappingError } from "../errors.ts";
import type { EntitySchema, EntityType, FieldType } from "../schema/entity-schema.ts";
import { BigDecimal } from "../values/big-decimal.ts";
import { type Entity, isSameValue, parseBytes, toHexText, toJson, type Value } from "../values/value.ts";
import type { MappingStore } from "../wasm/host.ts";
import { decodeCell } from "./columns.ts";
import type { Database, Row } from "./database.ts";
import { Table } from "./table.ts";

export type BlockHeader = {
  readonly number: bigint;
  readonly hash: Hex;
  readonly parentHash: Hex;
  readonly timestamp: bigint;
};

export type IndexedBlock = BlockHeader & {
  /** Chained hash over all changes up to this block: equal wherever the same chain was indexed. */
  readonly proof: Hex;
};

/** What a block did to an entity; `undefined` stands for an entity that is not there. */
type Change = { readonly type: EntityType; readonly before: Entity | undefined; after: Entity | undefined };

/** Current entities that are kept in memory; the oldest go first. */
const cacheSize = 50_000;

/** Entities as they are, and as they were from block to block. */
export class EntityStore implements MappingStore {
  readonly schema: EntitySchema;
  readonly database: Database;
  readonly #cache = new Map<string, Entity | undefined>();
  readonly #changes = new Map<string, Change>();
  readonly #tables = new Map<EntityType, Table>();

  constructor(database: Database, schema: EntitySchema) {
    this.database = database;
    this.schema = schema;
  }

  type(name: string): EntityType {
    const type = this.schema.entities.get(name);
    if (type === undefined) throw new MappingError(`the schema has no entity ${name}`);
    return type;
  }

  get(type: EntityType, id: string): Entity | undefined {
    const key = keyOf(type, id);
    const change = this.#changes.get(key);
    return change === undefined ? this.#load(type, id, key) : change.after;
  }

  getInBlock(type: EntityType, id: string): Entity | undefined {
    return this.#changes.get(keyOf(type, id))?.after;
  }

  /** Merges the fields into the entity, as graph-node does: fields that are not named stay, null takes one away. */
  set(type: EntityType, id: string, fields: ReadonlyMap<string, Value>): void {
    const key = keyOf(type, id);
    const change = this.#changes.get(key);
    const before = change === undefined ? this.#load(type, id, key) : change.before;
    const previous = change === undefined ? before : change.after;
    if (type.isImmutable && before !== undefined)
      throw new MappingError(`${type.name} ${id} is immutable and was stored by an earlier block`);
    const after = new Map(previous);
    for (const [name, value] of fields) {
      const field = type.fields.get(name);
      if (field === undefined) throw new MappingError(`${type.name} has no field ${name}`);
      if (field.derivedFrom !== undefined)
        throw new MappingError(`${type.name}.${name} is derived and cannot be set`);
      if (value === null) after.delete(name);
      else after.set(name, checked(type, field, value));
    }
    if (!after.has("id")) after.set("id", idValue(type, id));
    for (const { name, isRequired } of type.stored)
      if (isRequired && !after.has(name))
        throw new MappingError(`${type.name} ${id}: the required field ${name} has no value`);
    if (change === undefined) this.#changes.set(key, { type, before, after });
    else change.after = after;
  }

  remove(type: EntityType, id: string): void {
    const key = keyOf(type, id);
    const change = this.#changes.get(key);
    const before = change === undefined ? this.#load(type, id, key) : change.before;
    if (type.isImmutable && before !== undefined)
      throw new MappingError(`${type.name} ${id} is immutable and cannot be removed`);
    if (change !== undefined) change.after = undefined;
    else this.#changes.set(key, { type, before, after: undefined });
  }

  /** Forgets what was not committed. */
  discard(): void {
    this.#changes.clear();
  }

  /** After a transaction was taken back: nothing is known of what the database holds. */
  forget(): void {
    this.discard();
    this.#cache.clear();
    for (const table of this.#tables.values()) table.forget();
  }

  /** Stores what changed since the last call as the work of this block. Runs inside the caller's transaction. */
  commit(header: BlockHeader): IndexedBlock {
    const number = header.number;
    const changes = [...this.#changes]
      .filter(([, { type, before, after }]) => !isSameEntity(type, before, after))
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    const previous = this.head();
    // Blocks without changes do not count, since a node that catches up leaves them out.
    const last = previous?.proof ?? zeroHash;
    const proof = changes.length === 0 ? last : proofOf(last, header, changes);
    for (const [key, { type, before, after }] of changes) {
      const table = this.#table(type);
      if (before === undefined) {
        if (after !== undefined) table.insert(number, after);
      } else if (after === undefined) table.remove(number, before);
      else table.update(number, before, after);
      if (!type.isImmutable) this.#remember(key, after);
    }
    this.#changes.clear();
    this.database.run(
      `INSERT INTO "blocks$" (number, hash, parent, timestamp, proof) VALUES (?, ?, ?, ?, ?)`,
      number,
      header.hash,
      header.parentHash,
      header.timestamp,
      parseBytes(proof)!,
    );
    return { ...header, proof };
  }

  /** Takes back every block above `number`. */
  rollBack(number: bigint): void {
    try {
      this.database.transaction(() => {
        for (const _type of this.takeBack(number));
        this.settle();
      });
    } catch (error) {
      this.forget();
      throw error;
    }
  }

  /**
   * As `rollBack`, inside the caller's transaction, which has to `settle` before it ends; one type of entities at each step. What
   * is known of entities that no such block changed stays known.
   */
  *takeBack(number: bigint): Generator<EntityType> {
    this.discard();
    for (const type of this.schema.entities.values()) {
      const changed = this.#table(type).takeBack(number);
      for (const [id, entity] of changed) this.#remember(keyOf(type, id), entity);
      yield type;
    }
    this.database.run(`DELETE FROM "blocks$" WHERE number > ?`, number);
  }

  /** Removes what no block brought back since `takeBack`. */
  settle(): void {
    for (const table of this.#tables.values()) table.settle();
  }

  /** The last block that was indexed. */
  head(): IndexedBlock | undefined {
    return blockOf(this.database.get(`SELECT * FROM "blocks$" ORDER BY number DESC LIMIT 1`));
  }

  /** The block in which a mapping stopped; undefined as long as none has. */
  stoppedAt(): Pick<BlockHeader, "number" | "hash"> | undefined {
    const [number, hash] = this.database.meta("stopped")?.split(" ") ?? [];
    return number === undefined ? undefined : { number: BigInt(number), hash: hash as Hex };
  }

  setStopped(block: Pick<BlockHeader, "number" | "hash"> | undefined): void {
    this.database.setMeta("stopped", block && `${block.number} ${block.hash}`);
  }

  /** Blocks that were looked at one by one, downwards from `number`. */
  blocksDownFrom(number: bigint, limit: number): IndexedBlock[] {
    return this.database
      .all(`SELECT * FROM "blocks$" WHERE number <= ? ORDER BY number DESC LIMIT ?`, number, limit)
      .map((row) => blockOf(row)!);
  }

  blockByHash(hash: string): IndexedBlock | undefined {
    return blockOf(this.database.get(`SELECT * FROM "blocks$" WHERE hash = ?`, hash.toLowerCase()));
  }

  #load(type: EntityType, id: string, key: string): Entity | undefined {
    if (this.#cache.has(key)) return this.#cache.get(key);
    const entity = this.#table(type).find(idValue(type, id));
    // What is written once is rarely read again.
    if (!type.isImmutable) this.#remember(key, entity);
    return entity;
  }

  #table(type: EntityType): Table {
    let table = this.#tables.get(type);
    if (table === undefined) {
      table = new Table(this.database, type);
      this.#tables.set(type, table);
    }
    return table;
  }

  #remember(key: string, entity: Entity | undefined): void {
    this.#cache.delete(key);
    if (this.#cache.size >= cacheSize) this.#cache.delete(this.#cache.keys().next().value!);
    this.#cache.set(key, entity);
  }
}

const keyOf = (type: EntityType, id: string): string => `${type.name} ${id}`;

/** As on graph-node, an entity that is saved as it was is no change. */
const isSameEntity = (type: EntityType, before: Entity | undefined, after: Entity | undefined): boolean =>
  before === undefined || after === undefined
    ? before === after
    : type.stored.every(({ name }) => isSameValue(before.get(name), after.get(name)));

/** An entity of an answer, whose fields are decoded when they are asked for. */
export type EntityView = { get(name: string): Value | undefined };

export const viewOf = (type: EntityType, row: Row): EntityView => ({
  get(name) {
    const value = decodeCell(type.fields.get(name)!, row[name]!);
    return value === null ? undefined : value;
  },
});

function blockOf(row: Row | undefined): IndexedBlock | undefined {
  if (row === undefined) return undefined;
  return {
    number: row.number as bigint,
    hash: row.hash as Hex,
    parentHash: row.parent as Hex,
    timestamp: row.timestamp as bigint,
    proof: toHexText(row.proof as Uint8Array),
  };
}

/** The id of an entity out of the form in which mappings name it. */
export function idValue(type: EntityType, id: string): Value {
  const { scalar } = type.fields.get("id")!;
  if (scalar === "Int8") {
    if (!/^-?\d{1,19}$/.test(id)) throw new MappingError(`"${id}" is not an id of ${type.name}`);
    return BigInt(id);
  }
  if (scalar !== "Bytes") return id;
  const bytes = parseBytes(id);
  if (bytes === undefined) throw new MappingError(`"${id}" is not an id of ${type.name}`);
  return bytes;
}

function fits({ scalar }: FieldType, value: Value): boolean {
  switch (scalar) {
    case "Bytes":
      return value instanceof Uint8Array;
    case "Int":
      return typeof value === "number";
    case "Int8":
    case "Timestamp":
    case "BigInt":
      return typeof value === "bigint";
    case "BigDecimal":
      return value instanceof BigDecimal;
    case "Boolean":
      return typeof value === "boolean";
    default:
      return typeof value === "string";
  }
}

function checked(type: EntityType, field: FieldType, value: Value): Value {
  if (!field.isList && fits(field, value)) return value;
  const isList = Array.isArray(value);
  const elements: readonly Value[] = isList ? value : [value];
  if (isList !== field.isList || !elements.every((element) => fits(field, element)))
    throw new MappingError(`${type.name}.${field.name} was set to a value of another type`);
  return value;
}

function proofOf(previous: Hex, header: BlockHeader, changes: readonly [string, Change][]): Hex {
  const hash = createHash("sha256");
  hash.update(JSON.stringify([previous, String(header.number), header.hash]));
  for (const [key, { type, after }] of changes) {
    const fields =
      after === undefined ? null : type.stored.map(({ name }) => toJson(after.get(name) ?? null));
    hash.update(JSON.stringify([key, fields]));
  }
  return `0x${hash.digest("hex")}`;
}

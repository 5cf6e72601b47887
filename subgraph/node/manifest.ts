import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Abi, type AbiEvent, type Address, getAddress, type Hex, toEventHash } from "viem";
import { parse } from "yaml";
import { z } from "zod";
import { BadInputError } from "../../keepers/src/core/errors.ts";
import { UnsupportedSubgraphError } from "./errors.ts";
import { type EventDecoder, eventDecoder } from "./indexer/decode.ts";
import { type EntitySchema, readEntitySchema } from "./schema/entity-schema.ts";

const file = z.object({ file: z.string() });
const dataSourceShape = z.object({
  kind: z.literal("ethereum"),
  name: z.string(),
  network: z.string(),
  source: z.object({
    address: z.string().optional(),
    abi: z.string(),
    startBlock: z.number().int().nonnegative().default(0),
  }),
  mapping: z.object({
    apiVersion: z.string(),
    language: z.literal("wasm/assemblyscript"),
    file: z.string(),
    abis: z.array(file.extend({ name: z.string() })),
    eventHandlers: z
      .array(
        z.object({
          event: z.string(),
          handler: z.string(),
          topic0: z.string().optional(),
          receipt: z.boolean().optional(),
        }),
      )
      .default([]),
    blockHandlers: z.array(z.unknown()).default([]),
    callHandlers: z.array(z.unknown()).default([]),
  }),
});
const manifestShape = z.object({
  specVersion: z.string(),
  schema: file,
  features: z.array(z.string()).default([]),
  templates: z.array(z.unknown()).default([]),
  dataSources: z.array(dataSourceShape).min(1),
});

export type EventHandlerEntry = {
  readonly topic: Hex;
  readonly event: AbiEvent;
  readonly decode: EventDecoder;
  readonly handler: string;
};

export type DataSourceEntry = {
  readonly name: string;
  readonly network: string;
  readonly address: Address;
  readonly startBlock: bigint;
  readonly bytecode: Uint8Array;
  readonly handlers: readonly EventHandlerEntry[];
};

export type Subgraph = {
  /** Digest of everything that decides what is indexed. */
  readonly deployment: string;
  readonly schema: EntitySchema;
  readonly dataSources: readonly DataSourceEntry[];
};

export type SubgraphOverrides = {
  /** Addresses and first blocks by the name of a data source; those of the manifest otherwise. */
  readonly sources?: ReadonlyMap<string, { readonly address: Address; readonly startBlock: bigint }>;
  /** Name of the network, where it is not the manifest's. */
  readonly network?: string;
};

/**
 * Reads what `graph build` wrote: the manifest at `path` and the files it names. Data sources that `overrides` does not
 * name keep their addresses; when `sources` is given, the others are left out. Throws `UnsupportedSubgraphError` for
 * what this node does not do.
 */
export function readSubgraph(path: string, overrides: SubgraphOverrides = {}): Subgraph {
  const folder = dirname(path);
  const hash = createHash("sha256");
  const read = (name: string): Buffer => {
    const bytes = readFileSync(join(folder, name));
    hash.update(`${bytes.length}:`).update(bytes);
    return bytes;
  };
  const parsed = manifestShape.safeParse(parse(readFileSync(path, "utf8"), { maxAliasCount: 0 }));
  if (!parsed.success)
    throw new BadInputError(`${path} is not the manifest of a subgraph: ${z.prettifyError(parsed.error)}`);
  const manifest = parsed.data;
  const unsupported = [...manifest.features, ...(manifest.templates.length > 0 ? ["templates"] : [])];
  if (unsupported.length > 0)
    throw new UnsupportedSubgraphError(
      `the subgraph uses ${unsupported.join(", ")}, which this node does not support`,
    );
  const schema = readEntitySchema(read(manifest.schema.file).toString("utf8"));
  const dataSources = manifest.dataSources.flatMap((source) => {
    const { name, mapping } = source;
    const override = overrides.sources?.get(name);
    if (overrides.sources !== undefined && override === undefined) return [];
    const address = override?.address ?? source.source.address;
    if (address === undefined) throw new BadInputError(`the data source ${name} has no address`);
    if (mapping.blockHandlers.length > 0 || mapping.callHandlers.length > 0)
      throw new UnsupportedSubgraphError(`${name} has block or call handlers, which this node does not run`);
    const abiFile = mapping.abis.find((abi) => abi.name === source.source.abi)?.file;
    if (abiFile === undefined) throw new BadInputError(`the data source ${name} names no file for its ABI`);
    const abi = JSON.parse(read(abiFile).toString("utf8")) as Abi;
    const entry: DataSourceEntry = {
      name,
      network: overrides.network ?? source.network,
      address: getAddress(address),
      startBlock: override?.startBlock ?? BigInt(source.source.startBlock),
      bytecode: read(mapping.file),
      handlers: mapping.eventHandlers.map((entry) => {
        if (entry.topic0 !== undefined || entry.receipt === true)
          throw new UnsupportedSubgraphError(`${name}: handlers with topic0 or receipts are not supported`);
        return handlerOf(abi, name, entry);
      }),
    };
    hash.update(
      JSON.stringify([name, entry.network, entry.address, String(entry.startBlock), mapping.eventHandlers]),
    );
    return [entry];
  });
  return { deployment: `sha256-${hash.digest("hex")}`, schema, dataSources };
}

/** Events are named `Name(indexed type,type)`: the types with "indexed" where the event says so. */
function handlerOf(
  abi: Abi,
  source: string,
  { event: wanted, handler }: { event: string; handler: string },
): EventHandlerEntry {
  const typeOf = (input: { type: string; components?: readonly { type: string }[] }): string =>
    input.components === undefined
      ? input.type
      : `(${input.components.map(typeOf).join(",")})${input.type.slice("tuple".length)}`;
  const event = abi.find(
    (item): item is AbiEvent =>
      item.type === "event" &&
      `${item.name}(${item.inputs
        .map((input) => (input.indexed === true ? "indexed " : "") + typeOf(input))
        .join(",")})` === wanted.replaceAll(", ", ","),
  );
  if (event === undefined) throw new BadInputError(`the ABI of ${source} has no event ${wanted}`);
  return { topic: toEventHash(event), event, decode: eventDecoder(event), handler };
}

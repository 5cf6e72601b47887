import { type Address, encodeAbiParameters, type Hex, keccak256 } from "viem";

/** What the registry has new datasets take over (`IDatasetRegistry.Parameters`). Amounts in token base units. */
export type RegistryParameters = {
  readonly bondPerBundle: bigint;
  readonly bundleStake: bigint;
  readonly missPenalty: bigint;
  readonly surrenderPenalty: bigint;
  readonly policy: Address;
};

/** What storage nodes agree to when they sign for a bundle (`IDatasetRegistry.Terms`). */
export type DatasetTerms = {
  readonly shape: {
    readonly objectCount: bigint;
    readonly objectSize: number;
    readonly segmentObjects: number;
    readonly k: number;
    readonly n: number;
    readonly encrypted: boolean;
  };
  readonly objectRoot: Hex;
  /** Merkle root over the two roots of every bundle. */
  readonly bundlesRoot: Hex;
  /** Dataset that this one follows; zeros for none. */
  readonly previous: Hex;
  /** Token base units for each bundle and answered audit. */
  readonly feePerAudit: bigint;
  /** Epochs paid in advance. */
  readonly epochs: number;
  readonly parameters: RegistryParameters;
};

/** What a dataset's identifier is made of (docs/storage-protocol.md section 4). */
export type DatasetIdParameters = {
  chainId: number;
  /** Address of the DatasetRegistry that holds the anchor. */
  registry: Address;
  owner: Address;
  /** keccak256 of the manifest's canonical bytes. */
  manifestHash: Hex;
  terms: DatasetTerms;
};

const termsType = {
  type: "tuple",
  components: [
    {
      name: "shape",
      type: "tuple",
      components: [
        { name: "objectCount", type: "uint64" },
        { name: "objectSize", type: "uint32" },
        { name: "segmentObjects", type: "uint32" },
        { name: "k", type: "uint8" },
        { name: "n", type: "uint8" },
        { name: "encrypted", type: "bool" },
      ],
    },
    { name: "objectRoot", type: "bytes32" },
    { name: "bundlesRoot", type: "bytes32" },
    { name: "previous", type: "bytes32" },
    { name: "feePerAudit", type: "uint96" },
    { name: "epochs", type: "uint32" },
    {
      name: "parameters",
      type: "tuple",
      components: [
        { name: "bondPerBundle", type: "uint96" },
        { name: "bundleStake", type: "uint96" },
        { name: "missPenalty", type: "uint96" },
        { name: "surrenderPenalty", type: "uint96" },
        { name: "policy", type: "address" },
      ],
    },
  ],
} as const;

const datasetIdTypes = [
  { type: "uint256" },
  { type: "address" },
  { type: "address" },
  { type: "bytes32" },
  { type: "bytes32" },
] as const;
const bundleIdTypes = [{ type: "bytes32" }, { type: "uint32" }] as const;

/**
 * Identifier of an anchored dataset: known before the anchor is mined, different on every chain, for every owner and for
 * every change of its terms.
 */
export function datasetId({ chainId, registry, owner, manifestHash, terms }: DatasetIdParameters): Hex {
  const values = [BigInt(chainId), registry, owner, manifestHash, termsHash(terms)] as const;
  return keccak256(encodeAbiParameters(datasetIdTypes, values));
}

/** Hash of all that a storage node agrees to, but for whose dataset it is and how its bytes are to be read. */
export function termsHash(terms: DatasetTerms): Hex {
  return keccak256(encodeAbiParameters([termsType], [terms]));
}

/** Identifier of bundle `bundleIndex` (segment · n + j) of a dataset. */
export function bundleId(dataset: Hex, bundleIndex: number): Hex {
  return keccak256(encodeAbiParameters(bundleIdTypes, [dataset, bundleIndex]));
}

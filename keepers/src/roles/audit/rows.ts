/** A value of an entity's field as an index gives it; a reference is the id of what it refers to. */
export type Value = string | number | boolean | null | readonly string[];

/** An entity: its id, and fields by their names. */
export type Row = { readonly id: string } & { readonly [field: string]: Value };

/** value: as it is. one: the entity that it refers to. many: entities. */
export type FieldKind = "value" | "one" | "many";

/** Entities of one type that audits compare, by the fields of `subgraph/schema.graphql`. */
export type Kind = {
  /** The type in the schema. */
  readonly type: string;
  /** What one is called in a sentence. */
  readonly noun: string;
  readonly fields: { readonly [field: string]: FieldKind };
};

const values = <const N extends string>(names: readonly N[]) =>
  Object.fromEntries(names.map((name) => [name, "value"])) as { readonly [K in N]: "value" };

/** By the name of the field that lists them. */
export const kinds = {
  events: {
    type: "Event",
    noun: "event",
    fields: values([
      "contract",
      "name",
      "parameters",
      "block",
      "timestamp",
      "transaction",
      "sender",
      "logIndex",
    ]),
  },
  jobs: {
    type: "Job",
    noun: "job",
    fields: {
      ...values(["consumer", "status", "price", "stake", "commitUntil", "challengeUntil", "traceRoot"]),
      ...values([
        "stateRoot",
        "leavesDigest",
        "reason",
        "paid",
        "refunded",
        "slashed",
        "openedAt",
        "endedAt",
      ]),
      order: "one",
      dataset: "one",
      provider: "one",
      result: "one",
    },
  },
  orders: {
    type: "Order",
    noun: "order",
    fields: {
      ...values([
        "consumer",
        "datasetId",
        "trainingHash",
        "programRoot",
        "programDigest",
        "maximumPrice",
        "deposit",
      ]),
      ...values(["trainingTime", "minimumCompute", "regions", "regulations", "privacyTier", "scheme"]),
      ...values(["committeeSize", "threshold", "checkFee", "instalments", "nonce", "expiry", "isPosted"]),
      ...values(["priceFeed", "training", "trainingPackage", "createdAt"]),
      dataset: "one",
    },
  },
  auctions: {
    type: "Auction",
    noun: "auction",
    fields: {
      ...values(["bond", "commitUntil", "revealUntil", "isClosed"]),
      job: "one",
      winner: "one",
    },
  },
  bids: {
    type: "Bid",
    noun: "bid",
    fields: {
      ...values(["commitment", "price", "compute", "status", "bondLost", "reason", "at"]),
      job: "one",
      provider: "one",
    },
  },
  checkpoints: {
    type: "Checkpoint",
    noun: "instalment",
    fields: {
      ...values(["number", "steps", "traceRoot", "stateRoot", "leavesDigest", "challengeUntil", "isClosed"]),
      ...values(["paid", "postedAt"]),
      job: "one",
      provider: "one",
      result: "one",
    },
  },
  payments: {
    type: "Payment",
    noun: "payment",
    fields: {
      ...values(["kind", "to", "amount", "timestamp", "transaction"]),
      job: "one",
      dataset: "one",
      bundle: "one",
    },
  },
  slashes: {
    type: "Slash",
    noun: "slash",
    fields: {
      ...values(["module", "beneficiary", "amount", "burnt", "reason", "timestamp", "transaction"]),
      operator: "one",
    },
  },
  challenges: {
    type: "Challenge",
    noun: "dispute",
    fields: {
      ...values(["checkpoint", "interval", "traceRoot", "stage", "firstStep", "steps", "place", "index"]),
      ...values(["moveCount", "status", "reward", "openedAt", "endedAt"]),
      job: "one",
      challenger: "one",
      provider: "one",
    },
  },
  moves: {
    type: "Move",
    noun: "move in a dispute",
    fields: {
      ...values(["number", "by", "stage", "firstStep", "steps", "place", "level", "index"]),
      ...values(["timestamp", "transaction"]),
      challenge: "one",
    },
  },
  attestations: {
    type: "Attestation",
    noun: "committee",
    fields: {
      ...values(["attempt", "status", "signers", "root", "seed", "deadline", "differing", "feePerMember"]),
      job: "one",
      members: "many",
    },
  },
  certificates: {
    type: "Certificate",
    noun: "certificate",
    fields: {
      ...values(["owner", "programRoot", "trainingHash", "traceRoot", "stateRoot", "programDigest"]),
      ...values(["leavesDigest", "isAttested", "finalisedAt"]),
      job: "one",
      provider: "one",
      order: "one",
      dataset: "one",
      result: "one",
    },
  },
  datasets: {
    type: "Dataset",
    noun: "dataset",
    fields: {
      ...values(["owner", "manifestHash", "manifestDigest", "objectRoot", "bundlesRoot", "objectCount"]),
      ...values(["objectSize", "segmentObjects", "k", "n", "isEncrypted", "anchoredAt", "isClosed", "fees"]),
      ...values(["feesPaid", "paidUntilEpoch", "isFraudulent"]),
      previous: "one",
    },
  },
  bundles: {
    type: "Bundle",
    noun: "bundle",
    fields: {
      ...values(["index", "isPlaced", "placedAt", "repairs", "auditsAnswered", "auditsMissed"]),
      dataset: "one",
      operator: "one",
    },
  },
  audits: {
    type: "Audit",
    noun: "storage audit",
    fields: {
      ...values(["duty", "epoch", "isAnswered", "evaluation", "timestamp", "transaction"]),
      bundle: "one",
      operator: "one",
    },
  },
  retrievals: {
    type: "Retrieval",
    noun: "retrieval",
    fields: {
      ...values(["challenger", "cellIndex", "deadline", "status"]),
      bundle: "one",
      operator: "one",
    },
  },
  ownerRetrievals: {
    type: "OwnerRetrieval",
    noun: "holderless retrieval",
    fields: {
      ...values(["owner", "challenger", "bundleIndex", "cellIndex", "deadline", "status"]),
      dataset: "one",
    },
  },
  operators: {
    type: "Operator",
    noun: "operator",
    fields: values([
      ...([
        "roles",
        "peerId",
        "endpoint",
        "isActive",
        "registeredAt",
        "staked",
        "locked",
        "unbonded",
      ] as const),
      ...(["slashed", "earned", "auditsAnswered", "auditsMissed", "jobsFinalised", "jobsFailed"] as const),
      "conduct",
    ]),
  },
} as const satisfies Record<string, Kind>;

export type KindName = keyof typeof kinds;

/** Rows by kind. */
export type Rows = { readonly [N in KindName]?: readonly Row[] };

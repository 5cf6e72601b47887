import type { Address } from "viem";
import {
  addressOf,
  type Contracts,
  encodeCall,
  type ReadClient,
} from "../../../keepers/src/chain/contracts.ts";
import type { Deployment } from "../../../keepers/src/chain/deployment-format.ts";
import { type AnchorParameters, anchorArguments } from "../../../keepers/src/storage/client/anchor.ts";
import {
  type Permit,
  permitMessage,
  permitOf,
  permitVersion,
} from "../../../keepers/src/storage/client/permit.ts";
import { type PlacedDataset, placeCall } from "../../../keepers/src/storage/client/place.ts";
import type { KeptReceipt } from "../../../keepers/src/storage/client/upload.ts";
import type { Action, Step } from "../act/steps.ts";
import { inTokens } from "../ui/values.tsx";

export type StoreParts = {
  readonly contracts: Contracts;
  readonly client: ReadClient;
  readonly deployment: Deployment;
  readonly account: Address;
  readonly done: Action["done"];
};

const tokens = (amount: bigint) => `${inTokens(amount, 18)} tokens`;

/**
 * Anchors a dataset: its commitments go on chain, and what it costs to have it kept is paid in. By a permit where the token
 * takes one, else after an approval; by neither where the registry may take the tokens already.
 */
export async function anchorAction(
  { contracts, client, deployment, account, done }: StoreParts,
  given: AnchorParameters,
  { bond, fees }: { readonly bond: bigint; readonly fees: bigint },
): Promise<Action> {
  const registry = addressOf(deployment, "DatasetRegistry");
  const total = bond + fees;
  const args = anchorArguments(given);
  const words = [
    ["Dataset", given.datasetId],
    ["Its owner", "you"],
    ["Paid in for its audits", `${tokens(fees)}; what is not used comes back`],
    [
      "Bond for what you say of it",
      `${tokens(bond)}; yours again when you close it after its last audit; lost if its bundles turn out to be no encoding of it`,
    ],
  ] as const;
  const title = "Anchor the dataset";
  const steps = async (): Promise<Step[]> => {
    const allowed = await contracts.AssayToken.read.allowance([account, registry]);
    const anchor: Step = {
      kind: "send",
      title,
      words,
      call: async () => encodeCall(deployment, "DatasetRegistry", "anchor", args),
    };
    if (allowed >= total) return [anchor];
    const reader = { account: { address: account }, contracts, deployment, chain: { public: client } };
    const version = await permitVersion(reader);
    const who = ["Who may take", "the registry of datasets, nobody else"] as const;
    if (version === undefined) {
      const call = async () => encodeCall(deployment, "AssayToken", "approve", [registry, total]);
      const asked = [who, ["How much", `exactly ${tokens(total)}`]] as const;
      return [{ kind: "send", title: "Let the registry take what it costs", words: asked, call }, anchor];
    }
    let permit: Permit | undefined;
    return [
      {
        kind: "sign",
        title: "Permit the registry to take what it costs",
        words: [who, ["How much", `exactly ${tokens(total)}, once`], ["Good for", "one hour"]],
        message: () => permitMessage(reader, registry, total, version),
        take: (signature, { message }) => {
          permit = permitOf(signature, (message as { deadline: bigint }).deadline);
        },
      },
      {
        kind: "send",
        title,
        words,
        call: async () => {
          if (permit === undefined) throw new Error("The permit is not signed yet.");
          const { deadline, v, r, s } = permit;
          return encodeCall(deployment, "DatasetRegistry", "anchorWithPermit", [...args, deadline, v, r, s]);
        },
      },
    ];
  };
  return { title, account, steps: await steps(), done };
}

/** Brings receipts on chain, from when on the nodes that signed them answer for their bundles; each batch in a transaction. */
export function placeAction(
  { deployment, account, done }: StoreParts,
  dataset: PlacedDataset,
  batches: readonly (readonly KeptReceipt[])[],
): Action {
  return {
    title: "Bring the receipts on chain",
    account,
    steps: batches.map((batch, i) => ({
      kind: "send",
      title: batches.length === 1 ? "Place the bundles" : `Place bundles, ${i + 1} of ${batches.length}`,
      words: [
        ["Dataset", dataset.datasetId],
        ["Bundles", batch.map(({ bundleIndex }) => bundleIndex).join(", ")],
        ["From then on", "the nodes that signed for them are audited, and lose stake for what they lose"],
      ],
      call: async () => placeCall(deployment, dataset, batch),
    })),
    done,
  };
}

import type { Hex } from "viem";
import { z } from "zod";
import type { Contracts } from "../../../keepers/src/chain/contracts.ts";
import { datasetStatus } from "../../../keepers/src/storage/client/anchor.ts";
import { type OfferedTerms, readTerms } from "../../../keepers/src/storage/client/terms.ts";
import type { Shelf } from "../engine/shelf.ts";
import { ShelfMemory } from "../engine/shelf-memory.ts";

const hex = (bytes: number) =>
  z.string().regex(new RegExp(`^0x[0-9a-f]{${2 * bytes}}$`)) as unknown as z.ZodType<Hex>;
const amount = z.string().regex(/^\d{1,29}$/);

const schema = z.strictObject({
  feePerAudit: amount,
  epochs: z.int().positive(),
  previous: hex(32),
  parameters: z.strictObject({
    bondPerBundle: amount,
    bundleStake: amount,
    missPenalty: amount,
    surrenderPenalty: amount,
    policy: hex(20),
  }),
});

/** Terms under which the bundles of a shelf were sent, and whether they are anchored under them. */
export type EarlierTerms = { readonly terms: OfferedTerms; readonly isAnchored: boolean };

/**
 * The terms under which a dataset was sent last: with others it would be another one, to be sent and paid for by itself. A
 * note that cannot be read counts as none.
 * @param idOf the id of the dataset under some terms
 */
export async function earlierTerms(
  contracts: Pick<Contracts, "DatasetRegistry">,
  shelf: Pick<Shelf, "uploads" | "uploadNote" | "writeUploadNote" | "bundle">,
  idOf: (terms: OfferedTerms) => Hex,
): Promise<EarlierTerms | undefined> {
  for (const id of await shelf.uploads()) {
    const terms = termsIn((await ShelfMemory.open(shelf, id as Hex)).fact("terms"));
    // Other words in the manifest, or another account, make another dataset of the same bundles.
    if (terms === undefined || idOf(terms) !== id) continue;
    const [status] = await contracts.DatasetRegistry.read.termsOf([id as Hex]);
    return { terms, isAnchored: status !== datasetStatus.none };
  }
  return undefined;
}

function termsIn(text: string | undefined): OfferedTerms | undefined {
  try {
    return readTerms(schema.parse(JSON.parse(text ?? "")));
  } catch {
    return undefined;
  }
}

/**
 * What nodes are asked to sign for: the earlier terms, where the same is wanted and they still stand; else what is wanted, under
 * the parameters in force.
 */
export function offeredNow(wanted: OfferedTerms, earlier: EarlierTerms | undefined): OfferedTerms {
  if (earlier === undefined || !earlier.isAnchored) return wanted;
  const { terms } = earlier;
  return terms.feePerAudit === wanted.feePerAudit && terms.epochs === wanted.epochs ? terms : wanted;
}

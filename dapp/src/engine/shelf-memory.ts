import type { Hex } from "viem";
import { z } from "zod";
import type { UploadMemory } from "../../../keepers/src/storage/client/put-upload.ts";
import type { KeptReceipt } from "../../../keepers/src/storage/client/upload.ts";
import type { Shelf } from "./shelf.ts";

const hex = (bytes: number) =>
  z.string().regex(new RegExp(`^0x[0-9a-fA-F]{${2 * bytes}}$`)) as unknown as z.ZodType<Hex>;

const schema = z.strictObject({
  facts: z.record(z.string(), z.string()),
  receipts: z.array(
    z.strictObject({
      bundleIndex: z.int().nonnegative(),
      operator: hex(20),
      validUntil: z.string().regex(/^\d{1,20}$/),
      latestEnd: z.int().nonnegative(),
      signature: hex(65),
    }),
  ),
});

/** What of a shelf it is kept on. */
type Keeping = Pick<Shelf, "uploadNote" | "writeUploadNote" | "bundle">;

/** What an upload remembers beside the bundles of its dataset: a page that was closed in between pays and sends nothing twice. */
export class ShelfMemory implements UploadMemory {
  readonly #shelf: Keeping;
  readonly #datasetId: Hex;
  readonly #facts: Map<string, string>;
  readonly #receipts: Map<number, KeptReceipt>;
  #written: Promise<void> = Promise.resolve();

  private constructor(shelf: Keeping, datasetId: Hex, kept: z.output<typeof schema>) {
    this.#shelf = shelf;
    this.#datasetId = datasetId;
    this.#facts = new Map(Object.entries(kept.facts));
    this.#receipts = new Map(
      kept.receipts.map((receipt) => [
        receipt.bundleIndex,
        { ...receipt, validUntil: BigInt(receipt.validUntil) },
      ]),
    );
  }

  /** What is kept of an upload; a file that cannot be read counts as none. */
  static async open(shelf: Keeping, datasetId: Hex): Promise<ShelfMemory> {
    let kept: z.output<typeof schema> | undefined;
    try {
      kept = schema.parse(JSON.parse((await shelf.uploadNote(datasetId)) ?? ""));
    } catch {
      kept = undefined;
    }
    return new ShelfMemory(shelf, datasetId, kept ?? { facts: {}, receipts: [] });
  }

  fact(name: string): string | undefined {
    return this.#facts.get(name);
  }

  remember(name: string, value: string): Promise<void> {
    this.#facts.set(name, value);
    return this.#write();
  }

  receipts(): KeptReceipt[] {
    return [...this.#receipts.values()].sort((a, b) => a.bundleIndex - b.bundleIndex);
  }

  keepReceipt(receipt: KeptReceipt): Promise<void> {
    this.#receipts.set(receipt.bundleIndex, receipt);
    return this.#write();
  }

  dropReceipt(bundleIndex: number): Promise<void> {
    this.#receipts.delete(bundleIndex);
    return this.#write();
  }

  async readBundle(bundleIndex: number): Promise<Uint8Array> {
    return new Uint8Array(await (await this.#shelf.bundle(bundleIndex)).arrayBuffer());
  }

  /** One after another: several uploads end at the same time. */
  #write(): Promise<void> {
    const write = () => {
      const receipts = this.receipts().map((each) => ({ ...each, validUntil: String(each.validUntil) }));
      return this.#shelf.writeUploadNote(
        this.#datasetId,
        JSON.stringify({ facts: Object.fromEntries(this.#facts), receipts }),
      );
    };
    this.#written = this.#written.then(write, write);
    return this.#written;
  }
}

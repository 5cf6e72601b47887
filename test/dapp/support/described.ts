import type { Hex } from "viem";
import { composeFrom } from "../../../dapp/src/order/compose.ts";
import { checkForm, firstForm, type OrderForm } from "../../../dapp/src/order/form.ts";
import type { OrderedDataset } from "../../../dapp/src/order/read-dataset.ts";
import type { DescribedOrder } from "../../../keepers/src/roles/consumer/compose-order.ts";

/** A dataset of a hundred records like those of the digits. */
export const datasetOf = {
  datasetId: `0x${"a1".repeat(32)}` as Hex,
  manifest: {
    name: "digits",
    format: {
      kind: "records",
      fields: [
        { name: "pixels", role: "input", dtype: "u8", shape: [64], offset: 0 },
        { name: "label", role: "label", dtype: "u8", shape: [], offset: 64 },
      ],
    },
  },
  objectCount: 100,
  objectSize: 65,
  objectRoot: `0x${"b2".repeat(32)}` as Hex,
} as unknown as OrderedDataset;

/** The order that a form stands for. */
export function describeForm(changes: Partial<OrderForm>): DescribedOrder {
  const checked = checkForm({ ...firstForm, datasetId: datasetOf.datasetId, ...changes });
  if (!("form" in checked)) throw new Error(JSON.stringify(checked.problems));
  return composeFrom({
    form: checked.form,
    dataset: datasetOf,
    consumer: `0x${"c3".repeat(20)}`,
    now: 1_700_000_000n,
  });
}

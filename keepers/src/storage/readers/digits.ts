import { fileURLToPath } from "node:url";
import { diskFile } from "./bytes.ts";
import { readCsv } from "./csv.ts";
import type { DatasetSource } from "./source.ts";

const file = fileURLToPath(new URL("../../../../data/digits.csv.gz", import.meta.url));

/** The built-in dataset: 1,797 handwritten digits of 8 × 8 pixels, objects of 65 bytes (64 pixels, label). */
export async function readDigits(): Promise<DatasetSource> {
  const source = await readCsv(diskFile(file), { header: false, label: "last", dtype: "u8", shape: [8, 8] });
  return {
    ...source,
    name: "digits",
    licence: "CC-BY-4.0",
    description:
      "Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998.",
  };
}

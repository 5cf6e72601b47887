import type { PackedFormat } from "../../core/dataset/format.ts";
import { defaultPackedObjectSize, type PackedRecord, RecordPacker } from "../../core/dataset/packed.ts";
import { AssayError } from "../../core/errors.ts";
import type { DatasetSource } from "./source.ts";

export type PackedSourceOptions = {
  name: string;
  content: PackedFormat["content"];
  /** The file the lines come from; null for a folder. */
  file: string | null;
  objectSize?: number;
  description?: string;
};

/** A source that packs records of any length; `records` is called for each pass. */
export function packedSource(
  options: PackedSourceOptions,
  records: () => AsyncIterable<PackedRecord>,
): DatasetSource {
  const { name, content, file, objectSize = defaultPackedObjectSize } = options;
  let format: PackedFormat | undefined;

  async function* objects(): AsyncGenerator<Uint8Array> {
    const packer = new RecordPacker(objectSize);
    for await (const record of records()) {
      for await (const piece of record.pieces) yield* packer.push(piece);
      packer.endRecord(record.name);
    }
    const { records: count, offset, length } = yield* packer.finish();
    format = { kind: "packed", content, file, records: count, index: { offset, length } };
  }

  return {
    name,
    objectSize,
    objectCount: undefined,
    objects,
    format() {
      if (format !== undefined) return format;
      throw new AssayError("The format of packed records is known only once all of them were read.");
    },
    licence: "",
    description: options.description ?? "",
  };
}

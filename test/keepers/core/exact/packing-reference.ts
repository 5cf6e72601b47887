import type { Layout } from "../../../../keepers/src/core/exact/tape/types.ts";

const widths = { I8: 1, I16: 2, I32: 4, I64: 8, U8: 1, U32: 4 };

/** Leaves as section 2 of `docs/exact-ops.md` words them, over lists of bytes: shares no code with the product. */
export function leavesOf({ dtype, shape, rowAxes }: Layout, mantissas: ArrayLike<number>): Buffer[] {
  const width = widths[dtype];
  const length = shape.slice(-rowAxes).reduce((a, b) => a * b);
  const rows: Buffer[] = [];
  for (let first = 0; first < mantissas.length; first += length) {
    const hex = Array.from({ length }, (_, i) =>
      BigInt.asUintN(8 * width, BigInt(mantissas[first + i]!))
        .toString(16)
        .padStart(2 * width, "0"),
    ).join("");
    const bytes = Buffer.from(hex, "hex");
    rows.push(Buffer.concat([bytes, Buffer.alloc((32 - (bytes.length % 32)) % 32)]));
  }
  const padded = rows[0]!.length;
  if (padded > 1024) return rows.flatMap((row) => cut(row, 1024));
  let together = 1;
  while (padded * together * 2 <= 256) together *= 2;
  return cut(Buffer.concat(rows), padded * together);
}

function cut(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
    bytes.subarray(i * size, (i + 1) * size),
  );
}

/** A number that a keeper says of itself. */
export type Sample = { readonly name: string; readonly labels: string; readonly value: number };

const line = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{([^}]*)\})? ([-+0-9.eE]+|NaN|[-+]Inf)$/;

/** Reads Prometheus's text format; lines that are no samples are left out. */
export function readSamples(text: string): Sample[] {
  return text.split("\n").flatMap((each) => {
    const found = line.exec(each.trim());
    return found === null
      ? []
      : [{ name: found[1]!, labels: (found[2] ?? "").replaceAll('"', ""), value: Number(found[3]) }];
  });
}

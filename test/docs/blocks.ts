/** A fenced block of a document: what stands behind its fence, and its lines. */
export type Block = { info: string; lines: string[] };

/** Fenced blocks of a document, with long lines that end in a backslash joined. */
export function blocksOf(text: string): Block[] {
  return [...text.matchAll(/^```(\S[^\n]*)\n([\s\S]*?)^```$/gm)].map(([, info, body]) => ({
    info: info!.trim(),
    lines: body!
      .replaceAll(/\\\n\s*/g, "")
      .split("\n")
      .filter((line) => line.trim() !== ""),
  }));
}

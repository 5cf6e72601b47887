/**
 * Where figures come from. index: the subgraph; `isUnchecked` while the chain cannot be asked how far behind it is. chain: the
 * chain itself, because there is no subgraph, it does not answer, or it is behind; `isSilent` when the chain does not answer
 * either.
 */
export type Source =
  | {
      readonly kind: "index";
      readonly url: string;
      readonly block: number;
      readonly isUnchecked: boolean;
    }
  | { readonly kind: "chain"; readonly why: string; readonly isSilent?: boolean }
  | { readonly kind: "unknown" };

/** What a look at both showed; undefined for what did not answer. */
export type Seen = {
  /** Newest block of the chain. */
  readonly head: number | undefined;
  /** What the subgraph says of itself. */
  readonly index: { readonly block: number; readonly hasErrors: boolean } | undefined;
};

/** Blocks that the subgraph may be behind the chain before it is passed over. */
export const mostBehind = 30;

/** Blocks that it may be behind when it is taken again: one that hovers about the limit would have pages change to and fro. */
export const nearEnough = 10;

/**
 * Where to read from, after a look at both.
 * @param before where figures came from until now
 */
export function sourceOf(url: string, { head, index }: Seen, before: Source): Source {
  if (index === undefined) {
    return head === undefined
      ? { kind: "chain", why: "Neither the subgraph nor the chain answers.", isSilent: true }
      : { kind: "chain", why: "The subgraph does not answer." };
  }
  if (index.hasErrors) return { kind: "chain", why: "The subgraph has stopped at an error." };
  const { block } = index;
  if (head === undefined) return { kind: "index", url, block, isUnchecked: true };
  const limit = before.kind === "chain" ? nearEnough : mostBehind;
  // Not by how many: a notice that changes with each look is read out with each look.
  if (head - block > limit)
    return { kind: "chain", why: `The subgraph is more than ${limit} blocks behind the chain.` };
  return { kind: "index", url, block, isUnchecked: false };
}

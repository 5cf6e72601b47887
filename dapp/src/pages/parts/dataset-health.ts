import type { Tone } from "../../ui/badge.tsx";

type Held = {
  readonly k: number;
  readonly n: number;
  readonly isClosed: boolean;
  readonly isFraudulent: boolean;
  readonly bundles: readonly { readonly operator: { readonly id: string } | null }[];
};

/** How well a dataset is held, in a word, and why. */
export function healthOf({ k, n, isClosed, isFraudulent, bundles }: Held): {
  tone: Tone;
  word: string;
  why: string;
} {
  const held = bundles.filter(({ operator }) => operator !== null).length;
  const why = `${held} of ${n} bundles are held; any ${k} of them give the data back.`;
  if (isFraudulent)
    return {
      tone: "wrong",
      word: "Encoded wrongly",
      why: "Somebody proved that its bundles do not fit together.",
    };
  if (isClosed) return { tone: "neutral", word: "Closed", why: "Its owner pays for it no longer." };
  if (held < k) return { tone: "wrong", word: "Lost", why };
  if (held < n) return { tone: "waiting", word: "Being repaired", why };
  return { tone: "healthy", word: "Whole", why };
}

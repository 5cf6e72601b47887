import type { Tone } from "../../ui/tone.ts";

type Held = {
  readonly k: number;
  readonly n: number;
  readonly objectCount: string;
  readonly segmentObjects: string;
  readonly isClosed: boolean;
  readonly isFraudulent: boolean;
  readonly bundles: readonly { readonly index: number; readonly operator: { readonly id: string } | null }[];
};

/** Bundles of a dataset that a query lists at most. */
const mostListed = 1000;

/** How many bundles are held, of all, and of the segment that is held worst; of those that are listed. */
export function holdingOf({ n, objectCount, segmentObjects, bundles }: Held): {
  readonly segments: number;
  readonly total: number;
  readonly held: number;
  readonly fewest: number;
} {
  const whole = Math.max(1, Math.ceil(Number(objectCount) / Number(segmentObjects)));
  // Of more bundles than are listed only segments that are listed whole can be told.
  const segments =
    bundles.length < mostListed ? whole : Math.max(1, Math.min(whole, Math.floor(mostListed / n)));
  const counts = new Array<number>(segments).fill(0);
  for (const { index, operator } of bundles) {
    const segment = Math.floor(index / n);
    if (operator !== null && segment < segments) counts[segment]!++;
  }
  return {
    segments,
    total: segments * n,
    held: counts.reduce((sum, count) => sum + count, 0),
    fewest: Math.min(...counts),
  };
}

/** How well a dataset is held, in a word, and why: as well as the segment that is held worst. */
export function healthOf(dataset: Held): { tone: Tone; word: string; why: string } {
  const { k, n, isClosed, isFraudulent, bundles } = dataset;
  const { segments, total, held, fewest } = holdingOf(dataset);
  const why =
    segments === 1
      ? `${held} of ${n} bundles are held; any ${k} of them give the data back.`
      : `${held.toLocaleString("en")} of ${total.toLocaleString("en")} bundles are held, in ${segments} segments; of the one that is held worst ${fewest} of ${n}, any ${k} of which give it back.`;
  if (isFraudulent)
    return {
      tone: "wrong",
      word: "Encoded wrongly",
      why: "Somebody proved that its bundles do not fit together.",
    };
  if (isClosed) return { tone: "neutral", word: "Closed", why: "Its owner pays for it no longer." };
  // A bundle is listed from the time on when it is placed first.
  if (fewest < k && bundles.length < Math.min(total, mostListed))
    return { tone: "waiting", word: "Being placed", why };
  if (fewest < k) return { tone: "wrong", word: "Lost", why };
  if (fewest < n) return { tone: "waiting", word: "Being repaired", why };
  return { tone: "healthy", word: "Whole", why };
}

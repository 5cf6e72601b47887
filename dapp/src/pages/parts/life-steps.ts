import type { HistoryEvent } from "./job-events.ts";

const steps = [
  { name: "Opened", event: "JobOpened" },
  { name: "Matched", event: "JobMatched", undone: "JobUnmatched" },
  { name: "Training", event: "JobLocked" },
  { name: "Committed", event: "JobCommitted" },
  { name: "Attested", event: "JobAttested" },
] as const;

const ends: { readonly [event: string]: readonly [name: string, kind: "good" | "bad" | "over"] } = {
  JobFinalised: ["Paid and certified", "good"],
  JobFailed: ["Failed", "bad"],
  JobVoided: ["Void", "over"],
  JobCancelled: ["Cancelled", "over"],
  JobExpired: ["Expired", "over"],
};

/** A step of a job's life, and the event that was it; none when it has not happened, or was undone. */
export type LifeStep = {
  readonly name: string;
  readonly kind: "done" | "open" | "good" | "bad" | "over";
  readonly event: HistoryEvent | undefined;
};

/**
 * The life of a job from its order to its end.
 *
 * @param events in the chain's order
 */
export function lifeOf(events: readonly HistoryEvent[], isAttestable: boolean): LifeStep[] {
  const own = events.filter(({ contract }) => contract === "JobRegistry");
  const end = own.findLast(({ name }) => name in ends);
  const life = steps
    .filter(({ event }) => isAttestable || event !== "JobAttested")
    .map((step): LifeStep => {
      const { name, event } = step;
      const last = own.findLast(
        (each) => each.name === event || ("undone" in step && each.name === step.undone),
      );
      const done = last?.name === event ? last : undefined;
      return { name, kind: done === undefined ? "open" : "done", event: done };
    });
  const [name, kind] = end === undefined ? (["Paid and certified", "open"] as const) : ends[end.name]!;
  return [...life, { name, kind, event: end }];
}

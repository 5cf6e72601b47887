import { type HistoryEvent, inOrder, parametersOf } from "./job-events.ts";

/** How a job ended, in words. */
export type End = { readonly tone: "wrong" | "neutral"; readonly title: string; readonly text: string };

/** Stages of the game in which the provider has to answer: codes of `Stage` in contracts/disputes/interfaces/IDisputeRules.sol. */
const ofProvider = new Set(["1", "3", "4", "6", "7", "9", "11", "13", "14", "16", "17", "18"]);

type Said = { readonly challengeId: string; readonly stage?: string };

/** Whether the provider lost a dispute because it did not answer in time. */
export function didTimeOut(challenge: string, events: readonly HistoryEvent[]): boolean {
  const own = inOrder(events)
    .filter(({ contract }) => contract === "DisputeGame")
    .map((event) => ({ name: event.name, said: parametersOf<Said>(event) }))
    .filter(({ said }) => said.challengeId === challenge);
  const convicted = own.findIndex(({ name }) => name === "ProviderConvicted");
  const before = own.slice(0, Math.max(0, convicted));
  const due = before.findLastIndex(({ name }) => name === "Moved");
  return (
    ofProvider.has(before[due]?.said.stage ?? "") &&
    before.slice(due).some(({ name }) => name === "TimeoutCalled")
  );
}

/** The dispute that convicted the provider. */
export function convictionOf(events: readonly HistoryEvent[]): string | undefined {
  const convicted = events.find(
    ({ contract, name }) => contract === "DisputeGame" && name === "ProviderConvicted",
  );
  return convicted && parametersOf<Said>(convicted).challengeId;
}

/** How a job ended, and why; nothing for one that is not over, or was paid. */
export function endOf(
  status: string,
  reason: string | null,
  events: readonly HistoryEvent[],
): End | undefined {
  switch (status) {
    case "Failed":
      return { tone: "wrong", ...failureOf(reason, events) };
    case "Void":
      return {
        tone: "neutral",
        title: "The job is void",
        text: "A dispute showed that no result of this program could be right. The provider is not to blame: it keeps its stake, and is paid for what it committed to.",
      };
    case "Cancelled":
      return {
        tone: "neutral",
        title: "The order was cancelled",
        text: "No provider had begun. What was paid in is back with the consumer.",
      };
    case "Expired":
      return {
        tone: "neutral",
        title: "Nobody began in time",
        text: "No provider locked the job before the order expired. What was paid in is back with the consumer.",
      };
    default:
      return undefined;
  }
}

function failureOf(reason: string | null, events: readonly HistoryEvent[]): Omit<End, "tone"> {
  switch (reason) {
    case "late":
      return {
        title: "The provider was late",
        text: "It did not commit to a result in the time that the order gave it.",
      };
    case "withheld":
      return {
        title: "The provider withheld what it had committed to",
        text: "It did not open to the committee what was to be checked.",
      };
    case "lost":
      return {
        title: "The result was lost",
        text: "Too few nodes held it before it was paid for, and the provider did not store it again in time.",
      };
    case "stranded":
      return {
        title: "The result could not be stored again",
        text: "Too few nodes held it, and no random seed came with which others could have taken it over. Nobody is at fault.",
      };
    case "misstored":
      return {
        title: "Something else was stored",
        text: "What the provider stored as its result is not what it had committed to.",
      };
    case "convicted": {
      const challenge = convictionOf(events);
      return challenge !== undefined && didTimeOut(challenge, events)
        ? {
            title: "The provider did not answer in time",
            text: "A challenger disputed its result, and it let its time to answer run out.",
          }
        : {
            title: "The result was wrong",
            text: "A challenger disputed it, and the contracts found the provider wrong.",
          };
    }
    default:
      return { title: "The job failed", text: reason === null ? "" : `The contracts say why: ${reason}.` };
  }
}
